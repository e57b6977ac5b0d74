"""Superclasses as users write them: one for each class, or a dictionary of their classes."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Set
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["superclass_codes"]


def superclass_codes(
    superclasses: ArrayLike | Mapping[Any, Any], classes: ArrayLike, *, groups: bool = True
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Superclass of each class.

    Parameters
    ----------
    superclasses : array-like of shape (n_classes,) or dict
        The superclass of each class, in the order of ``classes``; or the list of its classes
        for each superclass.
    classes : array of shape (n_classes,)
        Labels of the classes.
    groups : bool, default=True
        Whether there must be two superclasses, one of them with two classes.

    Returns
    -------
    codes : array of shape (n_classes,), int64
        Position in ``names``.
    names : array of shape (n_superclasses,)
        Names of the superclasses: sorted, or in the given order where they cannot be compared.
    """
    classes = np.asarray(classes)
    if isinstance(superclasses, Mapping):
        given = _row([*superclasses])[_from_dict(superclasses, classes)]
    else:
        given = _row(superclasses)
    if given.shape != classes.shape:
        raise ValueError(
            f"superclasses has shape {given.shape}, but there are {len(classes)} classes "
            f"{classes[:10].tolist()}: give one superclass for each of them, in that order, or "
            "a dictionary {superclass: [classes]}."
        )
    codes, names = _numbered(given, superclasses)
    sizes = np.bincount(codes, minlength=len(names))
    if groups and (len(names) < 2 or sizes.max() < 2):
        raise ValueError(
            f"superclasses puts {len(classes)} classes into {len(names)}: give at least two "
            "superclasses, and one of them at least two classes."
        )
    return codes, names


def _row(names: Any) -> NDArray[Any]:
    """Names as an array of one axis: tuples, and text among numbers, keep their types."""
    listed = names if isinstance(names, (list, tuple)) else []
    mixed = len({isinstance(name, str) for name in listed}) > 1
    if mixed or any(isinstance(name, tuple) for name in listed):
        return np.fromiter(names, dtype=object, count=len(names))
    return np.asarray(names)


def _numbered(given: NDArray[Any], names: Any) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Code of each class's superclass, and the names, sorted where they can be."""
    try:
        names, codes = np.unique(given, return_inverse=True)
    except TypeError:
        names = [*dict.fromkeys(names)]
        place = {name: code for code, name in enumerate(names)}
        names, codes = _row(names), np.array([place[name] for name in given.tolist()])
    return codes.astype(np.int64), names


def _check_direction(superclasses: Mapping[Any, Any], place: dict[Any, int]) -> None:
    """Raise if the keys are classes and the values superclasses."""
    values = [*superclasses.values()]
    single = all(isinstance(value, (str, numbers.Number, np.generic)) for value in values)
    if single and set(superclasses) <= set(place) and len(set(values)) < len(values):
        raise ValueError(
            f"superclasses is {{{next(iter(superclasses))!r}: {values[0]!r}, ...}}, from classes "
            "to superclasses: give it the other way round, {superclass: [classes]}."
        )


def _from_dict(superclasses: Mapping[Any, Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    place = {label: number for number, label in enumerate(classes.tolist())}
    _check_direction(superclasses, place)
    codes = np.full(len(classes), -1)
    for code, (name, members) in enumerate(superclasses.items()):
        if isinstance(members, Set):
            members = [*members]
        members = np.asarray(members).reshape(-1).tolist()
        unknown = [label for label in members if label not in place]
        if unknown:
            raise ValueError(
                f"superclass {name!r} has the classes {unknown[:5]}, which are unknown; known are "
                f"{classes[:10].tolist()}."
            )
        rows = [place[label] for label in members]
        if not rows or np.any(codes[rows] >= 0) or len(set(rows)) < len(rows):
            raise ValueError(
                f"superclass {name!r} is empty or shares a class: each class belongs to one."
            )
        codes[rows] = code
    if np.any(codes < 0):
        raise ValueError(
            f"superclasses misses the classes {classes[codes < 0][:5].tolist()}: put each class "
            "into one superclass."
        )
    return codes
