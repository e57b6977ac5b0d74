"""One signature for a net: its own parameters, the base's, then skorch's."""

from __future__ import annotations

import inspect

__all__ = ["merge_signatures"]


def merge_signatures(cls: type, *ancestors: type) -> None:
    """Give ``cls.__init__`` a signature that lists every named parameter.

    With ``**kwargs`` alone scikit-learn's printer would list all of skorch's parameters as
    changed, and ``help`` would list none.
    """
    merged: dict[str, inspect.Parameter] = {}
    for owner in (cls, *ancestors):
        for name, parameter in inspect.signature(owner.__dict__["__init__"]).parameters.items():
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                merged.setdefault(name, parameter)
    first = [merged.pop("self"), merged.pop("module")]
    rest = [p.replace(kind=p.KEYWORD_ONLY) for p in merged.values()]
    extra = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
    vars(cls)["__init__"].__signature__ = inspect.Signature([*first, *rest, extra])
