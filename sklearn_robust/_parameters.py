"""Checks of parameters: each message says what came and what to give instead."""

from __future__ import annotations

import inspect
import numbers
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = [
    "COMMON",
    "Constraint",
    "cannot_use",
    "check_attack",
    "check_callable",
    "check_choice",
    "check_count",
    "check_flag",
    "check_jobs",
    "check_learner",
    "check_names",
    "check_number",
    "check_options",
    "check_path",
    "check_seed",
    "check_shape",
    "check_takes",
    "check_temperature",
    "check_text",
    "check_verbose",
    "check_weights",
    "optional",
    "shown",
    "validate",
]

Constraint = Callable[[str, Any], Any]  # raises unless the value of the name is fine
MOST = 10**9  # of anything that is counted


@runtime_checkable
class _Evaluator(Protocol):
    """Object that attacks the samples of an estimator."""

    def evaluate(self, estimator: Any, X: Any, y: Any = None) -> Any: ...


@runtime_checkable
class _Axes(Protocol):
    """Part of a matplotlib figure."""

    figure: Any

    def get_subplotspec(self) -> Any: ...


@runtime_checkable
class _Learner(Protocol):
    """Object that can be fitted."""

    def fit(self, X: Any, y: Any) -> Any: ...


AttackT = TypeVar("AttackT")


def shown(value: Any) -> str:
    """Text of a value for a message: at most about a line, whatever it is."""
    try:
        text = repr(value)
    except Exception:  # a repr of another author
        text = f"an object of type {type(value).__name__}"
    return text if len(text) <= 200 else f"{text[:150]}... ({type(value).__name__})"


def check_choice(name: str, value: Any, choices: Collection[str]) -> str:
    """Raise unless ``value`` is one of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {shown(value)}; choose one of {sorted(choices)}.")
    return value


def check_number(
    name: str, value: Any, *, low: float = 0.0, high: float = np.inf, strict: bool = False
) -> float:
    """Raise unless ``value`` is a number from ``low`` to ``high``, above ``low`` if strict."""
    good = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if good and isinstance(value, numbers.Integral) and abs(int(value)) > 10**18:
        raise ValueError(f"{name} is {shown(value)}; type so large a number as a float, {value:g}.")
    if not good or not low <= value <= high or (strict and value == low):
        wanted = f"a number {'above' if strict else 'of at least'} {low:g}"
        if high < np.inf:
            wanted += f" and at most {high:g}"
        raise ValueError(f"{name} is {shown(value)}; give {wanted}.")
    return float(value)


def check_count(name: str, value: Any, *, low: int = 1, high: int = MOST) -> int:
    """Raise unless ``value`` is an integer from ``low`` to ``high``."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        above = f" and at most {high}" if whole and value > high else ""
        raise ValueError(f"{name} is {shown(value)}; give an integer of at least {low}{above}.")
    return int(value)


def check_temperature(name: str, value: Any) -> float:
    """Raise unless ``value`` is a number above 0."""
    return check_number(name, value, strict=True)


def check_options(name: str, value: Any) -> None:
    """Raise unless ``value`` is a dict of arguments."""
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {shown(value)}; give a dict, such as {{'name': 1}}.")


def check_flag(name: str, value: Any) -> bool:
    """Raise unless ``value`` is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} is {shown(value)}; give True or False.")
    return bool(value)


def check_seed(name: str, value: Any) -> None:
    """Raise unless ``value`` is a ``random_state`` in scikit-learn's sense."""
    if value is None or isinstance(value, np.random.RandomState) or value is np.random:
        return
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not 0 <= value < 2**32:
        raise ValueError(
            f"{name} is {shown(value)}; give an integer from 0 to 2**32 - 1, a "
            "numpy.random.RandomState, or None for another result on every call."
        )


def check_verbose(name: str, value: Any) -> None:
    """Raise unless ``value`` is a bool or an integer from 0."""
    if not isinstance(value, (bool, np.bool_)):
        check_count(name, value, low=0)


def check_jobs(name: str, value: Any) -> None:
    """Raise unless ``value`` is a number of processes, as joblib counts them, or None."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if value is not None and (not whole or value == 0 or abs(value) > 10**5):
        raise ValueError(
            f"{name} is {shown(value)}; give the number of processes, -1 for one per core, or None."
        )


def check_axes(name: str, value: Any) -> None:
    """Raise unless ``value`` looks like the Axes of matplotlib."""
    if isinstance(value, type) or not isinstance(value, _Axes):
        raise TypeError(
            f"{name} is {shown(value)}; give matplotlib Axes, such as pyplot.gca(), or None."
        )


def check_many_axes(name: str, value: Any) -> None:
    """Raise unless ``value`` is a sequence of what looks like Axes, or an array of them."""
    for one in check_names(name, value, "a list of matplotlib Axes, or None"):
        for axes in one.flat if isinstance(one, np.ndarray) else (one,):
            check_axes(f"one of {name}", axes)


def check_text(name: str, value: Any) -> str:
    """Raise unless ``value`` is a text."""
    if not isinstance(value, str):
        raise ValueError(f"{name} is {shown(value)}; give a text.")
    return value


def check_callable(name: str, value: Any, wanted: str = "a function") -> None:
    """Raise unless ``value`` can be called."""
    if not callable(value):
        raise ValueError(f"{name} is {shown(value)}; give {wanted}.")


def check_takes(name: str, value: Any, arguments: str) -> None:
    """Raise unless ``value`` is a function of as many arguments as ``arguments`` names."""
    wanted = f"a function of ({arguments})"
    if isinstance(value, type):
        raise ValueError(f"{name} is {shown(value)}; give {wanted}, not a class.")
    check_callable(name, value, wanted)
    try:
        inspect.signature(value).bind(*arguments.split(", "))
    except TypeError as error:
        raise cannot_use(name, value, error, wanted) from None
    except ValueError:  # a function in C tells nothing
        return


def check_names(name: str, value: Any, wanted: str) -> tuple[Any, ...]:
    """Several values, of any iterable that is no text, as a tuple that is not empty."""
    kinds = (list, tuple, set, frozenset, dict, range, Iterator)
    array = isinstance(value, (np.ndarray, torch.Tensor)) and value.ndim > 0
    items = tuple(value) if array or isinstance(value, kinds) else ()
    if not items:
        raise ValueError(f"{name} is {shown(value)}; give {wanted}.")
    return items


def check_path(name: str, value: Any) -> str | os.PathLike[str]:
    """Raise unless ``value`` can be the path of a file or folder."""
    good = isinstance(value, (str, os.PathLike))
    path = os.fspath(value) if good else ""
    if not isinstance(path, str) or not path or "\0" in path:
        raise ValueError(f"{name} is {shown(value)}; give a path, such as {name}='file'.")
    if max(map(len, path.split(os.sep))) > 255:
        raise ValueError(f"{name} is {shown(value)}; no file can have so long a name.")
    return value


def check_weights(weights: Any, n_samples: int) -> NDArray[np.float64] | None:
    """Weights of samples as float64, or None; each finite, none negative, not all zero."""
    if weights is None:
        return None
    try:
        array = np.asarray(weights)
        array = array.astype(np.float64) if array.dtype.kind in "biuf" else np.array(np.nan)
    except (TypeError, ValueError, RuntimeError):
        array = np.array(np.nan)
    good = array.shape == (n_samples,) and np.isfinite(array).all() and (array >= 0).all()
    if not good or (n_samples and not array.any()):
        raise ValueError(
            f"sample_weight is {shown(weights)}; give one finite number of at least 0 for each of "
            f"the {n_samples} samples, not all 0, or None."
        )
    return array


# -- declared constraints ------------------------------------------------------------------------


def optional(check: Constraint) -> Constraint:
    """Constraint that None meets, too."""
    return partial(_optional, check)


def _optional(check: Constraint, name: str, value: Any) -> None:
    if value is not None:
        check(name, value)


# What a parameter of one of these names must be, wherever it stands.
COMMON: dict[str, Constraint] = {
    "ax": optional(check_axes),
    "axes": optional(check_many_axes),
    "colorbar": check_flag,
    "batch_size": optional(check_count),
    "cache": optional(check_path),
    "n_jobs": check_jobs,
    "name": optional(check_text),
    "random_state": check_seed,
    "verbose": check_verbose,
}


def validate(params: Mapping[str, Any], **constraints: Constraint) -> None:
    """Raise unless every parameter meets its constraint, or that of ``COMMON``.

    Parameters
    ----------
    params : dict
        Values by name, such as ``vars(estimator)``, or ``locals()`` in a function's first line.
    **constraints
        ``tau=partial(check_number, strict=True)`` and so on.
    """
    for name, check in {**COMMON, **constraints}.items():
        if name in params:
            check(name, params[name])


def cannot_use(name: str, given: Any, error: Exception, wanted: str) -> ValueError:
    """Error that names the parameter whose value failed when it was used."""
    reason = str(error).split("\n")[0].rstrip(".")
    return ValueError(
        f"{name} is {shown(given)}, which cannot be used ({reason:.200}): give {wanted}."
    )


# -- objects -------------------------------------------------------------------------------------


def check_attack(attack: AttackT) -> AttackT:
    """Raise unless ``attack`` is an attack instance."""
    if isinstance(attack, type) or not isinstance(attack, _Evaluator):
        raise TypeError(
            f"attack is {shown(attack)}; give an attack instance, such as PGD(eps=0.1)."
        )
    return attack


def check_learner(name: str, value: Any) -> None:
    """Raise unless ``value`` is an estimator, not a class of one."""
    if isinstance(value, type) or not isinstance(value, _Learner):
        raise TypeError(
            f"{name} is {shown(value)}; give an estimator, such as LogisticRegression()."
        )


def check_shape(name: str, shape: Any) -> tuple[int, ...]:
    """Shape of one sample as a tuple of positive integers."""
    array = isinstance(shape, np.ndarray) and shape.ndim == 1
    axes = tuple(shape) if array or isinstance(shape, (tuple, list)) else ()
    good = bool(axes)
    for n in axes:
        whole = isinstance(n, numbers.Integral) and not isinstance(n, bool)
        good = good and whole and 0 < n <= MOST
    if not good:
        raise ValueError(
            f"{name} is {shown(shape)}; give the shape of one sample as a tuple of positive "
            "integers, such as (3, 32, 32) for images or (4,) for rows."
        )
    return tuple(map(int, axes))
