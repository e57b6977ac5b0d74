"""The papers' settings of ordinary parameters, by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from inspect import signature
from typing import Any

import torch
from skorch import NeuralNet

from ... import _validation as check

__all__ = ["check_recipe", "recipe_given", "recipe_params"]

_SGD = {
    "optimizer": torch.optim.SGD,
    "optimizer__momentum": 0.9,
    "batch_size": 128,
    "augment": "crop-flip",
}
_RECIPES = {
    "fast-cifar": {
        **_SGD,
        "lr": 0.2,
        "lr_schedule": "cyclic",
        "max_epochs": 15,
        "optimizer__weight_decay": 5e-4,
    },
    "gairat-resnet18": {
        **_SGD,
        "lr": 0.1,
        "lr_schedule": ((31, 0.1), (61, 0.01)),
        "max_epochs": 100,
        "optimizer__weight_decay": 2e-4,
    },
    "trades-wrn": {
        **_SGD,
        "lr": 0.1,
        "lr_schedule": ((75, 0.1),),
        "max_epochs": 76,
        "optimizer__weight_decay": 2e-4,
    },
}
_ABSENT = object()


# What only some nets have, of the same recipes; none of the papers lets eps grow.
_OF_NETS: dict[str, dict[str, Any]] = {
    "fast-cifar": {"eps_warm_up": 0},
    "gairat-resnet18": {"eps_warm_up": 0, "burn_in": 30},
    "trades-wrn": {"eps_warm_up": 0},
}


def recipe_params(name: str, net: Any = None) -> dict[str, Any]:
    """Training parameters as a paper used them.

    Parameters
    ----------
    name : {"fast-cifar", "gairat-resnet18", "trades-wrn"}
        Whose settings: of "Fast is better than free" on CIFAR-10, of GAIRAT's ResNet-18, of
        TRADES' WideResNet-34-10.
    net : class of a net, default=None
        Adds the settings that this class has and others lack: GAIRAT's burn-in of 30 epochs, and
        an eps that does not grow over the first epochs. None leaves them out, for any net.

    Returns
    -------
    params : dict
        Optimiser, learning rate and its schedule, epochs, batch size and augmentation. Module
        and attack are left to the net.

    Notes
    -----
    ``Net(**recipe_params(name))`` trains with them. To change one of them, merge the dicts:
    ``Net(**{**recipe_params(name), "max_epochs": 30})``.

    Examples
    --------
    >>> from sklearn_robust.nets import recipe_params
    >>> recipe_params("gairat-resnet18")["lr_schedule"]
    ((31, 0.1), (61, 0.01))
    >>> from sklearn_robust import GAIRATNet
    >>> recipe_params("gairat-resnet18", GAIRATNet)["burn_in"]
    30
    """
    params = dict(_RECIPES[check.check_choice("recipe", name, _RECIPES)])
    if net is None:
        return params
    if not (isinstance(net, type) and issubclass(net, NeuralNet)):
        raise TypeError(f"net is {check.shown(net)}; give the class of a net, such as MinMaxNet.")
    known = {p for cls in net.__mro__ for p in _parameters_of(cls)}
    return params | {key: value for key, value in _OF_NETS[name].items() if key in known}


def _parameters_of(cls: type) -> list[str]:
    """Names of what a class's own constructor takes."""
    own = vars(cls).get("__init__")
    return [] if own is None else list(signature(own).parameters)


def check_recipe(net: Any) -> None:
    """Raise if a parameter was given that the net's recipe sets to something else."""
    defaults = signature(type(net)).parameters
    for name, value in recipe_params(net.recipe, type(net)).items():
        given = net.__dict__.get(name, _ABSENT)
        default = defaults[name].default if name in defaults else _ABSENT
        if given is not default and given != default and given != value:
            raise ValueError(
                f"recipe={net.recipe!r} sets {name}={value!r}, and {name}={given!r} was given too: "
                f"leave one out, or type {type(net).__name__}(**{{**recipe_params({net.recipe!r}), "
                f"{name!r}: {given!r}}})."
            )


def recipe_given(net: Any, *, warn: bool = False) -> AbstractContextManager[None]:
    """Context in which a net has the parameters that its recipe stands for."""
    if net.recipe is None:
        return nullcontext()
    check_recipe(net)
    if warn:
        warnings.warn(
            f"the parameter recipe goes in the next release: type {type(net).__name__}"
            f"(**recipe_params({net.recipe!r})), with recipe_params of sklearn_robust.nets.",
            FutureWarning,
            stacklevel=3,
        )
    return _changed(net, recipe_params(net.recipe, type(net)))


@contextmanager
def _changed(net: Any, params: dict[str, Any]) -> Iterator[None]:
    own = net.__dict__
    given = {name: own.get(name, _ABSENT) for name in params}
    own.update(params)
    try:
        yield
    finally:
        for name, value in given.items():
            if value is _ABSENT:
                del own[name]
            else:
                own[name] = value
