"""Averaged weights: the mean of what was met, whatever else a net does."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping

from sklearn_robust import MinMaxNet, NaturalNet
from sklearn_robust.callbacks import WeightAveraging
from tests.cases import NETS, Linear, Normalised, Pairs, blobs, quick, same_weights

X, Y = blobs()


class Diary(Callback):
    """Writes down the weights after each batch and each epoch."""

    def initialize(self):
        """Open it."""
        self.batches, self.epochs = [], []
        return self

    def on_batch_end(self, net, training=False, **kwargs):
        """Write down the weights after a step."""
        self.batches.append(net.module_.weight.detach().clone().double())

    def on_epoch_end(self, net, **kwargs):
        """Write down the weights after an epoch."""
        self.epochs.append(net.module_.weight.detach().clone().double())


def moving(weights, decay):
    average = weights[0]
    for w in weights[1:]:
        average = decay * average + (1 - decay) * w
    return average


CASES = {
    "ema": (WeightAveraging(decay=0.7), lambda d: moving(d.batches, 0.7)),
    "late ema": (WeightAveraging(decay=0.7, start=0.5), lambda d: moving(d.batches[6:], 0.7)),
    "no memory": (WeightAveraging(decay=0), lambda d: d.batches[-1]),
    "swa": (WeightAveraging("swa"), lambda d: torch.stack(d.epochs).mean(0)),
    "late swa": (WeightAveraging("swa", start=3), lambda d: d.epochs[3]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_net_ends_with_the_mean_of_the_weights_it_met(case):
    averaging, wanted = CASES[case]
    diary = Diary()
    net = quick(NaturalNet, module=Linear, max_epochs=4, callbacks=[diary, averaging]).fit(X, Y)
    assert len(diary.batches) == 12
    torch.testing.assert_close(net.module_.weight.double(), wanted(diary), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_a_mean_over_epochs_has_statistics_of_its_own(as_pairs):
    params = {"module": Normalised, "callbacks": [WeightAveraging("swa")], "batch_size": -1}
    net = quick(NaturalNet, **params).fit(*((Pairs(X, Y),) if as_pairs else (X, Y)))
    inner, norm = net.module_[0], net.module_[1]
    with torch.no_grad():
        h = inner(torch.tensor(X))
    torch.testing.assert_close(norm.running_mean, h.mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_var, h.var(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["ema", "swa"])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_any_net_can_be_averaged_copied_and_trained_on(net, method):
    callbacks = [WeightAveraging(method, decay=0.5)]
    fitted = quick(net, module=Normalised, callbacks=callbacks).fit(X, Y)
    assert np.isfinite(pickle.loads(pickle.dumps(fitted)).predict_proba(X)).all()
    assert fitted.partial_fit(X, Y).n_iter_ == 4


EMPTY = {
    "swa": WeightAveraging("swa", start=9),
    "ema": WeightAveraging(start=2),
}


@pytest.mark.parametrize("method", EMPTY)
def test_an_average_of_nothing_is_the_net_itself_and_a_warning(method):
    plain = quick(NaturalNet, module=Linear).fit(X, Y)
    net = quick(NaturalNet, module=Linear, callbacks=[EMPTY[method]])
    with pytest.warns(UserWarning, match="averaged nothing: training ended after epoch 2 .*start"):
        net.fit(X, Y)
    assert same_weights(net, plain)


@pytest.mark.parametrize(("decay", "told"), [(0.999, "100%"), (0.9, "59%"), (0.8, None)])
def test_an_average_that_is_mostly_where_it_began_is_told(decay, told):
    """Six batches: the first keeps the share decay ** 5."""
    net = quick(NaturalNet, module=Linear, callbacks=[WeightAveraging(decay=decay)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net.fit(X, Y)
    said = [str(warning.message) for warning in caught]
    assert said == [] if told is None else f"met 6 batches, and {told} of their average" in said[0]


def test_averaging_does_not_disturb_training():
    diary = Diary()
    plain = quick(MinMaxNet, module=Linear).fit(X, Y)
    quick(MinMaxNet, module=Linear, callbacks=[WeightAveraging(decay=0.5), diary]).fit(X, Y)
    assert torch.equal(diary.epochs[-1], plain.module_.weight.double())


def test_a_fit_that_fails_leaves_a_net_that_can_be_pickled():
    class Broken(Linear):
        def forward(self, x):
            if self.training:
                raise ArithmeticError
            return super().forward(x)

    net = quick(NaturalNet, callbacks=[WeightAveraging()])
    with pytest.raises(ArithmeticError):
        net.set_params(module=Broken).fit(X, Y)
    pickle.dumps(net.callbacks[0])


BAD = [
    (WeightAveraging("mean"), "method is 'mean'; choose one of"),
    (WeightAveraging(decay=1.0), "decay is 1, which keeps the first weights"),
    (WeightAveraging(decay=-1), "decay is -1"),
    (WeightAveraging(start=1.5), "start is 1.5"),
    (WeightAveraging(start=-1), "start is -1"),
]


@pytest.mark.parametrize(("averaging", "match"), BAD, ids=lambda value: str(value)[:40])
def test_parameters_that_make_no_sense_are_refused(averaging, match):
    with pytest.raises(ValueError, match=match):
        quick(NaturalNet, callbacks=[averaging]).fit(X, Y)


def test_one_seed_still_gives_the_same_bits():
    averaging = WeightAveraging(decay=0.5)
    nets = [quick(NaturalNet, module=Normalised, callbacks=[averaging]) for _ in range(2)]
    assert same_weights(*(net.fit(X, Y) for net in nets))


def test_a_callback_that_will_load_its_own_weights_is_told():
    rival = ("early", EarlyStopping(monitor="train_loss", load_best=True))
    net = quick(NaturalNet, callbacks=[("average", WeightAveraging("swa")), rival])
    with pytest.warns(UserWarning, match="early has load_best=True and will put .* RobustEarly"):
        net.fit(X, Y)


def test_a_last_batch_of_one_serves_the_statistics_too():
    net = quick(NaturalNet, module=Normalised, callbacks=[WeightAveraging("swa")])
    net.fit(Pairs(X[:33], Y[:33]))
    assert torch.isfinite(net.module_[1].running_var).all()


class Keeping(Linear):
    """Keeps its output, with the graph."""

    def forward(self, x):
        self.kept = super().forward(x)
        return self.kept


def test_a_module_that_keeps_an_activation_can_be_averaged():
    net = quick(NaturalNet, module=Keeping, callbacks=[WeightAveraging(decay=0.5)])
    assert net.fit(X, Y).partial_fit(X, Y).n_iter_ == 4
