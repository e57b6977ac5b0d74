"""Processes that share work, and what to say where something cannot travel to them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any

import joblib
from joblib.externals.loky.backend.reduction import dumps

__all__ = ["n_workers", "run_shared", "unpicklable_attribute"]


def n_workers(n_jobs: int | None) -> int:
    """Return how many workers ``n_jobs`` stands for in the joblib backend of the caller."""
    return int(joblib.effective_n_jobs(n_jobs))


def run_shared(
    run: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], n_jobs: int | None, what: Any
) -> list[Any]:
    """Call ``run(*task)`` for each task, by the workers of joblib's current backend.

    Parameters
    ----------
    run : callable
        What each worker does.
    tasks : iterable of tuples
        Arguments.
    n_jobs : int or None
        As for joblib.
    what : object
        The estimator, which an error is about if it cannot travel.

    Returns
    -------
    results : list
        In the order of the tasks.

    Raises
    ------
    TypeError
        If the estimator cannot be pickled.
    """
    if n_workers(n_jobs) == 1:
        return [run(*task) for task in tasks]
    try:
        return list(joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(run)(*task) for task in tasks))
    except (pickle.PicklingError, TypeError) as error:
        guilty = unpicklable_attribute(what)
        if guilty is None:
            raise
        raise TypeError(
            f"n_jobs={n_jobs!r} sends {type(what).__name__} to other processes, and its attribute "
            f"{guilty!r} cannot be pickled: remove that attribute, leave n_jobs out, or share "
            'threads by joblib.parallel_config("threading").'
        ) from error


def unpicklable_attribute(what: Any) -> str | None:
    """Return the dotted name of an attribute that cannot be pickled; None if all of it can.

    Parameters
    ----------
    what : object
        Estimator or module.
    """
    if _can_travel(what):
        return None
    for name, value in _parts(what):
        if not _can_travel(value):
            inner = unpicklable_attribute(value) if _parts(value) else None
            return name if inner is None else f"{name}.{inner}"
    return type(what).__name__


def _parts(what: Any) -> list[tuple[str, Any]]:
    own = vars(what) if hasattr(what, "__dict__") and not isinstance(what, type) else {}
    return list(own.items())


def _can_travel(value: Any) -> bool:
    try:
        dumps(value)
    except Exception:  # whatever the pickling of a part raises
        return False
    return True
