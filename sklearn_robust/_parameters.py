"""Checks of parameters: each message says what came and what to give instead."""

from __future__ import annotations

import numbers
from collections.abc import Collection
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch

__all__ = ["check_attack", "check_choice", "check_count", "check_number", "check_shape"]


@runtime_checkable
class _Evaluator(Protocol):
    """Object that attacks the samples of an estimator."""

    def evaluate(self, estimator: Any, X: Any, y: Any = None) -> Any: ...


AttackT = TypeVar("AttackT")


def check_choice(name: str, value: Any, choices: Collection[str]) -> str:
    """Raise unless ``value`` is one of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {value!r}; choose one of {sorted(choices)}.")
    return value


def check_number(
    name: str, value: Any, *, low: float = 0.0, high: float = np.inf, strict: bool = False
) -> float:
    """Raise unless ``value`` is a number from ``low`` to ``high``, above ``low`` if strict."""
    good = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not good or not low <= value <= high or (strict and value == low):
        wanted = f"a number {'above' if strict else 'of at least'} {low:g}"
        if high < np.inf:
            wanted += f" and at most {high:g}"
        raise ValueError(f"{name} is {value!r}; give {wanted}.")
    return float(value)


def check_count(name: str, value: Any, *, low: int = 1) -> int:
    """Raise unless ``value`` is an integer of at least ``low``."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < low:
        raise ValueError(f"{name} is {value!r}; give an integer of at least {low}.")
    return int(value)


def check_attack(attack: AttackT) -> AttackT:
    """Raise unless ``attack`` is an attack instance."""
    if isinstance(attack, type) or not isinstance(attack, _Evaluator):
        raise TypeError(f"attack is {attack!r}; give an attack instance, such as PGD(eps=0.1).")
    return attack


def check_shape(name: str, shape: Any) -> tuple[int, ...]:
    """Shape of one sample as a tuple of positive integers."""
    axes = tuple(shape) if isinstance(shape, (tuple, list, np.ndarray, torch.Size)) else ()
    if not axes or not all(isinstance(n, numbers.Integral) and int(n) > 0 for n in axes):
        raise ValueError(
            f"{name} is {shape!r}; give the shape of one sample as a tuple of positive integers, "
            "such as (3, 32, 32) for images or (4,) for rows."
        )
    return tuple(int(n) for n in axes)
