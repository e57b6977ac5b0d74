"""Threads that share a net find the numbers of one thread, and move nothing else."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EpochScoring
from torch import nn

from sklearn_robust import MinMaxNet, NaturalNet, make_robust_scorer, robust_score
from sklearn_robust.attacks import PGD, Square, WorstCase
from sklearn_robust.metrics import jacobian_norm, robustness_indicator
from sklearn_robust.plotting import DecisionSurfaceDisplay
from tests.cases import blobs, generators_untouched, quick, same_state, same_weights, state_of

ROUNDS = 20
IMAGES, LABELS = blobs(12, shape=(1, 6, 6), labels=("a", "b", "c"))
ROWS, TWO = blobs(48, labels=("no", "yes"))


class Layered(nn.Sequential):
    """Layers that behave otherwise in training, and that a fused copy changes."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Conv2d(4, 4, 3),
            nn.BatchNorm2d(4),
            nn.Flatten(),
            nn.Linear(64, 3),
        )


class Noisy(nn.Module):
    """A random defence: every forward pass draws from torch's generator."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(x + 0.05 * torch.randn_like(x))


@pytest.fixture(autouse=True)
def eager_switches():
    """Let threads take turns so often that they meet in the middle of everything."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture(scope="module")
def net():
    fitted = quick(NaturalNet, module=Layered, max_epochs=4).fit(IMAGES, LABELS)
    fitted.module_.train()  # what a user's own code may leave behind
    return fitted


def predict(net):
    return net.decision_function(IMAGES)


def score(net):
    return robust_score(net, IMAGES, LABELS, attack=PGD(eps=0.1, max_iter=4, random_state=0))


def attack(net):
    x, y = torch.tensor(IMAGES), torch.arange(len(IMAGES)) % 3
    found = PGD(eps=0.1, max_iter=4, random_state=0)
    return found.generate(net, IMAGES, LABELS), found.perturb(net.module_, x, y).numpy()


def draw(net):
    axes, options = Figure().subplots(), {"grid_resolution": 5, "radius": 0.5, "random_state": 0}
    DecisionSurfaceDisplay.from_estimator(net, IMAGES, LABELS, ax=axes, **options)
    return np.concatenate([c.get_paths()[0].vertices for c in axes.collections if c.get_paths()])


WORK = [predict, score, attack, draw]
SHIFT = [predict, predict, predict, score, score, attack, attack, draw]


def same(found, wanted):
    """Whether two results are equal bit for bit."""
    if isinstance(wanted, tuple):
        return all(map(same, found, wanted))
    return np.array_equal(found, wanted)


def run_threads(*functions):
    """Start all functions at once, each in a thread of its own; return what they return."""
    barrier = threading.Barrier(len(functions))

    def started(function):
        barrier.wait()
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [f.result() for f in [pool.submit(started, function) for function in functions]]


def flags_of(*modules):
    parts = [part for module in modules for part in module.modules()]
    weights = [p for module in modules for p in module.parameters()]
    return [part.training for part in parts], [p.requires_grad for p in weights]


def test_eight_threads_that_use_one_net_and_a_ninth_of_bare_torch(net):
    wanted = [work(net) for work in WORK]
    before, call = state_of(net.module_), nn.Module.__call__
    bare, x = Layered().double().train(), torch.rand(4, 1, 6, 6, dtype=torch.float64)
    bare[3].p = 0.0  # no random numbers, but statistics of the batch
    output = bare(x).detach()
    flags = flags_of(net.module_, bare)
    generator, done = torch.get_rng_state(), threading.Event()
    n_bare = 0

    def bare_torch():
        nonlocal n_bare
        while not done.is_set():
            assert torch.equal(bare(x), output)
            assert nn.Module.__call__ is call
            assert flags_of(net.module_, bare) == flags
            assert torch.equal(torch.get_rng_state(), generator)
            n_bare += 1
            time.sleep(1e-3)

    with generators_untouched(), ThreadPoolExecutor(1) as ninth:
        watched = ninth.submit(bare_torch)
        try:
            for _ in range(ROUNDS):
                found = run_threads(*(lambda work=work: work(net) for work in SHIFT))
                for work, result in zip(SHIFT, found, strict=True):
                    assert same(result, wanted[WORK.index(work)]), work.__name__
        finally:
            done.set()
        watched.result()
    assert n_bare > ROUNDS
    same_state(net.module_, before)


def test_a_net_in_training_mode_is_predicted_from_four_threads(net):
    module = net._frozen().module_.double()
    with torch.no_grad():
        wanted = module(torch.tensor(IMAGES, dtype=torch.float64)).numpy()
    before = state_of(net.module_)
    for _ in range(ROUNDS):
        for found in run_threads(*[lambda: predict(net)] * 4):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
    same_state(net.module_, before)
    assert net.module_.training


def test_a_random_defence_draws_the_same_numbers_in_every_thread():
    model = NaturalNet.from_module(Noisy(), classes=[0, 1])
    codes = (TWO == "yes").astype(int)

    def stability():
        found = PGD(eps=0.02, max_iter=3, random_state=0)
        return found.generate(model, ROWS, codes), found.generate(model.module_, ROWS, codes)

    with generators_untouched():
        wanted = stability()
        for found in run_threads(*[stability] * 6):
            assert same(found, wanted)


def test_attacks_on_a_model_that_draws_nothing_do_not_wait_for_the_generators(net):
    from sklearn_robust._random import torch_seed

    with torch_seed(3), ThreadPoolExecutor(1) as pool:  # as a fit in this thread would hold them
        assert pool.submit(score, net).result(timeout=60) == score(net)


def test_a_trained_net_perturbs_batches_in_several_threads():
    net = quick(MinMaxNet, module=Layered, attack=PGD(max_iter=3, random_state=0))
    net.fit(IMAGES, LABELS).module_.train()
    x, y = torch.tensor(IMAGES), torch.arange(len(IMAGES)) % 3
    wanted, before = net.perturb(x, y), state_of(net.module_)
    for found in run_threads(*[lambda: net.perturb(x, y)] * 6):
        assert torch.equal(found, wanted)
    same_state(net.module_, before)


def test_indicators_are_those_of_one_thread(net):
    def indicators():
        numbers = robustness_indicator(net, IMAGES, LABELS, n_samples=6, random_state=0)
        return jacobian_norm(net, IMAGES, LABELS), numbers.curvature

    wanted = indicators()
    for found in run_threads(*[indicators] * 4):
        assert same(found, wanted)


def test_a_fused_copy_that_threads_share_is_fused_once(net):
    from sklearn_robust.differentiable import open_model

    x = torch.tensor(IMAGES)
    wanted = open_model(net).fused(x)
    for _ in range(ROUNDS):
        model = open_model(net)
        for found in run_threads(*[lambda model=model: model.fused(x)] * 4):
            assert torch.equal(found, wanted)


ATTACKS = [
    PGD(eps=0.1, max_iter=4, random_state=0),
    WorstCase([PGD(max_iter=3), PGD(max_iter=3, loss="margin")], eps=0.1, random_state=0),
    Square(eps=0.2, max_iter=20, random_state=0),
]


@pytest.mark.parametrize("search", ATTACKS, ids=lambda search: type(search).__name__)
def test_scores_of_threads_are_those_of_one_process(net, search):
    wanted = robust_score(net, IMAGES, LABELS, attack=search)
    with joblib.parallel_config(backend="threading"):
        assert robust_score(net, IMAGES, LABELS, attack=search, n_jobs=4) == wanted


def search_of(**params):
    return GridSearchCV(
        quick(MinMaxNet, module=Layered, lr=0.01),
        {"attack__eps": [0.02, 0.1]},
        scoring={"acc": "accuracy", "rob": make_robust_scorer(ATTACKS[0])},
        refit="rob",
        cv=2,
        error_score="raise",
        **params,
    ).fit(IMAGES, LABELS)


@pytest.fixture(scope="module")
def searched():
    return search_of()


def equal_searches(found, wanted):
    for key in ("mean_test_acc", "mean_test_rob"):
        assert np.array_equal(found.cv_results_[key], wanted.cv_results_[key])
    assert same_weights(found.best_estimator_, wanted.best_estimator_)


def test_a_search_on_threads_is_that_of_one_process(searched):
    with joblib.parallel_config(backend="threading"):
        equal_searches(search_of(n_jobs=2), searched)


def test_a_search_on_threads_of_dask_is_that_of_one_process(searched, net):
    distributed = pytest.importorskip("distributed")
    threads = {"n_workers": 1, "threads_per_worker": 4, "processes": False}
    wanted = score(net)
    with (
        distributed.LocalCluster(**threads, dashboard_address=None) as local,
        distributed.Client(local),
        joblib.parallel_config(backend="dask", n_jobs=4),
    ):
        equal_searches(search_of(n_jobs=4), searched)
        found = robust_score(net, IMAGES, LABELS, attack=ATTACKS[0], n_jobs=4)
    assert found == wanted


class Signal(Callback):
    """Tell other threads that training has begun, and wait for the first of their scores."""

    def __init__(self, begun, scored):
        self.begun, self.scored = begun, scored

    def on_epoch_end(self, net, **kwargs):
        self.begun.set()
        self.scored.wait(timeout=60)


def fitted(callbacks):
    net = quick(
        MinMaxNet,
        module=Layered,
        max_epochs=4,
        lr=0.01,
        callbacks=callbacks,
        attack=PGD(eps=0.05, max_iter=2),
    )
    own = EpochScoring("accuracy", name="own", on_train=True)
    return net.set_params(callbacks=[("own", own), *callbacks])


def test_a_fit_is_not_disturbed_by_threads_that_score_the_same_net():
    alone = fitted([]).fit(IMAGES, LABELS)
    begun, scored, done = (threading.Event() for _ in range(3))
    net = fitted([("signal", Signal(begun, scored))])

    def keep_scoring():
        n_scores = 0
        assert begun.wait(timeout=60)
        while not done.is_set():
            assert 0 <= score(net) <= 1
            assert net.predict_proba(IMAGES).shape == (len(IMAGES), 3)
            scored.set()
            n_scores += 1
        return n_scores

    with ThreadPoolExecutor(2) as pool:
        scorers = [pool.submit(keep_scoring) for _ in range(2)]
        try:
            net.fit(IMAGES, LABELS)
        finally:
            done.set()
        assert all(scorer.result() > 0 for scorer in scorers)
    assert same_weights(net, alone)
    assert [row["own"] for row in net.history] == [row["own"] for row in alone.history]
