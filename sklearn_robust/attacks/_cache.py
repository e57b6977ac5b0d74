"""Verdicts on disk, so that an evaluation that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from joblib.hashing import NumpyHasher
from numpy.typing import NDArray

from .._version import __version__

__all__ = ["CHUNK", "KeptEntry", "VerdictCache", "content_hash"]

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
        self.writable = True
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError, ValueError) as error:
            raise ValueError(
                f"cache is {os.fspath(folder)!r}, which cannot be a folder "
                f"({getattr(error, 'strerror', error)}): give a folder that can be written to."
            ) from error
        except OSError as error:
            self._cannot_write(error)

    def entry(self, X: NDArray[Any], codes: NDArray[Any]) -> KeptEntry:
        """Return the place of the verdicts on some samples.

        Parameters
        ----------
        X, codes : arrays of n samples and of their class codes
            Which verdicts are meant.

        Returns
        -------
        entry : KeptEntry
            Reads and writes them.
        """
        digest = hashlib.sha256(f"{self.key} {_VERSIONS} {X.shape} {X.dtype}".encode())
        digest.update(np.ascontiguousarray(X).data)
        digest.update(np.ascontiguousarray(codes).data)
        return KeptEntry(self, digest.hexdigest())

    def write(self, path: Path, found: NDArray[Any]) -> None:
        """Write one file as a whole or not at all; a folder that cannot be written to is told of.

        Parameters
        ----------
        path : path
            In the folder.
        found : array
            What to write.
        """
        if not self.writable:
            return
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
            self._cannot_write(error)

    def _cannot_write(self, error: OSError) -> None:
        self.writable = False  # told of once
        warnings.warn(
            f"verdicts cannot be written to cache {str(self.folder)!r} ({error.strerror}): "
            "the evaluation goes on, and what it finds from here on is not kept.",
            stacklevel=3,
        )


class KeptEntry:
    """Place of the verdicts on some samples in a folder, and of what finds them by stages.

    Parameters
    ----------
    cache : VerdictCache
        The folder.
    name : str
        Of the file, without its suffix.
    """

    def __init__(self, cache: VerdictCache, name: str) -> None:
        self.cache, self.name = cache, name
        self._stages: list[KeptEntry] = []

    @property
    def path(self) -> Path:
        """File of the verdicts."""
        return self.cache.folder / f"{self.name}.npy"

    def recall(
        self, shape: tuple[int, ...], compute: Callable[[], NDArray[Any]]
    ) -> NDArray[np.float64]:
        """Read the verdicts, or find them and write them down.

        Parameters
        ----------
        shape : tuple
            Of the verdicts.
        compute : callable
            ``() -> float64 array`` finds them.

        Returns
        -------
        found : float64 array
            As of ``compute``.
        """
        known = _read(self.path, shape)
        if known is not None:
            return known
        found = compute()
        self.cache.write(self.path, found)
        for stage in self._stages:  # the whole is known from now on
            with suppress(OSError):
                stage.path.unlink()
        return found

    def stage(self, number: int, rows: NDArray[np.int64]) -> KeptEntry:
        """Return the place of what one stage of a search finds on some of the samples.

        Parameters
        ----------
        number : int
            Of the stage.
        rows : int array
            Which of the samples the stage sees.

        Returns
        -------
        entry : KeptEntry
            Its file goes once the verdicts of all stages are written.
        """
        digest = hashlib.sha256(f"{self.name} {number}".encode())
        digest.update(np.ascontiguousarray(rows).data)
        entry = KeptEntry(self.cache, digest.hexdigest())
        self._stages.append(entry)
        return entry


def _name_of(part: Any) -> str:
    return type(part).__name__


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Verdicts of a file; None where there is none, or one that is damaged."""
    try:
        found: NDArray[np.float64] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = isinstance(found, np.ndarray) and found.shape == shape and found.dtype == np.float64
    return found if fits else None
