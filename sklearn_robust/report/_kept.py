"""What a comparison has finished, on disk, so that one that was killed goes on from there."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nets._persistence.atomic_write import atomic_write

__all__ = ["Finished", "Kept", "difference"]


@dataclass
class Finished:
    """One part of a comparison.

    Attributes
    ----------
    key : dict
        Everything that the part depends on, as plain data.
    plain : dict
        Its numbers.
    arrays : dict of str to array
        Its arrays.
    """

    key: dict[str, Any]
    plain: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


class Kept:
    """Folder with one file for each part that a comparison has finished.

    Files hold arrays and JSON, and nothing that runs. A file is written as a whole or not at all.

    Parameters
    ----------
    output : str or Path
        Folder of the report.
    """

    def __init__(self, output: str | Path) -> None:
        self.folder = Path(output) / "kept"

    def read(self, name: str) -> Finished | None:
        """Return the part of this name, or None where there is none, or a damaged one."""
        try:
            with open(self._path(name), "rb") as file, np.load(file, allow_pickle=False) as parts:
                arrays = dict(parts)
            found = json.loads(str(arrays.pop("json")))
            return Finished(found["key"], found["plain"], arrays)
        except Exception:  # a damaged file may fail in any way
            return None

    def write(self, name: str, part: Finished) -> None:
        """Write the part of this name; a disk that takes nothing more is told of."""
        text = json.dumps({"key": part.key, "plain": part.plain})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path(name)) as file:
                arrays: dict[str, Any] = {"json": np.array(text), **part.arrays}
                np.savez_compressed(file, **arrays)
        except OSError as error:
            warnings.warn(
                f"{name} cannot be kept in {self.folder} ({error.strerror}): the comparison goes "
                "on, and --resume will have to do this part again.",
                stacklevel=2,
            )

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """Say what one key has and another has not, or None where they are equal.

    Parameters
    ----------
    old, new : dict
        Keys: of what was kept, and of what is asked for.

    Returns
    -------
    text : str or None
        Such as "train_eps was 0.1 and is 0.2".
    """
    old, new = json.loads(json.dumps(old)), json.loads(json.dumps(new))
    for name in [*new, *old]:
        if old.get(name) != new.get(name):
            if name in _HASHES:
                return f"{name} changed"
            return f"{name} was {_short(old.get(name))} and is {_short(new.get(name))}"
    return None


_HASHES = ("the data", "the model", "the model's file", "the results")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
