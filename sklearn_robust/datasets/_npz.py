"""Loader of a user's own arrays."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from .._archive import Archive, UnreadableError, open_file
from .._layouts import has_channels_last
from .._validation import check_choice
from ._images import scale_pixels

NAMES = ("X_train", "y_train", "X_test", "y_test")
WANTED = "wanted are " + ", ".join(NAMES)
_DAMAGE = (zipfile.BadZipFile, zlib.error)


def load_npz(path: str | PathLike[str], *, channels: str | None = None) -> Bunch:
    """Load training and test data from one ``.npz`` file.

    Write such a file with ``numpy.savez_compressed(path, X_train=..., y_train=...,
    X_test=..., y_test=...)``.

    Parameters
    ----------
    path : str or path-like
        A file with the arrays ``X_train``, ``y_train``, ``X_test`` and ``y_test``; others are
        ignored. X holds samples along its first axis; images have their
        channels before their rows, ``(n, C, H, W)``, or none, ``(n, H, W)``.
    channels : {None, "first", "last"}, default=None
        Where images have their channels. "last" moves them before the rows. None means first,
        and refuses arrays that look otherwise: a last axis of 1, 3 or 4 after two that are at
        least 8 and at most four times each other (for uint8, after any that is no such number).
        "first" takes those as they are.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        X_train, X_test : ndarray of float32
            uint8 pixels are divided by 255, and get a channel axis if they had none;
            floating-point data keep their values and their shape.
        y_train, y_test : ndarray of shape (n,)
            Labels: int64 if they were integers, else as they were.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If an array is missing, empty, holds Python objects, NaN, infinite or complex numbers or
        dates, or does not fit the others.

    Notes
    -----
    Nothing in the file is unpickled, so that an untrusted file cannot run code. What each array
    says about its size is compared with the others and with the file before any is read, so that
    a small file takes little memory.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearn_robust.datasets import load_npz
    >>> images, labels = np.full((3, 8, 8), 255, dtype="uint8"), ["cat", "dog", "cat"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "pets.npz")
    ...     np.savez(path, X_train=images, y_train=labels, X_test=images, y_test=labels)
    ...     data = load_npz(path)
    >>> data.X_train.shape, float(data.X_train.max()), data.y_train.tolist()
    ((3, 1, 8, 8), 1.0, ['cat', 'dog', 'cat'])
    """
    if channels is not None:
        check_choice("channels", channels, ("first", "last"))
    if isinstance(path, (str, PathLike)):
        path = Path(fspath(path)).expanduser()
    with open_file(path, f"{WANTED} in one .npz file") as stream:
        return _read(stream, Path(path), channels)


class _Header(NamedTuple):
    """What an array says about itself."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _read(stream: IO[bytes], path: Path, channels: str | None) -> Bunch:
    """Read the four arrays once their headers fit each other."""
    archive = _open(stream, path)
    headers = {name: _header(archive, name, path) for name in NAMES}
    _check_headers(headers, path, channels)
    data = Bunch()
    for part in ("train", "test"):
        y = _labels(_array(archive, f"y_{part}", path), f"y_{part}", path)
        X = _array(archive, f"X_{part}", path)
        X = _samples(np.moveaxis(X, -1, 1) if channels == "last" else X, f"X_{part}", path)
        data |= {f"X_{part}": X, f"y_{part}": y}
    return data


def load_arrays(path: str | PathLike[str]) -> Bunch:
    """Load samples to judge a model on: X and y of an ``.npz`` file, or X_test and y_test.

    Parameters
    ----------
    path : str or path-like
        The file; nothing in it is unpickled.

    Returns
    -------
    data : Bunch
        X and y, made as those of :func:`load_npz`.

    Raises
    ------
    OSError, ValueError
        As of :func:`load_npz`.
    """
    path = Path(fspath(path)).expanduser()
    wanted = "wanted are X and y, or X_test and y_test"
    with open_file(path, wanted) as stream:
        archive = _open(stream, path, (), wanted)
        found = [name.removesuffix(".npy") for name in archive.names]
        pairs = [pair for pair in (("X", "y"), NAMES[2:]) if set(pair) <= set(found)]
        if not pairs:
            listed = ", ".join(name[:30] for name in found[:10]) or "nothing"
            raise ValueError(f"{path} has the arrays {listed}; {wanted}.")
        X, y = pairs[0]
        headers = {name: _header(archive, name, path) for name in (X, y)}
        _check_pair(headers, X, y, path)
        labels = _labels(_array(archive, y, path), y, path)
        return Bunch(X=_samples(_array(archive, X, path), X, path), y=labels)


def _open(
    stream: IO[bytes], path: Path, names: Sequence[str] = NAMES, wanted: str = WANTED
) -> Archive:
    if stream.read(6) == b"\x93NUMPY":
        raise OSError(f"{path} holds a single array; {wanted}, saved by numpy.savez.")
    try:
        archive = Archive(stream)
    except UnreadableError as error:
        raise OSError(f"{path} is not an .npz file; {wanted}, saved by numpy.savez.") from error
    found = [name.removesuffix(".npy") for name in archive.names]
    missing = [name for name in names if name not in found]
    if missing:
        listed = ", ".join(name[:30] for name in found[:10]) or "nothing"
        raise ValueError(f"{path} has no {', '.join(missing)}; {wanted}, found {listed}.")
    return archive


# -- headers ---------------------------------------------------------------------------------------


def _header(archive: Archive, name: str, path: Path) -> _Header:
    """Read what an array says about itself, and hold it against the file."""
    member = f"{name}.npy"
    try:
        size = archive.size(member)
        with archive.open(member) as file:
            header = _Header(*_shape_and_dtype(file))
            left = size - file.tell()
    except UnreadableError as error:
        raise OSError(
            f"{path} is damaged: {name} cannot be read, since {error}; write the file again by "
            "numpy.savez."
        ) from error
    except Exception as error:  # of many kinds: numpy evaluates what the header says
        raise OSError(
            f"{path} is damaged: {name} cannot be read, since its header is none of numpy's; write "
            "the file again."
        ) from error
    if header.dtype.hasobject:
        raise ValueError(
            f"{path}: {name} cannot be read without unpickling Python objects, which could run "
            f"code; save it as an array of numbers or, for labels, of strings (dtype str)."
        )
    n_bytes = math.prod(header.shape) * header.dtype.itemsize
    if min(header.shape, default=1) < 0 or n_bytes != left:
        raise OSError(
            f"{path} is damaged: {name} cannot be read, since it says that it takes {n_bytes} "
            f"bytes and the file holds {left}; write the file again."
        )
    return header


def _shape_and_dtype(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the header of an open array."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    return shape, dtype


def _check_headers(headers: dict[str, _Header], path: Path, channels: str | None) -> None:
    """Raise unless the shapes and dtypes of all arrays fit each other."""
    for part in ("train", "test"):
        _check_pair(headers, f"X_{part}", f"y_{part}", path, channels)
    train, test = headers["X_train"].shape[1:], headers["X_test"].shape[1:]
    if train != test:
        raise ValueError(
            f"{path}: samples of X_train have shape {train} and those of X_test "
            f"{test}; save both in the same shape."
        )


def _check_pair(
    headers: dict[str, _Header], X: str, y: str, path: Path, channels: str | None = None
) -> None:
    """Raise unless samples and labels fit each other."""
    _check_samples(headers[X], X, path)
    _check_layout(headers[X], X, path, channels)
    _check_labels(headers[y], y, path)
    n_samples, n_labels = headers[X].shape[0], headers[y].shape[0]
    if n_samples != n_labels:
        raise ValueError(
            f"{path}: {X} has {n_samples} samples and {y} {n_labels} labels; save as many of one "
            "as of the other."
        )


def _check_samples(X: _Header, name: str, path: Path) -> None:
    if len(X.shape) < 2:
        raise ValueError(
            f"{path}: {name} has shape {X.shape}; wanted are samples along the first axis and at "
            f"least one more axis."
        )
    if 0 in X.shape:
        raise ValueError(
            f"{path}: {name} has shape {X.shape} and so holds no number; save at least one sample "
            "with at least one feature."
        )
    if X.dtype != np.uint8 and not np.issubdtype(X.dtype, np.floating):
        raise ValueError(
            f"{path}: {name} has dtype {str(X.dtype)[:50]}; wanted is uint8 for pixels from 0 to "
            f"255, or floating-point numbers, save {name}.astype('float32')."
        )


def _check_layout(X: _Header, name: str, path: Path, channels: str | None) -> None:
    """Raise if images do not have their channels where they are said to be."""
    if channels == "last" and len(X.shape) != 4:
        raise ValueError(
            f"{path}: {name} has shape {X.shape}, and channels is 'last': give it for images "
            "(n, H, W, C) alone."
        )
    small = X.dtype == np.uint8 and len(X.shape) == 4
    small = small and X.shape[-1] in (1, 3, 4) and X.shape[1] not in (1, 3, 4)
    if channels is None and (small or has_channels_last(X.shape[1:])):
        raise ValueError(
            f"{path}: {name} has shape {X.shape}, the channels last; wanted is (n, C, H, W), "
            f"save numpy.moveaxis({name}, -1, 1), or type load_npz(path, channels='last'), or "
            "channels='first' if its shape is right."
        )


def _check_labels(y: _Header, name: str, path: Path) -> None:
    if len(y.shape) != 1:
        raise ValueError(
            f"{path}: {name} has shape {y.shape}; wanted is one label per sample, (n,)."
        )
    if y.dtype.kind not in "biufU":
        raise ValueError(
            f"{path}: {name} has dtype {str(y.dtype)[:50]}, which holds no labels; save integers, "
            f"or text by {name}.astype(str)."
        )


# -- contents --------------------------------------------------------------------------------------


def _array(archive: Archive, name: str, path: Path) -> NDArray[Any]:
    """Read one array, whose header is known to fit."""
    try:
        with archive.open(f"{name}.npy") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
            file.read(1)  # numpy may stop before the end, where the checksum is compared
        return array
    except (UnreadableError, OSError, EOFError, ValueError, *_DAMAGE) as error:
        raise OSError(f"{path} is damaged: {name} cannot be read; write the file again.") from error


def _samples(X: NDArray[Any], name: str, path: Path) -> NDArray[np.float32]:
    """Make samples float32."""
    if X.dtype == np.uint8:
        return scale_pixels(X)
    with np.errstate(over="ignore"):
        found = X.astype(np.float32, order="C")
    if not np.isfinite(found.min()) or not np.isfinite(found.max()):
        high = bool(np.isfinite(X.min()) and np.isfinite(X.max()))
        if high:
            raise ValueError(
                f"{path}: {name} holds numbers beyond float32's range, up to "
                f"{max(X.max(), -X.min()):.3g}; scale its features and save it again."
            )
        raise ValueError(
            f"{path}: {name} holds NaN or infinite numbers; leave such samples out, or fill the "
            "cells, e.g. by sklearn.impute.SimpleImputer, and save it again."
        )
    return found


def _labels(y: NDArray[Any], name: str, path: Path) -> NDArray[Any]:
    """Check labels and make integers int64."""
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError(
            f"{path}: {name} holds NaN or infinite labels; leave those samples out, or give them a "
            "label of their own, and save it again."
        )
    if y.dtype.kind == "u" and len(y) and y.max() > np.iinfo(np.int64).max:
        raise ValueError(
            f"{path}: {name} holds labels above 2**63 - 1, which int64 cannot hold; save "
            f"numpy.unique({name}, return_inverse=True)[1], or text by {name}.astype(str)."
        )
    return y.astype(np.int64) if np.issubdtype(y.dtype, np.integer) else y
