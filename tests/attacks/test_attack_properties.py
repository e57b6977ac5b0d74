"""What holds for every attack, norm and shape of sample."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from torch import nn

from sklearn_robust import attacks
from tests.attacks.models import (
    BALL,
    NEAREST,
    NORMS,
    ORDER,
    SHAPES,
    brief,
    coded,
    curved,
    lengths,
    linear,
    pairs,
    predicted,
    samples,
)
from tests.cases import ATTACKS, Normalised, generators_untouched, same_state, state_of

EPS = {"linf": 0.1, "l2": 0.4, "l1": 0.8}
RANDOM = ["PGD", "APGD", "Square", "HopSkipJump", "WorstCase", "AutoAttack"]
TARGETED = [name for name in (*BALL, *NEAREST) if name not in ("WorstCase", "AutoAttack")]


def attack_of(name, norm, **params):
    """An attack inside the ball; one for the nearest point has that ball for its limit."""
    return brief(name, norm=norm, **{"eps": EPS[norm], **params})


def test_the_tables_hold_every_attack():
    searches = {"TreeAttack"}  # of trees alone: tests/attacks/test_trees.py
    assert {attack.__name__ for attack in ATTACKS} == {*BALL, *NEAREST, *searches}


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
@pytest.mark.parametrize(("name", "norm"), pairs())
class TestGeometry:
    def test_points_stay_in_ball_and_box_after_rounding(self, name, norm, shape):
        """The points are float32; ball and box are checked in float64."""
        model, X = curved(shape=shape), samples(shape=shape).float().numpy()
        X[:4] = X[:4].round()
        y = predicted(model, torch.as_tensor(X).double()).numpy()
        attack = attack_of(name, norm, bounds=(0, 1))
        for X_adv in (attack.generate(model, X, y), attack.evaluate(model, X, y).X_adv):
            assert X_adv.dtype == np.float32 and X_adv.shape == X.shape
            gap = (X_adv.astype(float) - X.astype(float)).reshape(len(X), -1)
            assert np.linalg.norm(gap, ORDER[norm], axis=1).max() <= EPS[norm] * (1 + 1e-14)
            assert X_adv.min() >= 0 and X_adv.max() <= 1

    def test_without_a_box_points_may_leave_the_unit_cube(self, name, norm, shape):
        if name in NEAREST:
            pytest.skip("they go no farther than they must")
        model, x = linear(shape=shape), samples(shape=shape).round()
        y = predicted(model, x)
        x_adv = attack_of(name, norm, bounds=None).perturb(model, x, y)
        assert x_adv.min() < 0 or x_adv.max() > 1

    def test_a_sample_does_not_depend_on_its_batch(self, name, norm, shape):
        model, x = curved(4, shape), samples(shape=shape)
        y = predicted(model, x)
        attack = attack_of(name, norm, bounds=(0, 1))
        together = attack.perturb(model, x, y)
        alone = torch.cat(
            [attack.perturb(model, x[i : i + 1], y[i : i + 1]) for i in range(len(x))]
        )
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)
        verdict = attack.robust_mask(model, x, y)
        order = torch.randperm(len(x))
        assert torch.equal(attack.robust_mask(model, x[order], y[order]), verdict[order])

    def test_a_shift_of_all_logits_changes_nothing(self, name, norm, shape):
        model, x = curved(4, shape), samples(shape=shape)
        y = predicted(model, x)
        attack = attack_of(name, norm)
        ours = attack.perturb(model, x, y)
        torch.testing.assert_close(
            attack.perturb(lambda v: model(v) - 1000, x, y), ours, rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("n_classes", [2, 3, 4, 5])
@pytest.mark.parametrize(("name", "norm"), pairs())
def test_from_two_classes_up_attacks_fool_more_than_noise(name, norm, n_classes):
    model, x = linear(n_classes), samples(60)
    y = predicted(model, x)
    eps = {"linf": 0.3, "l2": 0.8, "l1": 1.6}[norm]
    fooled = ~attack_of(name, norm, eps=eps).robust_mask(model, x, y)
    noise = samples(60, seed=9, low=-1, high=1)
    noise = noise * (eps / lengths(noise, torch.zeros_like(noise), norm))[:, None]
    by_noise = predicted(model, (x + noise).clamp(0, 1)) != y
    assert fooled.sum() > by_noise.sum() and fooled.any()


@pytest.mark.parametrize(("name", "norm"), pairs())
def test_eps_zero_is_the_identity(name, norm):
    model, x = linear(), samples()
    y = predicted(model, x)
    attack = attack_of(name, norm, eps=0.0)
    assert torch.equal(attack.perturb(model, x, y), x)
    assert attack.robust_mask(model, x, y).all()
    wrong = (y + 1) % 3
    assert not attack.robust_mask(model, x, wrong).any()


@pytest.mark.parametrize(("name", "norm"), pairs())
def test_a_sample_leaves_once_it_is_fooled(name, norm):
    """In a verdict; without one, and for the nearest point, all steps are taken."""
    model, x = linear(3), samples(60)
    y = predicted(model, x)
    eps = {"linf": 0.15, "l2": 0.4, "l1": 0.8}[norm]
    result = attack_of(name, norm, eps=eps).evaluate(model, x.float().numpy(), y.numpy())
    queries, fooled = result.n_queries, result.fooled
    assert 0 < fooled.sum() < len(x)
    assert queries.min() >= 1 and queries[fooled].max() <= queries[~fooled].max()
    if name != "FGSM":  # looks once
        assert queries[fooled].mean() < queries[~fooled].mean()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("name", "norm"), pairs())
@settings(max_examples=4)
@given(seed=st.integers(0, 10**6), shape=st.sampled_from(SHAPES), uneven=st.booleans())
def test_tensors_keep_their_dtype_ball_and_box(name, norm, dtype, seed, shape, uneven):
    model = curved(3, shape, seed).to(dtype)
    x = samples(5, shape, seed).to(dtype)
    y = predicted(model, x)
    eps = np.random.default_rng(seed).uniform(0.5, 1.5, shape) if uneven else np.array(1.0)
    eps = eps * EPS[norm]
    attack = attack_of(name, norm, eps=eps if uneven else float(eps), bounds=(0, 1))
    x_adv = attack.perturb(model, x, y)
    assert x_adv.dtype == dtype and x_adv.shape == x.shape and not x_adv.requires_grad
    gap = ((x_adv.double() - x.double()).numpy() / eps).reshape(5, -1)
    assert np.linalg.norm(gap, ORDER[norm], axis=1).max() <= 1 + 1e-12
    assert x_adv.min() >= 0 and x_adv.max() <= 1
    assert torch.equal(attack.perturb(model, x, y), x_adv)


@pytest.mark.parametrize("name", [*BALL, *NEAREST])
def test_progress_is_shown_by_name_if_asked_for(name, capsys):
    model, X, y = linear(), samples().float().numpy(), np.arange(12) % 3
    brief(name, eps=0.1, norm="linf").generate(model, X, y)
    assert capsys.readouterr() == ("", "")
    brief(name, eps=0.1, norm="linf", verbose=1, batch_size=5).generate(model, X, y)
    shown = capsys.readouterr()
    assert name in shown.err and "12/12" in shown.err and shown.out == ""


@pytest.mark.parametrize(("name", "norm"), pairs(TARGETED))
def test_targeted_success_is_the_target(name, norm):
    model, x = linear(3), samples(40)
    target = (predicted(model, x) + 1) % 3
    eps = {"linf": 0.4, "l2": 1.0, "l1": 2.0}[norm]
    attack = attack_of(name, norm, eps=eps, targeted=True)
    result = attack.evaluate(model, x.float().numpy(), target.numpy())
    reached = coded(model, result.X_adv) == target.numpy()
    assert np.array_equal(result.fooled, reached) and result.fooled.any()


@pytest.mark.parametrize("name", TARGETED)
def test_a_target_must_be_given(name):
    model, X = linear(), samples().float().numpy()
    with pytest.raises(ValueError, match="A targeted attack needs y"):
        brief(name, targeted=True, eps=0.1, norm="linf").generate(model, X)


@pytest.mark.parametrize("name", [*BALL, *NEAREST])
class TestSideEffects:
    def attack(self, name):
        return brief(name, eps=0.1, norm="linf")

    def test_a_module_is_given_back_as_it_was(self, name):
        """Gradients, statistics, each part's mode, each parameter's flag."""
        model, x = Normalised(), torch.rand(12, 4)
        model(x).sum().backward()
        model[1].eval()
        before = state_of(model)
        self.attack(name).perturb(model, x, torch.zeros(12).long())
        same_state(model, before)

    def test_also_after_an_exception(self, name):
        class Breaks(Normalised):
            def forward(self, x):
                raise RuntimeError("out of order")

        model, x = Breaks(), torch.rand(12, 4)
        before = state_of(model)
        with pytest.raises(RuntimeError, match="out of order"):
            self.attack(name).perturb(model, x, torch.zeros(12).long())
        same_state(model, before)

    def test_the_arrays_of_the_user_stay_as_they_are(self, name):
        X, y = samples().float().numpy(), np.arange(12) % 3
        kept = X.copy()
        X.flags.writeable = False
        self.attack(name).evaluate(linear(), X, y)
        assert np.array_equal(X, kept)

    def test_nothing_global_is_seeded(self, name):
        model, X, y = linear(), samples().float().numpy(), np.arange(12) % 3
        with generators_untouched():
            self.attack(name).generate(model, X, y)

    def test_the_seed_decides(self, name):
        model, x = curved(), samples()
        y = predicted(model, x)
        first, second, other = (
            brief(name, eps=0.3, norm="l2", random_state=seed).perturb(model, x, y)
            for seed in (3, 3, 4)
        )
        assert torch.equal(first, second)
        assert torch.equal(first, other) == (name not in RANDOM)

    def test_copies_do_the_same(self, name):
        attack = self.attack(name)
        X, y = samples().float().numpy(), np.arange(12) % 3
        X_adv = attack.generate(linear(), X, y)
        for copy in (clone(attack), pickle.loads(pickle.dumps(attack))):
            assert np.array_equal(copy.generate(linear(), X, y), X_adv)


@pytest.mark.parametrize(("name", "norm"), pairs())
@settings(max_examples=8)
@given(data=st.data())
def test_only_masked_features_move_and_integers_stay_integers(name, norm, data):
    shape = data.draw(st.sampled_from([(6,), (1, 3, 4)]))
    seed = data.draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    n_features = int(np.prod(shape))
    mask = rng.uniform(size=shape) < 0.7
    integer = rng.uniform(size=shape) < 0.5
    X = np.where(integer, rng.integers(0, 6, (5, *shape)), rng.uniform(0, 5, (5, *shape)))
    X = X.astype(np.float32)
    model = linear(3, shape, seed)
    y = predicted(model, torch.as_tensor(X).double()).numpy()
    eps = data.draw(st.sampled_from([1.0, 2.5]))
    if data.draw(st.booleans()):
        eps = eps * rng.uniform(0.5, 1.5, shape)
    attack = attack_of(name, norm, eps=eps, mask=mask, integer=integer, bounds=(0, 5))
    result = attack.evaluate(model, X, y)
    for X_adv in (attack.generate(model, X, y), result.X_adv):
        assert np.array_equal(X_adv[:, ~mask], X[:, ~mask])
        assert np.array_equal(X_adv[:, integer], X_adv[:, integer].round())
        gap = (X_adv.astype(float) - X) / np.where(mask, eps, 1.0)
        size = np.linalg.norm(gap.reshape(5, n_features), ORDER[norm], axis=1)
        assert size.max() <= 1 + 1e-8
        assert X_adv.min() >= 0 and X_adv.max() <= 5
    assert (coded(model, result.X_adv) != y)[result.fooled].all()


@pytest.mark.parametrize("name", [*BALL, *NEAREST])
def test_a_mask_is_an_eps_of_zero(name):
    """Masking by hand, with one radius for each feature, gives the same points."""
    model, x = curved(), samples()
    y = predicted(model, x)
    mask = np.array([True, True, False, True, False, True])
    masked = brief(name, norm="linf", eps=0.2, mask=mask, random_state=0)
    by_hand = brief(name, norm="linf", eps=0.2 * mask, random_state=0)
    assert torch.equal(masked.perturb(model, x, y), by_hand.perturb(model, x, y))


def test_integer_features_may_be_given_by_index():
    X = np.array([[3.0, 0.2], [5.0, 0.7]], dtype=np.float32)
    model = linear(2, (2,), scale=0.1)
    params = {"eps": 2.7, "bounds": None}
    flags, indices = (
        attacks.PGD(integer=i, random_state=0, **params).generate(model, X)
        for i in ([True, False], [0])
    )
    assert np.array_equal(flags, indices) and (flags[:, 0] % 1 == 0).all()
    assert (abs(flags[:, 0] - X[:, 0]) == 2).all()


def test_a_success_between_two_integers_is_none():
    """The boundary lies at 0.5: only a whole step crosses it."""
    model = linear(2, (1,))
    model[1].weight.data = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    model[1].bias.data = torch.tensor([0.0, -0.5], dtype=torch.float64)
    X, y = np.zeros((1, 1), dtype=np.float32), np.zeros(1, dtype=int)
    steps = {"CarliniWagner": {"max_iter": 100}}
    for name, _ in (pair for pair in pairs() if pair[1] == "linf"):
        for eps, fooled in ((0.9, False), (1.0, True)):
            params = {"eps": eps, "norm": "linf", "integer": [True], "bounds": None}
            attack = brief(name, **params, **steps.get(name, {}))
            result = attack.evaluate(model, X, y)
            assert result.fooled[0] == fooled, (name, eps)
            assert result.X_adv[0, 0] in (-1.0, 0.0, 1.0)


# These two may go to where the logits are NaN from any sample.
NEAR_BY = [name for name in (*BALL, *NEAREST) if name not in ("SigmaZero", "HopSkipJump")]


class Undefined(nn.Module):
    """Logits that are NaN where the first feature exceeds one half."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        z = self.inner(x)
        return torch.where(x[:, :1] > 0.5, torch.nan, z)


@pytest.mark.parametrize("name", NEAR_BY)
def test_nan_logits_are_an_error_that_names_the_sample(name):
    model, X = Undefined(linear()), samples(40).float().numpy() / 2 - 0.2
    X[23, 0] = 0.9
    y = np.nan_to_num(model(torch.as_tensor(X).double()).detach().numpy()).argmax(1)
    attack = brief(name, eps=0.05, norm="linf", batch_size=10)
    with pytest.raises(ValueError, match="NaN for sample 23 .*on_nan='robust'"):
        attack.evaluate(model, X, y)
    with pytest.raises(ValueError, match="NaN for sample 23"):
        attack.generate(model, X, y)


@pytest.mark.parametrize("name", NEAR_BY)
def test_nan_logits_count_as_robust_where_the_user_says_so(name):
    """And the other samples come out as they do without them."""
    sound, X = linear(), samples(40).float().numpy() / 2 - 0.2
    y = predicted(sound, torch.as_tensor(X).double()).numpy()
    broken = X.copy()
    broken[::4, 0] = 0.9
    attack = brief(name, eps=0.05, norm="linf", on_nan="robust")
    result = attack.evaluate(Undefined(sound), broken, y)
    assert not result.fooled[::4].any()
    assert np.isfinite(result.X_adv).all()
    keep = np.arange(40) % 4 > 0
    alone = attack.evaluate(Undefined(sound), X[keep], y[keep])
    assert np.array_equal(result.fooled[keep], alone.fooled)


@pytest.mark.parametrize("name", [*BALL, *NEAREST])
@pytest.mark.parametrize(
    ("cast", "labels"),
    [
        (lambda X: X.astype(np.float64), np.array(["a", "b", "c"])),
        (lambda X: X.round().astype(np.int64), np.array([5, 7, 9])),
        (lambda X: X.round().astype(np.uint8), np.array([-1.0, 0.0, 1.0])),
        (lambda X: X.astype(np.float16), np.array([False, True])),
    ],
    ids=["float64", "int64", "uint8", "float16"],
)
def test_any_numbers_and_any_labels(name, cast, labels):
    X = cast(samples(30).numpy())
    y = labels[np.arange(30) % len(labels)]
    model = LogisticRegression().fit(X, y)
    attack = brief(name, eps=0.2, norm="linf")
    X_adv = attack.generate(model, X, y)
    assert X_adv.dtype == np.float32
    assert attack.evaluate(model, X, y).fooled.dtype == bool


@pytest.mark.parametrize("name", [*BALL, *NEAREST])
def test_modules_that_return_tuples_are_attacked_by_their_logits(name):
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = linear()

        def forward(self, x):
            return self.inner(x), x

    X = samples().float().numpy()
    y = predicted(linear(), samples().float().double()).numpy()
    attack = brief(name, eps=0.1, norm="linf")
    assert np.array_equal(attack.generate(Pair(), X, y), attack.generate(linear(), X, y))


@pytest.mark.parametrize("name", [*BALL, *NEAREST])
def test_tensors_too_are_attacked_by_the_first_of_several_outputs(name):
    model, x = linear(), samples()
    y, attack = predicted(model, x), brief(name, eps=0.1, norm="linf")
    several = attack.perturb(lambda v: (model(v), v), x, y)
    assert torch.equal(several, attack.perturb(model, x, y))


@pytest.mark.parametrize("name", [*BALL, *NEAREST])
def test_inference_mode_changes_nothing(name):
    model, attack = linear(), brief(name, eps=0.1, norm="linf")
    x = samples()
    X, y = x.numpy(), predicted(model, x)
    expected = attack.generate(model, X, y.numpy()), attack.robust_mask(model, x, y)
    with torch.inference_mode():
        x_inside = x + 0  # such a tensor takes part in no gradient
        assert x_inside.is_inference()
        assert np.array_equal(attack.generate(model, X, y.numpy()), expected[0])
        assert torch.equal(attack.robust_mask(model, x_inside, y + 0), expected[1])
        assert attack.evaluate(model, X, y.numpy()).fooled.tolist() == (~expected[1]).tolist()


NO_LOGITS = {
    "one output": (lambda z: z[:, :1], r"shape \(12, 1\).*torch.cat"),
    "no axis of classes": (lambda z: z[:, 0], r"shape \(12,\)"),
    "three axes": (lambda z: z[:, None].expand(-1, 2, -1), r"shape \(12, 2, 3\)"),
    "a set": (lambda z: {0, 1}, "set.*logits of shape"),
}
WRAPPED = {"one more axis": lambda z: z[:, :, None], "by name": lambda z: {"logits": z}}


@pytest.mark.parametrize("kind", NO_LOGITS)
@pytest.mark.parametrize("name", [*BALL, *NEAREST])
def test_what_are_no_logits_gets_a_sentence(name, kind):
    spoil, match = NO_LOGITS[kind]
    model, x = linear(), samples()
    attack = brief(name, eps=0.1, norm="linf")
    with pytest.raises(ValueError, match=f"logits returns .*{match}"):
        attack.perturb(lambda v: spoil(model(v)), x, predicted(model, x))


@pytest.mark.parametrize("kind", WRAPPED)
@pytest.mark.parametrize("name", [*BALL, *NEAREST])
def test_logits_are_found_in_what_holds_them(name, kind):
    model, x = linear(), samples()
    attack, y = brief(name, eps=0.1, norm="linf", random_state=0), predicted(model, x)
    wrapped = attack.perturb(lambda v: WRAPPED[kind](model(v)), x, y)
    assert torch.equal(wrapped, attack.perturb(model, x, y))


@pytest.mark.parametrize("name", [*BALL, *NEAREST])
def test_a_step_of_a_pipeline_attacks_the_fitted_estimator(name):
    X, y = samples(30).numpy(), np.arange(30) % 3
    model = LogisticRegression().fit(X, y)
    attack = brief(name, eps=0.2, norm="linf", estimator=FrozenEstimator(model)).fit(X, y)
    assert np.array_equal(attack.transform(X), attack.generate(model, X))


BAD = [
    ({"eps": -0.1}, "eps is -0.1"),
    ({"eps": np.ones(5)}, "eps has shape"),
    ({"norm": "l3"}, "norm is 'l3'"),
    ({"mask": np.ones(5, bool)}, "mask has shape"),
    ({"mask": np.array([1, 1, 0, 1, 0, 1])}, "mask has shape .* dtype int"),
    ({"integer": [7]}, "integer has shape"),
    ({"integer": [0]}, "Sample 0 holds .* in feature .0., which was declared integer"),
    ({"bounds": (0.4, 0.6)}, "leaves bounds"),
    ({"on_nan": "ignore"}, "on_nan is 'ignore'"),
    ({"batch_size": 0}, "batch_size is 0"),
]


@pytest.mark.parametrize(("params", "match"), BAD, ids=lambda v: str(v)[:30])
@pytest.mark.parametrize("name", [*BALL, *NEAREST])
def test_bad_input_gets_a_sentence(name, params, match):
    X, y = samples().float().numpy(), np.arange(12) % 3
    with pytest.raises(ValueError, match=match):
        brief(name, **{"eps": 0.1, "norm": "linf", **params}).generate(linear(), X, y)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        (name, {param: 0})
        for name in (*BALL, *NEAREST)
        for param in (
            "max_iter",
            "n_restarts",
            "n_searches",
            "n_eot",
            "n_target_classes",
            "n_candidates",
        )
        if param in getattr(attacks, name)().get_params()
    ],
    ids=str,
)
def test_counts_start_at_one(name, params):
    attack = brief(name, eps=0.1, norm="linf", **params)
    with pytest.raises(ValueError, match=f"{next(iter(params))} is 0"):
        attack.generate(linear(), samples().float().numpy())


@pytest.mark.parametrize("norm", NORMS)
def test_accuracy_never_rises_with_eps(norm):
    model, x = curved(4, width=24), samples(80)
    y = predicted(model, x)
    shares = [
        attacks.APGD(eps=eps, norm=norm, loss="margin", random_state=0)
        .robust_mask(model, x, y)
        .double()
        .mean()
        for eps in np.linspace(0, 2 * EPS[norm], 6)
    ]
    assert all(later <= earlier + 1e-9 for earlier, later in zip(shares, shares[1:], strict=False))
    assert shares[0] == 1 > shares[-1]
