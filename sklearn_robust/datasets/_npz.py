"""Loader of a user's own arrays."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from .. import _validation as check
from ._images import scale_pixels

NAMES = ("X_train", "y_train", "X_test", "y_test")
WANTED = "wanted are " + ", ".join(NAMES)


def load_npz(path: str | PathLike[str]) -> Bunch:
    """Load training and test data from one ``.npz`` file.

    Write such a file with ``numpy.savez_compressed(path, X_train=..., y_train=...,
    X_test=..., y_test=...)``.

    Parameters
    ----------
    path : str or path-like
        A file with the arrays ``X_train``, ``y_train``, ``X_test`` and ``y_test``; others are
        ignored. X holds samples along its first axis; images have their
        channels before their rows, ``(n, C, H, W)``, or none, ``(n, H, W)``.

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
        If an array is missing, holds Python objects, or does not fit the others.

    Notes
    -----
    Nothing in the file is unpickled, so that an untrusted file cannot run code.

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
    check.check_path("path", path)
    path = Path(path).expanduser()
    arrays = _read(path)
    data = Bunch()
    for part in ("train", "test"):
        X = _samples(arrays[f"X_{part}"], f"X_{part}", path)
        y = _labels(arrays[f"y_{part}"], f"y_{part}", path)
        if len(X) != len(y):
            raise ValueError(
                f"{path}: X_{part} has {len(X)} samples and y_{part} {len(y)} labels; "
                f"save as many of one as of the other."
            )
        data |= {f"X_{part}": X, f"y_{part}": y}
    if data.X_train.shape[1:] != data.X_test.shape[1:]:
        raise ValueError(
            f"{path}: samples of X_train have shape {data.X_train.shape[1:]} and those of X_test "
            f"{data.X_test.shape[1:]}; save both in the same shape."
        )
    return data


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Read the four arrays without unpickling."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path}; {WANTED} in one .npz file.") from None
    with stream:
        try:
            file = np.load(stream, allow_pickle=False)
        except (ValueError, EOFError, BadZipFile) as error:
            raise OSError(f"{path} is not an .npz file; {WANTED}, saved by numpy.savez.") from error
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise OSError(f"{path} holds a single array; {WANTED}, saved by numpy.savez.")
        missing = [name for name in NAMES if name not in file.files]
        if missing:
            found = ", ".join(file.files) or "nothing"
            raise ValueError(f"{path} has no {', '.join(missing)}; {WANTED}, found {found}.")
        return {name: _member(file, name, path) for name in NAMES}


def _member(file: Any, name: str, path: Path) -> NDArray[Any]:
    """Read one array, or raise an error that says why it cannot be read."""
    try:
        return np.asarray(file[name])
    except ValueError as error:
        raise ValueError(
            f"{path}: {name} cannot be read without unpickling Python objects, which could run "
            f"code; save it as an array of numbers or, for labels, of strings (dtype str)."
        ) from error
    except (OSError, EOFError, BadZipFile) as error:
        raise OSError(f"{path} is damaged: {name} cannot be read; write the file again.") from error


def _samples(X: NDArray[Any], name: str, path: Path) -> NDArray[np.float32]:
    """Check one array of samples and make it float32."""
    if X.ndim < 2:
        raise ValueError(
            f"{path}: {name} has shape {X.shape}; wanted are samples along the first axis and at "
            f"least one more axis."
        )
    if X.dtype == np.uint8:
        if X.ndim == 4 and X.shape[-1] in (1, 3, 4) and X.shape[1] not in (1, 3, 4):
            raise ValueError(
                f"{path}: {name} has shape {X.shape}, the channels last; wanted is (n, C, H, W), "
                f"save numpy.moveaxis({name}, -1, 1)."
            )
        return scale_pixels(X)
    if not np.issubdtype(X.dtype, np.floating):
        raise ValueError(
            f"{path}: {name} has dtype {X.dtype}; wanted is uint8 for pixels from 0 to 255, or "
            f"floating-point numbers, save {name}.astype('float32')."
        )
    return X.astype(np.float32)


def _labels(y: NDArray[Any], name: str, path: Path) -> NDArray[Any]:
    """Check one array of labels and make integers int64."""
    if y.ndim != 1:
        raise ValueError(
            f"{path}: {name} has shape {y.shape}; wanted is one label per sample, (n,)."
        )
    return y.astype(np.int64) if np.issubdtype(y.dtype, np.integer) else y
