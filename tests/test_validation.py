"""The door: what may come in, what comes out, and the sentence for everything else."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_robust import _validation as check
from sklearn_robust.metrics import robust_score

NAN, INF = np.nan, np.inf


def refused(function, *args, match, error=ValueError, **kwargs):
    with pytest.raises(error, match=match):
        function(*args, **kwargs)


GOOD_SAMPLES = [
    [[1, 2], [3, 4]],
    np.array([[1, 2], [3, 4]], order="F"),
    torch.tensor([[1, 2], [3, 4]]),
    torch.tensor([[1.0, 2], [3, 4]], requires_grad=True),
    pd.DataFrame({"a": [1, 3], "b": [2.0, 4.0]}),
    np.array([[1, 2], [3, 4]], dtype=object),
]


@pytest.mark.parametrize("X", GOOD_SAMPLES, ids=lambda X: type(X).__name__)
def test_samples_become_float32_in_c_order(X):
    for found in (check.check_samples(X), check.validate_samples(BaseEstimator(), X)):
        assert found.dtype == np.float32 and found.flags.c_contiguous
        assert found.tolist() == [[1, 2], [3, 4]]


def test_samples_may_have_any_number_of_axes():
    X = np.zeros((2, 3, 4, 5))
    assert check.check_samples(X).shape == X.shape


BAD_SAMPLES = [
    ([[1, NAN]], "contains NaN"),
    ([[1, INF]], "contains infinity"),
    (np.array([[1, 1e300]]), "infinity or a value too large for dtype.'float32'"),
    ([1, 2], "Expected 2D array, got 1D array"),
    (np.zeros((0, 2)), "0 sample"),
    ([["a", "b"]], "X holds texts, such as 'a'"),
    (np.array([[1j]]), "Complex data not supported"),
]


@pytest.mark.parametrize(("X", "match"), BAD_SAMPLES)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_what_is_no_sample_is_refused(X, match):
    refused(check.check_samples, X, match=match)
    refused(check.validate_samples, BaseEstimator(), X, match=match)


BYTES = np.array([[0, 200], [3, 4]], dtype=np.uint8)


@pytest.mark.parametrize("X", [BYTES, torch.tensor(BYTES), pd.DataFrame(BYTES)], ids=type)
def test_images_of_bytes_are_refused_with_the_remedy(X):
    match = "uint8 with values up to 200: divide by 255"
    refused(check.check_samples, X, match=match)
    refused(check.validate_samples, BaseEstimator(), X, match=match)


@pytest.mark.parametrize(
    "X",
    [BYTES > 2, BYTES.astype(np.int64), np.minimum(BYTES, 1), pd.DataFrame(np.minimum(BYTES, 1))],
    ids=["bool", "int64", "zeros and ones", "frame of zeros and ones"],
)
def test_bytes_that_are_no_images_pass(X):
    assert check.check_samples(X).shape == (2, 2)


@pytest.mark.parametrize(
    ("shape", "wanted", "match"),
    [
        ((5, 3), (4,), r"X has 3 features, but PCA was fitted on 4 features"),
        ((5, 3, 9, 9), (3, 8, 8), r"sample shape \(3, 9, 9\), but PCA .* shape \(3, 8, 8\)"),
        ((5, 8, 8), (1, 8, 8), r"X\[:, None\] adds a channel axis"),
    ],
)
def test_samples_of_another_shape_are_refused(shape, wanted, match):
    X = np.zeros(shape)
    refused(check.check_sample_shape, X, wanted, "PCA", match=match)
    check.check_sample_shape(X, shape[1:], "PCA")
    check.check_sample_shape(X, None, "PCA")


CLASSES = [
    np.array(["b", "d", "f"]),
    np.array(["f", "b", "d"]),
    np.array([-1, 4, 7]),
    np.array([7.0, -1.0]),
    np.array([False, True]),
    np.array(["b", "d"], dtype=object),
]


@pytest.mark.parametrize("classes", CLASSES, ids=str)
def test_codes_are_places_in_the_classes(classes):
    order = [1, 0, 1, len(classes) - 1]
    codes = check.encode_labels(classes[order], classes, "Net")
    assert codes.dtype == np.int64
    assert codes.tolist() == order
    assert check.encode_labels(list(classes[order]), classes, "Net").tolist() == order


@pytest.mark.parametrize(
    ("y", "classes", "match"),
    [
        ([0, 3], [0, 1], r"labels that Net was not fitted on: \[3\]; known are \[0, 1\]"),
        ([-9], [0, 1], r"not fitted on: \[-9\]"),
        (["a", "z"], ["b", "c"], r"not fitted on: \['a', 'z'\]; known are \['b', 'c'\]"),
        (["z"], ["c", "b"], r"not fitted on: \['z'\]; known are \['c', 'b'\]"),
        ([[0, 1]], [0, 1], r"y has shape \(1, 2\); Net needs one label for each sample"),
    ],
)
def test_labels_that_are_no_classes_are_refused(y, classes, match):
    refused(check.encode_labels, y, np.array(classes), "Net", match=match)


@pytest.mark.parametrize("eps", [0, 0.5, 8 / 255, np.float32(0.5), np.array([0.0, 2.0])], ids=str)
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_radius_is_a_number_or_one_for_each_feature(eps, norm):
    found = check.check_eps(eps, norm, (2,))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, eps)


@pytest.mark.parametrize("eps", [-0.1, NAN, INF, "much", [0.1, -0.1], [0.1, NAN], None, [[1], 2]])
def test_what_is_no_radius_is_refused(eps):
    match = "eps must be given for norm='l2'" if eps is None else "eps is .*; give a finite radius"
    refused(check.check_eps, eps, "l2", (2,), match=match)


def test_only_linf_has_a_radius_of_its_own():
    assert check.check_eps(None, "linf", ()) == 8 / 255
    refused(check.check_eps, None, "l1", (), match="eps must be given for norm='l1'; type eps=")


def test_a_radius_for_each_feature_has_the_samples_shape():
    refused(
        check.check_eps,
        [0.1] * 3,
        "linf",
        (2,),
        match=r"eps has shape \(3,\), but the samples have shape \(2,\)",
    )


@pytest.mark.parametrize(
    ("norm", "name"),
    [("linf", "linf"), (INF, "linf"), ("l2", "l2"), (2, "l2"), (2.0, "l2"), (1, "l1")],
)
def test_norms_have_two_spellings(norm, name):
    assert check.check_norm(norm) == name


@pytest.mark.parametrize("norm", ["l3", "Linf", 3, -1, None, [1], NAN], ids=repr)
def test_an_unknown_norm_is_refused(norm):
    refused(check.check_norm, norm, match="norm is .*; choose 'linf', 'l2', 'l1' or 'l0'")


INSIDE, OUTSIDE = np.array([[0.0, 0.5], [1.0, 0.2]]), np.array([[0.0, 0.5], [1.1, 0.2]])


def test_the_automatic_box_is_the_unit_cube_or_none():
    low, high = check.check_bounds("auto", INSIDE.astype(np.float32))
    assert (low, high) == (0, 1) and low.dtype == np.float64
    assert check.check_bounds("auto", OUTSIDE) is None
    assert check.check_bounds(None, INSIDE) is None


@pytest.mark.parametrize("bounds", [(0, 2), ([0, 0.2], [1.1, 0.5]), (-INF, INF)], ids=str)
def test_a_box_is_kept_as_given(bounds):
    low, high = check.check_bounds(bounds, OUTSIDE.astype(np.float64))
    np.testing.assert_array_equal(low, bounds[0])
    np.testing.assert_array_equal(high, bounds[1])


def test_a_box_holds_the_float32_copies_of_its_own_ends():
    X = np.array([[0.1, 0.3]]).astype(np.float32)
    assert check.check_bounds((0.1, 0.3), X) is not None


@pytest.mark.parametrize(
    ("bounds", "match"),
    [
        ((0, 1), r"X spans \[0, 1.1\] and leaves bounds=\(0, 1\): rescale X, widen bounds"),
        (([0, 0.3], [2, 2]), "leaves bounds"),
        ("unit", "bounds is 'unit'; give 'auto', None or"),
        (0.5, "bounds is 0.5; give 'auto', None or"),
        ((0, 1, 2), r"bounds is \(0, 1, 2\); give"),
        (("a", "b"), r"bounds is \('a', 'b'\); give"),
        ((2, 1), "lower bound must not exceed its upper"),
        ((NAN, 1), "lower bound must not exceed its upper"),
        (([0] * 3, 2), r"bounds has shape \(3,\), but the samples have shape \(2,\)"),
    ],
    ids=str,
)
def test_a_box_that_cannot_be_is_refused(bounds, match):
    refused(check.check_bounds, bounds, OUTSIDE, match=match)


NUMBERS = [
    # value, options, what is wanted
    (NAN, {}, "a number of at least 0"),
    (-1, {}, "a number of at least 0"),
    ("1", {}, "a number of at least 0"),
    (True, {}, "a number of at least 0"),
    (None, {}, "a number of at least 0"),
    (0, {"strict": True}, "a number above 0"),
    (1.5, {"high": 1}, "a number of at least 0 and at most 1"),
    (-INF, {"low": -INF, "strict": True}, "a number above -inf"),
]


@pytest.mark.parametrize(("value", "options", "wanted"), NUMBERS)
def test_a_number_out_of_range_is_refused(value, options, wanted):
    refused(check.check_number, "lam", value, match=f"lam is .*; give {wanted}", **options)


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.25), np.int64(1)], ids=repr)
def test_a_number_in_range_passes(value):
    assert check.check_number("lam", value, high=1) == value
    assert check.check_number("lam", INF) == INF


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", True, None, NAN], ids=repr)
def test_what_is_no_count_is_refused(value):
    refused(check.check_count, "max_iter", value, match="max_iter is .*; give an integer of at le")


def test_a_count_passes():
    assert [check.check_count("n", n) for n in (1, np.int64(3))] == [1, 3]
    assert check.check_count("n", 0, low=0) == 0


@pytest.mark.parametrize("value", ["C", None, 1, ["a"]], ids=repr)
def test_what_is_no_choice_is_refused(value):
    refused(check.check_choice, "loss", value, ["b", "a"], match=r"choose one of \['a', 'b'\]")


@pytest.mark.parametrize("mask", [np.ones((1, 4), bool), np.ones((2, 2), int)], ids=["row", "grid"])
def test_a_mask_of_another_rank_is_refused(mask):
    match = r"mask has shape .* give a boolean array of the samples' shape, or indices"
    refused(check.check_features, "mask", mask, (4,), match=match)


# -- tensors and arrays of other kinds -------------------------------------------------------------


VIEWS = {
    "negative": lambda X: torch._neg_view(-X),
    "conjugate": lambda X: torch.complex(X, -X).conj().imag,
    "bfloat16": lambda X: X.bfloat16(),
    "with gradient": lambda X: X.clone().requires_grad_(True),
}


@pytest.mark.parametrize("kind", VIEWS)
def test_tensors_of_any_view_are_read(kind):
    X = torch.tensor([[0.5, 0.25], [1, 2]])
    assert np.array_equal(check.check_samples(VIEWS[kind](X)), X.numpy())


def test_sparse_tensors_are_refused_with_what_to_type():
    with pytest.raises(ValueError, match=r"X is a sparse tensor \(.*\): type X.to_dense\(\)"):
        check.check_samples(torch.eye(3).to_sparse())


def test_texts_are_refused_where_only_numbers_are_read():
    X = pd.DataFrame({"age": [20, 30], "job": ["nurse", "smith"]})
    with pytest.raises(ValueError, match="X holds texts, such as 'nurse', .*: encode them before"):
        check.check_samples(X)


def test_missing_values_are_refused_with_what_to_type():
    with pytest.raises(ValueError, match="Input X contains NaN, .*SimpleImputer, or leave"):
        check.check_samples([[1.0, np.nan]])


def test_arrays_of_zarr_are_read():
    zarr = pytest.importorskip("zarr")
    X = np.array([[0, 2], [255, 7]])
    assert np.array_equal(check.check_samples(zarr.array(X.astype("f"))), X)
    with pytest.raises(ValueError, match="uint8 with values up to 255: divide by 255"):
        check.check_samples(zarr.array(X.astype("uint8")))


def test_a_box_holds_data_that_leave_it_by_rounding_alone():
    X = np.array([[0.1, 0.7], [0.3, 1.1]])
    box = (np.array([0.1, 0.7]), 1.1)
    rounded = X.astype(np.float32) * np.float32(3) / np.float32(3)
    rounded[0] = np.nextafter(rounded[0], np.float32(-1))
    rounded[1] = np.nextafter(rounded[1], np.float32(9))
    low, high = check.check_bounds(box, rounded)
    assert (rounded >= low).all() and (rounded <= high).all()
    assert np.abs(low - box[0]).max() < 1e-6 and abs(float(high) - 1.1) < 1e-6
    exact = check.check_bounds(box, X)
    assert (exact[0] == box[0]).all() and exact[1] == 1.1
    with pytest.raises(ValueError, match="leaves bounds"):
        check.check_bounds(box, X + 1e-4)


@pytest.mark.parametrize(
    ("library", "name", "typed"),
    [("polars", "LazyFrame", "X.collect"), ("pyarrow.lib", "Table", "X.to_pandas")],
)
def test_a_table_that_nobody_has_read_says_how_to_read_it(library, name, typed):
    X = type(name, (), {"__module__": library})()
    match = rf"X is a {name} of .*, and models read arrays and frames: type {typed}\(\)\.$"
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    refused(check.check_samples, X, match=match)
    refused(check.validate_samples, BaseEstimator(), X, match=match)
    refused(robust_score, model, X, [0, 1], match=match)
    refused(robust_score, make_pipeline(OneHotEncoder(), model), X, [0, 1], match=match)
