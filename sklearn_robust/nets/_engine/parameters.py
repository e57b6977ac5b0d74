"""What each parameter that all nets share must be."""

from __future__ import annotations

import inspect
from functools import cache, partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import nn

from ... import _validation as check

__all__ = ["CRITERION", "LOADER", "MODULE", "OPTIMIZER", "MovesWeights", "check_shared", "unfit"]

MODULE = "'auto', a torch.nn.Module class or instance, or a function that returns one"
CRITERION = "a loss class of torch.nn, such as torch.nn.CrossEntropyLoss"
OPTIMIZER = "an optimiser class of torch.optim, such as torch.optim.Adam"
LOADER = "torch.utils.data.DataLoader or a class of the same arguments"


@runtime_checkable
class MovesWeights(Protocol):
    """Optimiser."""

    def step(self) -> Any: ...

    def zero_grad(self) -> Any: ...


def _check_module(name: str, value: Any) -> None:
    if isinstance(value, str):
        check.check_choice(name, value, ["auto"])
    elif not isinstance(value, nn.Module) and not _makes(value, nn.Module):
        raise ValueError(f"{name} is {check.shown(value)}; give {MODULE}.")


def _makes(value: Any, kind: type) -> bool:
    """Whether a call of ``value`` may make an object of a kind; a function may make anything."""
    return issubclass(value, kind) if isinstance(value, type) else callable(value)


def _check_batch_size(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value != -1:
        check.check_count(name, value)


def _check_nonlinearity(name: str, value: Any) -> None:
    if isinstance(value, str):
        check.check_choice(name, value, ["auto"])
    elif value is not None:
        check.check_callable(name, value, "'auto', None or a function of the module's output")


def _check_caching(name: str, value: Any) -> None:
    if isinstance(value, str):
        check.check_choice(name, value, ["auto"])
    else:
        check.check_flag(name, value)


def _check_labels(name: str, value: Any) -> None:
    array = isinstance(value, (list, tuple, np.ndarray))
    if value is not None and (not array or np.ndim(value) != 1 or not len(value)):
        raise ValueError(f"{name} is {check.shown(value)}; give a list of all labels, or None.")


def _check_options(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{name} is {check.shown(value)}; give a dict of options, or None.")


def _check_split(name: str, value: Any) -> None:
    if not callable(value) or isinstance(value, type):
        raise ValueError(f"{name} is {check.shown(value)}; give {_SPLIT}.")
    check.check_takes(name, value, "X, y")


_SPLIT = "a split such as skorch.dataset.ValidSplit(0.2), or None"
_DATASET = "a dataset class, such as skorch.dataset.Dataset"

CONSTRAINTS: dict[str, Any] = {
    "module": _check_module,
    "criterion": partial(check.check_callable, wanted=CRITERION),
    "optimizer": partial(check.check_callable, wanted=OPTIMIZER),
    "lr": partial(check.check_number, strict=True),
    "max_epochs": check.check_count,
    "batch_size": _check_batch_size,
    "train_split": check.optional(_check_split),
    "iterator_train__shuffle": check.check_flag,
    "iterator_train": partial(check.check_callable, wanted=LOADER),
    "iterator_valid": partial(check.check_callable, wanted=LOADER),
    "dataset": partial(check.check_callable, wanted=_DATASET),
    "classes": _check_labels,
    "predict_nonlinearity": _check_nonlinearity,
    "warm_start": check.check_flag,
    "compile": check.check_flag,
    "use_caching": _check_caching,
    "torch_load_kwargs": _check_options,
}


@cache
def _defaults(cls: Any) -> dict[str, Any]:
    parameters = inspect.signature(cls).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


def check_shared(net: Any) -> None:
    """Raise unless each parameter that all nets share meets its constraint.

    Those at their defaults do, so that an ordinary fit pays nothing.
    """
    cls: Any = type(net)
    defaults = _defaults(cls)
    given = {}
    for name, value in vars(net).items():
        if value is not defaults.get(name, net) and (name in CONSTRAINTS or name in check.COMMON):
            given[name] = value
    if given:
        check.validate(given, **CONSTRAINTS)


def unfit(name: str, given: Any, made: Any, wanted: str) -> ValueError:
    """Error that names the parameter of which something useless was built."""
    return ValueError(
        f"{name} is {check.shown(given)}, which made {check.shown(made)}; give {wanted}."
    )
