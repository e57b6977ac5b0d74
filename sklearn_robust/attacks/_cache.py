"""Verdicts on disk, so that an evaluation that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import sklearn
import torch
from joblib.hashing import NumpyHasher
from numpy.typing import NDArray

from .._version import __version__

__all__ = ["CHUNK", "VerdictCache", "content_hash"]

CHUNK = 100  # samples whose verdicts are written together
_VERSIONS = (__version__, torch.__version__, sklearn.__version__, np.__version__)


class _ContentHasher(NumpyHasher):
    """Hash of what an object holds; tensors count by their values."""

    def save(self, obj: Any) -> None:
        if isinstance(obj, torch.Tensor) and type(obj) in (torch.Tensor, torch.nn.Parameter):
            plain = obj.detach().cpu().contiguous().flatten().view(torch.uint8)
            obj = ("tensor", str(obj.dtype), tuple(obj.shape), plain.numpy())
        super().save(obj)


def content_hash(what: Any, name: str) -> str:
    """Hash of an object by what it holds, the same in every process.

    Parameters
    ----------
    what : object
        Estimator, array, or any nested structure of these.
    name : str
        What to call it in an error.

    Returns
    -------
    digest : str
        Hexadecimal.

    Raises
    ------
    TypeError
        If it cannot be pickled: then nothing tells it from another one.
    """
    try:
        return str(_ContentHasher(hash_name="md5", coerce_mmap=True).hash(what))
    except Exception as error:  # whatever the pickling of a part raises
        parts = vars(what) if hasattr(what, "__dict__") else {}
        guilty = [key for key, value in parts.items() if not _can_be_hashed(value)]
        where = f"its attribute {guilty[0]!r} cannot be pickled" if guilty else str(error)[:100]
        raise TypeError(
            f"cache= needs to tell one {name} from another, and {where}: remove that attribute, "
            "or leave cache out."
        ) from error


def _can_be_hashed(value: Any) -> bool:
    try:
        _ContentHasher(hash_name="md5").hash(value)
    except Exception:
        return False
    return True


class VerdictCache:
    """Folder of verdicts, one small file for each hundred samples.

    The name of a file is a hash of the model, the samples, the attack and the versions of the
    libraries, so that a folder may serve any number of models, data and attacks, and processes at
    once. Files hold arrays and nothing that runs.

    Parameters
    ----------
    folder : path-like
        Made if it is missing.
    *parts : objects
        What all verdicts of one call depend on: the model first, then the attack and so on.
    """

    def __init__(self, folder: str | os.PathLike[str], *parts: Any) -> None:
        self.folder = Path(folder)
        self.key = content_hash([content_hash(part, _name_of(part)) for part in parts], "key")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"cache is {os.fspath(folder)!r}, which cannot be a folder ({error.strerror}): "
                "give a folder that can be written to."
            ) from error

    def recall(
        self, X: NDArray[Any], codes: NDArray[Any], compute: Callable[[], NDArray[Any]]
    ) -> NDArray[Any]:
        """Read the verdicts on some samples, or find them and write them down.

        Parameters
        ----------
        X, codes : arrays of n samples and of their class codes
            Which verdicts are meant.
        compute : callable
            ``() -> array of shape (n,)`` finds them.

        Returns
        -------
        found : array of shape (n,)
            As of ``compute``.
        """
        path = self.folder / f"{self._name(X, codes)}.npy"
        known = _read(path, len(X))
        if known is not None:
            return known
        found = compute()
        self._write(path, found)
        return found

    def _name(self, X: NDArray[Any], codes: NDArray[Any]) -> str:
        digest = hashlib.sha256(f"{self.key} {_VERSIONS} {X.shape} {X.dtype}".encode())
        digest.update(np.ascontiguousarray(X).data)
        digest.update(np.ascontiguousarray(codes).data)
        return digest.hexdigest()

    def _write(self, path: Path, found: NDArray[Any]) -> None:
        """Write one file as a whole or not at all."""
        try:
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    np.save(file, found, allow_pickle=False)
                os.replace(name, path)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            warnings.warn(
                f"verdicts cannot be written to cache {str(self.folder)!r} ({error.strerror}): "
                "the evaluation goes on, and what it finds from here on is not kept.",
                stacklevel=2,
            )


def _name_of(part: Any) -> str:
    return type(part).__name__


def _read(path: Path, n: int) -> NDArray[Any] | None:
    """Verdicts of a file; None where there is none, or one that is damaged."""
    try:
        found: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = isinstance(found, np.ndarray) and found.shape == (n,) and found.dtype.kind in "bf"
    return found if fits else None


def in_chunks(n: int, n_jobs: int | None, run: Callable[[slice], NDArray[Any]]) -> NDArray[Any]:
    """Join what ``run`` gives for each hundred of n samples, found by ``n_jobs`` processes."""
    parts = [slice(start, start + CHUNK) for start in range(0, n, CHUNK)]
    if joblib.effective_n_jobs(n_jobs) == 1:
        return np.concatenate([run(part) for part in parts])
    return np.concatenate(
        list(joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(run)(part) for part in parts))
    )
