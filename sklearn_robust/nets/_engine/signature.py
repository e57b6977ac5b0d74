"""One signature for a net: its own parameters, the base's, then skorch's."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["merge_signatures"]

# skorch's own parameters, which it does not annotate.
_HINTS = {
    "classes": "ArrayLike | None",
    "predict_nonlinearity": "Callable | str | None",
    "warm_start": "bool",
    "compile": "bool",
    "use_caching": "bool | str",
    "torch_load_kwargs": "dict[str, Any] | None",
}


def merge_signatures(cls: type, *ancestors: type) -> None:
    """Give ``cls.__init__`` a signature that lists every named parameter.

    With ``**kwargs`` alone scikit-learn's printer would list all of skorch's parameters as
    changed, and ``help`` would list none.
    """
    merged: dict[str, inspect.Parameter] = {}
    for owner in (cls, *ancestors):
        for name, parameter in inspect.signature(owner.__dict__["__init__"]).parameters.items():
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                merged.setdefault(name, parameter.replace(annotation=_hint(parameter)))
    first = [merged.pop("self"), merged.pop("module")]
    rest = [p.replace(kind=p.KEYWORD_ONLY) for p in merged.values()]
    extra = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD, annotation=Any)
    signature = inspect.Signature([*first, *rest, extra], return_annotation=None)
    vars(cls)["__init__"].__signature__ = signature


def _hint(parameter: inspect.Parameter) -> Any:
    """Annotation of a parameter; skorch's components may be anything."""
    own = parameter.annotation
    return own if own is not parameter.empty else _HINTS.get(parameter.name, "Any")
