"""Further kinds of torch modules, beside plain torch in float64."""

import collections
import types

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust import MinMaxNet, NaturalNet, load_net, robust_score
from sklearn_robust.attacks import PGD
from sklearn_robust.differentiable import as_module
from sklearn_robust.metrics import decision_margin, hessian_norm, input_jacobian, taylor_radius
from sklearn_robust.spectral import layer_spectra, margin_report
from tests.real_models.exact import refused
from tests.real_models.oracle import Oracle

pytestmark = pytest.mark.filterwarnings("ignore")
X = np.random.default_rng(0).uniform(0, 1, (12, 4)).astype(np.float32)


class Ends(nn.Module):
    """A small net whose output goes through a function."""

    def __init__(self, end, n=3):
        super().__init__()
        self.body, self.end = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, n)), end

    def forward(self, x):
        return self.end(self.body(x))


def made(cls, *args):
    torch.manual_seed(0)
    return cls(*args).eval()


def z_of(n=3):
    with torch.no_grad():
        return made(Ends, lambda z: z, n).double()(torch.tensor(X).double())


def check_margins(module, z, y, atol=1e-5):
    right = Oracle.lead(z, torch.tensor(y)).numpy()
    for dtype in (np.float32, np.float64):
        np.testing.assert_allclose(decision_margin(module, X.astype(dtype), y), right, atol=atol)


# -- one output of two classes ------------------------------------------------------------------

ONE = {
    "column": lambda z: z,
    "flat": lambda z: z.squeeze(1),
    "squeezed": lambda z: z.squeeze(),
    "in a dict": lambda z: {"logits": z},
    "sigmoid": torch.sigmoid,
    "flat sigmoid": lambda z: torch.sigmoid(z).squeeze(1),
    "sigmoid by hand": lambda z: 1 / (1 + torch.exp(-z)),
}


@pytest.mark.parametrize("kind", ONE)
def test_one_output_is_the_second_of_two_classes(kind):
    z = z_of(1)
    both, y = torch.cat([-z, z], 1) / 2, (z > 0).long()[:, 0].numpy()
    y[0] = 1 - y[0]
    module = made(Ends, ONE[kind], 1)
    check_margins(module, both, y)
    check_margins(module, both, y)  # what the first batch told stays
    assert np.isfinite(input_jacobian(module, X[:1], y[:1])).all()
    attack = PGD(eps=0.3, max_iter=5, random_state=0)
    found = attack.evaluate(module, X, y)
    with torch.no_grad():
        plain = made(Ends, lambda z: z, 1)(torch.tensor(found.X_adv)).numpy()[:, 0]
    assert np.array_equal(found.fooled, (plain > 0) != (y == 1))
    assert robust_score(module, X, y, attack=attack) == np.mean(~found.fooled)


def test_logits_between_zero_and_one_are_no_probabilities():
    module = nn.Linear(4, 1)
    nn.init.constant_(module.weight, 0.1)
    nn.init.constant_(module.bias, 0.2)
    z = torch.tensor(X).double().sum(1, keepdim=True) * 0.1 + 0.2
    check_margins(module, torch.cat([-z, z], 1) / 2, np.ones(12, dtype=int))


# -- where the logits are among what a module returns -------------------------------------------

Named = collections.namedtuple("Named", "features logits")
RETURNS = {
    "named tuple": lambda z: Named(None, z),
    "object": lambda z: types.SimpleNamespace(loss=None, logits=z),
    "squeezed": lambda z: z[:, :, None, None].squeeze(),
    "four axes": lambda z: z[:, :, None, None],
}


@pytest.mark.parametrize("kind", RETURNS)
def test_logits_are_found_and_have_a_row_for_each_sample(kind):
    z, module = z_of(), made(Ends, RETURNS[kind])
    y = z.argmax(1).numpy()
    check_margins(module, z, y)
    alone = decision_margin(module, X[:1], y[:1])[0]
    assert alone == pytest.approx(float(Oracle.lead(z, z.argmax(1))[0]), rel=1e-5)
    net = NaturalNet.from_module(module, classes=[0, 1, 2])
    for n in (1, 12):
        assert np.array_equal(net.predict(X[:n]), y[:n])
    MinMaxNet(module, max_epochs=1, batch_size=11, random_state=0).fit(X, np.arange(12) % 3)


# -- dtypes -------------------------------------------------------------------------------------


class Casts(nn.Module):
    """A module of mixed weights that casts by itself."""

    def __init__(self, inner, outer):
        super().__init__()
        self.a, self.b = nn.Linear(4, 6).to(inner), nn.Linear(6, 3).to(inner)
        self.inner, self.outer = inner, outer
        self.scale = nn.Parameter(torch.ones(3, dtype=torch.float32))

    def forward(self, x):
        return (self.b(torch.tanh(self.a(x.to(self.inner)))).to(self.outer) * self.scale).to(
            self.outer
        )


@pytest.mark.parametrize("inner", [torch.half, torch.bfloat16, torch.double])
def test_modules_of_mixed_weights_that_cast_themselves(inner):
    module = made(Casts, inner, torch.float32)
    with torch.no_grad():
        z = module(torch.tensor(X)).double()
    y = z.argmax(1).numpy()
    with torch.no_grad():
        assert torch.equal(as_module(module)(torch.tensor(X)).double(), z)
    check_margins(module, z, y, atol=5e-2 if inner != torch.double else 1e-5)
    assert np.isfinite(hessian_norm(module, X[:2], y[:2])).all()
    assert np.isfinite(taylor_radius(module, X, y, order=2)).all()


class OwnNoise(nn.Module):
    """A GRU cell that starts from noise of a generator of its own."""

    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.GRUCell(4, 5), nn.Linear(5, 3)

    def forward(self, x):
        start = torch.randn(1, 5, generator=torch.Generator().manual_seed(3))
        return self.head(self.cell(x, start.expand(len(x), 5)))


def test_the_dtype_is_not_chosen_while_a_dry_run_forbids_random_numbers():
    module = made(OwnNoise)
    with torch.no_grad():
        z = module(torch.tensor(X)).double()
    check_margins(module, z, z.argmax(1).numpy())


class PartCompiled(nn.Module):
    """A module one part of which is compiled."""

    def __init__(self):
        super().__init__()
        part = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
        self.part, self.head = torch.compile(part, backend="eager"), nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.part(x))


def test_a_compiled_part_keeps_its_dtype():
    module, z = made(PartCompiled), z_of()
    y = z.argmax(1).numpy()
    opened = as_module(module)
    with torch.no_grad():
        for dtype in (torch.float32, torch.float64, torch.float32):
            found = opened(torch.tensor(X, dtype=dtype))
            np.testing.assert_allclose(found, z, atol=1e-5)
    check_margins(module, z, y)
    assert {p.dtype for p in opened.parameters()} == {torch.float32}


def test_layers_with_complex_numbers_are_no_constants():
    class Wave(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(4, 3, dtype=torch.cfloat))

        def forward(self, x):
            return (torch.complex(x, x) @ self.w).abs()

    module = made(Wave)
    y = module(torch.tensor(X)).argmax(1).numpy()
    report = margin_report(module, X, y)
    assert (report.input_upper > 0).all() and (report.input_lower == 0).all()
    assert "complex numbers" in " ".join(report.notes)


# -- TorchScript, exported and lazy modules ------------------------------------------------------


class Holds(nn.Module):
    """A Python module around a scripted one."""

    def __init__(self):
        super().__init__()
        self.part = torch.jit.script(nn.Sequential(nn.Linear(4, 6), nn.Tanh()))
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.part(x))


SCRIPTS = {
    "script": lambda: torch.jit.script(made(Ends, nn.Identity()).body),
    "part": lambda: made(Holds),
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_scripted_modules_are_trained_saved_and_measured(kind, tmp_path):
    module, z = SCRIPTS[kind](), z_of()
    y = z.argmax(1).numpy()
    net = NaturalNet.from_module(module, classes=[0, 1, 2])
    net.save(tmp_path / "a.net")
    loaded = load_net(tmp_path / "a.net", module=SCRIPTS[kind]())
    np.testing.assert_allclose(loaded.predict_proba(X), z.softmax(1), atol=1e-5)
    weight = next(module.parameters()).detach().double()
    largest = float(torch.linalg.matrix_norm(weight, 2))
    assert layer_spectra(module, X[:1]).max[0] == pytest.approx(largest, rel=1e-5)
    assert (margin_report(module, X, y).input_upper > 0).all()
    fitted = MinMaxNet(module, max_epochs=1, random_state=0).fit(X, np.arange(12) % 3)
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_a_program_exported_for_one_batch_size_is_refused():
    program = torch.export.export(made(Ends, nn.Identity()).body, (torch.zeros(8, 4),)).module()
    y = np.arange(12) % 3
    refused(lambda: robust_score(program, X, y, attack=PGD(eps=0.1)), "dynamic_shapes")
    net = NaturalNet.from_module(program, classes=[0, 1, 2])
    refused(lambda: net.predict(X), "dynamic_shapes")


def test_weights_without_a_size_are_refused():
    module = nn.Sequential(nn.LazyLinear(6), nn.Tanh(), nn.LazyLinear(3))
    refused(lambda: robust_score(module, X, np.arange(12) % 3), "without a size yet")
    refused(lambda: NaturalNet.from_module(module, classes=[0, 1, 2]), "call module(x)")
    assert NaturalNet(module, max_epochs=1, random_state=0).fit(X, np.arange(12) % 3).score


# -- what cannot be called, has no weights, or shares what it quantises by ------------------------


class TwoArguments(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(4, 3)

    def forward(self, x, mask):
        return self.line(x * mask)


class Columns(nn.Module):
    def forward(self, x):
        return x[:, :3]


def test_a_module_of_two_inputs_is_told_so():
    y = np.arange(12) % 3
    for call in (
        lambda: robust_score(TwoArguments(), X, y),
        lambda: NaturalNet.from_module(TwoArguments(), classes=[0, 1, 2]),
        lambda: NaturalNet(TwoArguments, max_epochs=1).fit(X, y),
    ):
        refused(call, "whose forward takes x alone")


def test_a_module_without_weights_predicts_and_is_not_trained(tmp_path):
    y, net = X[:, :3].argmax(1), NaturalNet.from_module(Columns(), classes=[0, 1, 2])
    assert np.array_equal(net.predict(X), y)
    check_margins(net, torch.tensor(X[:, :3]).double(), y)
    refused(lambda: NaturalNet(Columns(), max_epochs=1).fit(X, y), "nothing to train")
    refused(lambda: net.partial_fit(X, y), "nothing to train")


def test_dynamic_quantisation_is_that_of_each_sample():
    module = torch.ao.quantization.quantize_dynamic(made(Ends, nn.Identity()).body, {nn.Linear})
    with torch.no_grad():
        z = torch.cat([module(row) for row in torch.tensor(X).split(1)]).double()
    y = z.argmax(1).numpy()
    np.testing.assert_allclose(
        decision_margin(module, X, y), Oracle.lead(z, torch.tensor(y)), atol=1e-6
    )
    assert robust_score(module, X, y) <= 1  # by scores alone
    refused(lambda: input_jacobian(module, X, y), "no gradient reaches it")


class Ranks(nn.Module):
    """Logits that the rank of a sample in its batch scales; the first of a batch is alone first."""

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(4, 3)

    def forward(self, x):
        return self.line(x) * (1 + x.abs().amax(1).argsort().argsort()[:, None])


def test_both_ends_of_a_batch_are_compared_with_themselves_alone():
    refused(lambda: decision_margin(made(Ranks), X, np.arange(12) % 3), "batch")
