"""What a net may be fitted on and asked about, and the sentence for everything else."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV
from skorch.helper import SliceDataset
from torch import nn
from torch.utils.data import Subset

from sklearn_robust import NaturalNet
from sklearn_robust.modules import MLP, CIFARConvNet, MNISTConvNet
from tests.cases import NETS, Linear, Pairs, blobs, quick, same_weights

# -- shapes and labels ---------------------------------------------------------------------------

SHAPES = [
    ((4,), MLP),
    ((8, 8), MNISTConvNet),
    ((1, 8, 8), MNISTConvNet),
    ((3, 8, 8), CIFARConvNet),
    ((2, 2, 3, 2), MLP),
]


@pytest.mark.filterwarnings("ignore:burn_in=0.2 takes all of training")
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
@pytest.mark.parametrize(("shape", "module"), SHAPES, ids=str)
def test_a_net_takes_its_module_from_the_shape_of_the_data(net, shape, module):
    X, y = blobs(20, shape, labels=(0, 1, 2))
    fitted = quick(net, max_epochs=1).fit(X, y)
    assert type(fitted.module_) is module
    assert fitted.input_shape_ == shape and fitted.n_features_in_ == shape[0]
    assert fitted.decision_function(X).shape == (20, 3)
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (20, 3) and (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert set(fitted.predict(X)) <= {0, 1, 2}
    assert fitted.n_iter_ == 1


LABELS = [(0, 1), (0, 5, 7), (-1, 1), (False, True), ("no", "yes"), (1.0, 2.0), ("b", "a", "c")]


@pytest.mark.parametrize("labels", LABELS, ids=str)
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_labels_come_back_as_they_went_in(net, labels):
    X, y = blobs(30, labels=labels)
    fitted = quick(net, module=Linear, max_epochs=12, lr=0.2).fit(X, y)
    assert fitted.classes_.tolist() == sorted(labels)
    assert fitted.classes_.dtype == y.dtype
    assert fitted.predict(X).dtype == y.dtype
    assert fitted.score(X, y) > 0.8
    order = fitted.predict_proba(X).argmax(axis=1)
    assert (fitted.classes_[order] == fitted.predict(X)).all()


def test_two_classes_have_one_decision_function_positive_for_the_second():
    X, y = blobs(labels=("no", "yes"))
    net = quick(NaturalNet).fit(X, y)
    z = net.decision_function(X)
    assert z.shape == (len(X),)
    assert ((z > 0) == (net.predict(X) == "yes")).all()
    p = net.predict_proba(X)
    np.testing.assert_allclose(z, np.log(p[:, 1] / p[:, 0]), rtol=1e-3, atol=1e-5)


def test_objects_may_be_labels():
    X, y = blobs(labels=("no", "yes"))
    net = quick(NaturalNet).fit(X, y.astype(object))
    assert net.predict(X).dtype == object


# -- containers ----------------------------------------------------------------------------------


def writable_map(X, folder):
    found = np.memmap(folder / "X", X.dtype, "w+", shape=X.shape)
    found[:] = X
    return found


def readonly_map(X, folder):
    writable_map(X, folder).flush()
    return np.memmap(folder / "X", X.dtype, "r", shape=X.shape)


CONTAINERS = {
    "float64": lambda X, folder: X.astype(np.float64),
    "Fortran order": lambda X, folder: np.asfortranarray(X),
    "strided": lambda X, folder: np.repeat(X, 2, axis=0)[::2],
    "list": lambda X, folder: X.tolist(),
    "tensor": lambda X, folder: torch.tensor(X),
    "tensor with gradient": lambda X, folder: torch.tensor(X, requires_grad=True),
    "writable memmap": writable_map,
    "read-only memmap": readonly_map,
    "frame": lambda X, folder: pd.DataFrame(X, columns=list("abcd")),
    "slices of a dataset": lambda X, folder: SliceDataset(Pairs(X, range(len(X)))),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_container_of_the_samples_makes_no_difference(container, tmp_path):
    X, y = blobs()
    plain = quick(NaturalNet).fit(X, y)
    held = CONTAINERS[container](X, tmp_path)
    net = quick(NaturalNet).fit(held, y)
    assert same_weights(plain, net)
    np.testing.assert_array_equal(net.predict_proba(held), plain.predict_proba(X))


@pytest.mark.parametrize("container", [list, torch.tensor, pd.Series], ids=lambda c: c.__name__)
def test_the_container_of_the_labels_makes_no_difference(container):
    X, y = blobs()
    assert same_weights(
        quick(NaturalNet).fit(X, y), quick(NaturalNet).fit(torch.tensor(X), container(y))
    )


def test_slices_of_a_dataset_can_be_searched():
    data = Pairs(*blobs(labels=("no", "yes")))
    search = GridSearchCV(quick(NaturalNet), {"lr": [0.1, 0.01]}, cv=2)
    search.fit(SliceDataset(data), np.asarray(SliceDataset(data, idx=1)))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_frame_gives_its_column_names_and_other_names_are_refused():
    X, y = blobs()
    net = quick(NaturalNet).fit(pd.DataFrame(X, columns=list("abcd")), y)
    assert list(net.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        net.predict(pd.DataFrame(X, columns=list("abcx")))


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("kind", [np.asarray, readonly_map], ids=["array", "memmap"])
def test_a_module_that_works_in_place_does_not_reach_the_users_array(shuffle, kind, tmp_path):
    X, y = blobs()
    X -= 0.5
    held = kind(X, tmp_path) if kind is readonly_map else X
    before = held.copy()
    module = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 2))
    net = quick(NaturalNet, module=module, iterator_train__shuffle=shuffle).fit(held, y)
    net.predict(held)
    np.testing.assert_array_equal(held, before)


# -- datasets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_a_dataset_of_pairs_is_enough(net):
    X, y = blobs(labels=("no", "yes"))
    pairs = Pairs(X.astype(np.float64), y)
    fitted = quick(net, module=Linear, max_epochs=12, lr=0.2).fit(pairs)
    assert fitted.input_shape_ == (4,) and fitted.n_features_in_ == 4
    assert fitted.classes_.tolist() == ["no", "yes"]
    assert fitted.score(X, y) > 0.8
    assert (fitted.predict(pairs) == fitted.predict(X)).all()
    assert (fitted.predict(Subset(pairs, [3, 1])) == fitted.predict(X[[3, 1]])).all()
    np.testing.assert_array_equal(fitted.predict_proba(pairs), fitted.predict_proba(X))


def test_a_dataset_of_bare_samples_can_be_predicted():
    X, y = blobs()
    net = quick(NaturalNet).fit(X, y)
    np.testing.assert_array_equal(net.predict_proba(list_of(X)), net.predict_proba(X))


def list_of(X):
    class Samples(torch.utils.data.Dataset):
        def __len__(self):
            return len(X)

        def __getitem__(self, index):
            return torch.tensor(X[index])

    return Samples()


def test_a_net_moves_from_arrays_to_a_dataset_of_another_shape_and_back():
    X, y = blobs()
    wide = np.hstack([X, X])
    net = quick(NaturalNet).fit(pd.DataFrame(X, columns=list("abcd")), y)
    assert net.fit(Pairs(wide, y)).predict(wide).shape == y.shape
    assert not hasattr(net, "feature_names_in_")
    assert net.fit(X, y).predict(X).shape == y.shape


def test_training_goes_on_with_a_dataset_of_the_same_shape_alone():
    X, y = blobs()
    net = quick(NaturalNet).partial_fit(X, y).partial_fit(Pairs(X, y))
    assert net.n_iter_ == 4
    with pytest.raises(ValueError, match="X has 3 features, but NaturalNet was fitted on 4"):
        net.partial_fit(Pairs(X[:, :3], y))


BAD_PAIRS = [
    (lambda X, y: Pairs(X * np.nan, y), "Sample 0 of the Dataset contains NaN or infinity"),
    (lambda X, y: Pairs((X * 255).astype(np.uint8), y), "divide by 255"),
    (lambda X, y: Pairs([X[0], *X[1:, :3]], y), r"Sample 1 .* shape \(3,\) and the first one"),
    (lambda X, y: Pairs(X[:0], y[:0]), "The Dataset is empty"),
    (lambda X, y: list_of(X), r"must yield \(sample, label\) pairs"),
    (lambda X, y: Pairs(X, np.zeros(len(y))), "got one class"),
]


@pytest.mark.parametrize(("make", "match"), BAD_PAIRS, ids=[match for _, match in BAD_PAIRS])
def test_a_dataset_that_makes_no_sense_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        quick(NaturalNet).fit(make(*blobs()))


def test_labels_beside_a_dataset_are_refused():
    X, y = blobs()
    with pytest.raises(ValueError, match="y is given beside a Dataset"):
        quick(NaturalNet).fit(Pairs(X, y), y)


# -- bad input -----------------------------------------------------------------------------------


def spoiled(value):
    X, y = blobs()
    X[3, 2] = value
    return X, y


BAD_FITS = [
    (lambda: spoiled(np.nan), "Input X contains NaN"),
    (lambda: spoiled(np.inf), "Input X contains infinity"),
    (lambda: ((blobs()[0] * 255).astype(np.uint8), blobs()[1]), "uint8 .*: divide by 255"),
    (lambda: (blobs()[0], np.full(48, "a")), "got one class, .*at least two classes"),
    (lambda: (blobs()[0], blobs()[0][:, 0]), "Unknown label type: continuous"),
    (lambda: (blobs()[0], np.where(blobs()[1], 1, np.nan)), "Input y contains NaN"),
    (lambda: (blobs()[0], blobs()[1][:5]), "inconsistent numbers of samples"),
    (lambda: (blobs()[0], None), "requires y to be passed, but the target y is None"),
    (lambda: (blobs()[0][:, 0], blobs()[1]), "Expected 2D array, got 1D array"),
]


@pytest.mark.parametrize(("make", "match"), BAD_FITS, ids=[match for _, match in BAD_FITS])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_data_that_make_no_sense_are_refused(method, make, match):
    net = quick(NaturalNet)
    with pytest.raises(ValueError, match=match):
        getattr(net, method)(*make())
    assert not net.initialized_


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_samples_that_a_net_cannot_know_are_refused(method):
    X, y = blobs(shape=(1, 4, 4))
    net = quick(NaturalNet).fit(X, y)
    ask = getattr(net, method)
    for wrong in (np.zeros((2, 1, 5, 5)), np.zeros((2, 4, 4)), np.zeros((2, 16))):
        with pytest.raises(ValueError, match="X has .*[Nn]et (was fitted on|is expecting)"):
            ask(wrong)
    for value, match in ((np.nan, "contains NaN"), (-np.inf, "contains infinity")):
        with pytest.raises(ValueError, match=match):
            ask(np.full_like(X, value))
    with pytest.raises(ValueError, match="divide by 255"):
        ask((X * 255).astype(np.uint8))


def test_a_column_of_labels_is_taken_with_a_warning():
    X, y = blobs()
    with pytest.warns(DataConversionWarning):
        quick(NaturalNet).fit(X, y[:, None])


@pytest.mark.parametrize("name", ["sample_weight", "groups"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_fit_arguments_that_would_be_ignored_are_refused_by_name(method, name):
    X, y = blobs()
    with pytest.raises(TypeError, match=rf"takes X and y alone and cannot use \['{name}'\]"):
        getattr(quick(NaturalNet), method)(X, y, **{name: np.ones(len(y))})


# -- classes that come later ---------------------------------------------------------------------


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_classes_may_be_declared_before_they_come(net):
    X, y = blobs(labels=("a", "b", "d"))
    few = y != "d"
    fitted = quick(net).partial_fit(X[few], y[few], classes=["d", "a", "b", "c"])
    assert fitted.classes_.tolist() == ["a", "b", "c", "d"]
    fitted.partial_fit(X, y).partial_fit(X, y, classes=["a", "b", "c", "d"])
    assert fitted.predict_proba(X).shape == (len(X), 4)
    assert fitted.n_iter_ == 6


def test_classes_may_be_a_parameter():
    X, y = blobs()
    net = quick(NaturalNet, classes=[0, 1, 2]).fit(X, y)
    assert net.classes_.tolist() == [0, 1, 2]
    assert net.decision_function(X).shape == (len(X), 3)


def test_labels_that_were_not_declared_are_refused():
    X, y = blobs()
    net = quick(NaturalNet).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"not fitted on: \[2\]; known are \[0, 1\]"):
        net.partial_fit(X, y + 1)
    with pytest.raises(ValueError, match=r"classes is \[0, 1, 2\], but NaturalNet knows \[0, 1\]"):
        net.partial_fit(X, y, classes=[0, 1, 2])


def test_a_module_class_may_ask_for_the_number_of_classes():
    X, y = blobs(labels=(1, 2, 3))
    assert quick(NaturalNet, module=Linear).fit(X, y).decision_function(X).shape == (48, 3)
