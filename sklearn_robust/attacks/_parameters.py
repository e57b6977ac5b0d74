"""Parameters of attacks: constructors made of class attributes, and their checks."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

from .. import _validation as check
from .._docstrings import fill_docstring

__all__ = ["attack_class", "check_numbers"]

_C = TypeVar("_C", bound=type)

_COUNTS = {
    "batch_size",
    "max_flips",
    "max_iter",
    "n_candidates",
    "n_directions",
    "n_eot",
    "n_restarts",
    "n_searches",
    "n_target_classes",
    "patience",
}
_NUMBERS: dict[str, dict[str, Any]] = {
    "decay": {},
    "gamma": {"high": 1.0, "strict": True},
    "overshoot": {},
    "p_init": {"high": 1.0, "strict": True},
    "sigma": {"strict": True},
    "step_size": {"strict": True},
}
_FLAGS = {"random_start", "targeted"}
_SHARED = {"random_state", "verbose"}
_MAY_BE_NONE = {"batch_size", "max_flips", "n_target_classes", "patience", "step_size"}
_LAST = ("batch_size", "on_nan", "random_state", "verbose")  # of a signature


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def attack_class(cls: _C) -> _C:
    """Give an attack a constructor whose parameters are its annotated class attributes.

    Their values are the defaults. Inherited parameters are kept; all but ``estimator`` are
    keyword-only. ``get_params``, ``set_params`` and ``clone`` know the new ones, and so do the
    parameters of nets that train with the attack. A line such as ``%(eps)s`` in the docstring
    stands for the text that all attacks have of a parameter.

    Parameters
    ----------
    cls : subclass of BaseAttack or GradientAttack
        With annotated attributes, such as ``n_points: int = 30``.

    Returns
    -------
    cls : subclass of BaseAttack or GradientAttack
        The same class, so that the function serves as a decorator.

    See Also
    --------
    BaseAttack : Base of all attacks.

    Examples
    --------
    >>> from sklearn_robust.attacks import PGD, attack_class
    >>> @attack_class
    ... class PatientPGD(PGD):
    ...     patience: int = 5
    >>> PatientPGD(eps=0.1, patience=3)
    PatientPGD(eps=0.1, patience=3)
    """
    made: Any = dataclass(kw_only=True, repr=False, eq=False)(cls)
    init = vars(fill_docstring(made))["__init__"]
    signature = inspect.signature(init)
    ordered = sorted(signature.parameters.values(), key=lambda param: param.name in _LAST)
    init.__signature__ = signature.replace(parameters=ordered)
    return made


def check_numbers(params: Mapping[str, Any]) -> None:
    """Raise unless counts and numbers among the parameters of an attack are in range."""
    given = {
        name: value
        for name, value in params.items()
        if not (value is None and name in _MAY_BE_NONE)
    }
    for name in _FLAGS & given.keys():
        if given[name] is not True and given[name] is not False:
            check.check_flag(name, given[name])
    if (
        type(given.get("verbose")) is not int
        or given["verbose"] < 0
        or given.get("random_state") is not None
    ):
        check.validate({name: given[name] for name in _SHARED & given.keys()})
    for name in _COUNTS & given.keys():
        check.check_count(name, given[name])
    for name in _NUMBERS.keys() & given.keys():
        check.check_number(name, given[name], **_NUMBERS[name])
