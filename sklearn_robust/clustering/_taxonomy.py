"""Superclasses as users write them: one for each class, or a dictionary of their classes."""

from collections.abc import Mapping, Set

import numpy as np

__all__ = ["superclass_codes"]


def superclass_codes(superclasses, classes, *, groups=True):
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
        Names of the superclasses: sorted, or in the order of the dictionary.
    """
    classes = np.asarray(classes)
    if isinstance(superclasses, Mapping):
        codes, names = _from_dict(superclasses, classes), np.asarray([*superclasses])
    else:
        given = np.asarray(superclasses)
        if given.shape != classes.shape:
            raise ValueError(
                f"superclasses has shape {given.shape}, but there are {len(classes)} classes "
                f"{classes[:10].tolist()}: give one superclass for each of them, in that order, or "
                "a dictionary {superclass: [classes]}."
            )
        names, codes = np.unique(given, return_inverse=True)
    sizes = np.bincount(codes, minlength=len(names))
    if groups and (len(names) < 2 or sizes.max() < 2):
        raise ValueError(
            f"superclasses puts {len(classes)} classes into {len(names)}: give at least two "
            "superclasses, and one of them at least two classes."
        )
    return codes.astype(np.int64), names


def _from_dict(superclasses, classes):
    place = {label: number for number, label in enumerate(classes.tolist())}
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
