"""A user's own file: what comes in, what comes out, and every way it can be wrong."""

import numpy as np
import pytest

from sklearn_robust.datasets import load_npz

PIXELS = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)


def write(path, **changes):
    """Write a sound file but for the changes; None leaves an array out."""
    arrays = dict.fromkeys(["X_train", "X_test"], PIXELS)
    arrays |= dict.fromkeys(["y_train", "y_test"], np.array([0, 1]))
    arrays |= changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pets.npz"


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (PIXELS, PIXELS / 255),
        (PIXELS[:, 0], PIXELS[:, :1] / 255),
        (PIXELS[:, 0, 0], PIXELS[:, 0, 0] / 255),
        (np.moveaxis(PIXELS, 1, -1).copy().transpose(0, 3, 1, 2), PIXELS / 255),
        (PIXELS * 2.5, PIXELS * 2.5),
        (PIXELS[:, 0].astype(np.float16), PIXELS[:, 0]),
    ],
    ids=["colour", "grey", "rows", "strided", "float64", "float16"],
)
def test_pixels_are_scaled_and_floats_left_alone(path, X, expected):
    data = load_npz(write(path, X_train=X, X_test=X))
    for loaded in (data.X_train, data.X_test):
        assert loaded.dtype == np.float32 and loaded.flags.c_contiguous
        assert loaded.shape == expected.shape
        np.testing.assert_allclose(loaded, expected, rtol=1e-6)


@pytest.mark.parametrize("y", [[3, 5], ["cat", "dog"], [True, False], [0.0, 1.0]], ids=str)
def test_integers_become_int64_and_other_labels_stay(path, y):
    y = np.array(y)
    loaded = load_npz(write(path, y_train=y, y_test=y)).y_train
    np.testing.assert_array_equal(loaded, y)
    assert loaded.dtype == y.dtype
    small = load_npz(write(path, y_train=np.array([3, 5], dtype=np.uint8))).y_train
    assert small.dtype == np.int64


def test_the_tests_part_may_have_another_length_and_the_file_other_arrays(path):
    data = load_npz(str(write(path, X_test=PIXELS[:1], y_test=np.array([1]), names=np.zeros(3))))
    assert len(data.X_train) == 2 and len(data.X_test) == 1
    assert set(data) == {"X_train", "y_train", "X_test", "y_test"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"y_train": None, "X_test": None},
            "pets.npz has no y_train, X_test; wanted are X_train, y_train, X_test, y_test, "
            "found X_train, y_test",
        ),
        ({"y_test": np.zeros(3)}, "pets.npz: X_test has 2 samples and y_test 3 labels"),
        ({"y_train": np.array(["a", 1], dtype=object)}, "pets.npz: y_train .* strings .dtype str"),
        ({"X_train": PIXELS.astype(object)}, "pets.npz: X_train cannot be read without unpickling"),
        ({"y_train": np.eye(2)}, r"pets.npz: y_train has shape \(2, 2\); wanted is one label"),
        ({"X_train": np.zeros(2)}, r"pets.npz: X_train has shape \(2,\); wanted are samples"),
        ({"X_test": PIXELS[:, :1]}, r"\(3, 4, 5\) and those of X_test \(1, 4, 5\)"),
        ({"X_test": PIXELS.astype(int)}, "X_test has dtype int64; wanted is uint8"),
        (
            {"X_train": np.zeros((2, 8, 8, 3), dtype=np.uint8)},
            r"channels last; wanted is \(n, C, H, W\), save numpy.moveaxis\(X_train, -1, 1\)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_arrays_that_do_not_fit_are_refused_by_name(path, changes, message):
    with pytest.raises(ValueError, match=message):
        load_npz(write(path, **changes))


def test_a_file_that_is_not_there_or_not_an_npz_is_refused(path):
    with pytest.raises(FileNotFoundError, match="There is no file .*pets.npz; wanted are X_train"):
        load_npz(path)
    path.write_bytes(b"")
    with pytest.raises(OSError, match="pets.npz is not an .npz file"):
        load_npz(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(OSError, match="pets.npz is not an .npz file"):
        load_npz(path)
    with path.open("wb") as stream:
        np.save(stream, PIXELS)
    with pytest.raises(OSError, match="pets.npz holds a single array"):
        load_npz(path)


def test_a_file_cut_short_or_damaged_is_refused(path):
    whole = write(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match="pets.npz is not an .npz file"):
        load_npz(path)
    at = whole.index(PIXELS.tobytes())
    path.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
    with pytest.raises(OSError, match="pets.npz is damaged: X_(train|test) cannot be read"):
        load_npz(path)


# -- channels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("n_channels", [1, 3, 4])
def test_channels_last_are_refused_or_moved(path, n_channels, dtype):
    X = np.arange(2 * 8 * 10 * n_channels).reshape(2, 8, 10, n_channels).astype(dtype)
    write(path, X_train=X, X_test=X)
    words = r"channels last.*moveaxis\(X_train, -1, 1\), or type load_npz\(path, channels='last'\)"
    with pytest.raises(ValueError, match=words):
        load_npz(path)
    scale = 255 if dtype == "uint8" else 1
    moved = load_npz(path, channels="last").X_train
    np.testing.assert_allclose(moved, X.transpose(0, 3, 1, 2) / scale, rtol=1e-6)
    assert moved.flags.c_contiguous
    assert load_npz(path, channels="first").X_train.shape == X.shape


def test_channels_are_asked_for_of_images_alone(path):
    rows = np.zeros((2, 5))
    write(path, X_train=rows, X_test=rows)
    with pytest.raises(ValueError, match=r"shape \(2, 5\), and channels is 'last': give it for"):
        load_npz(path, channels="last")
    with pytest.raises(ValueError, match="channels is 'middle'; choose one of"):
        load_npz(path, channels="middle")
