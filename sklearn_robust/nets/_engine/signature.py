"""One signature for a net: its own parameters, the base's, then skorch's."""

import inspect

__all__ = ["merge_signatures"]


def merge_signatures(cls, *ancestors):
    """Give ``cls.__init__`` a signature that lists every named parameter.

    With ``**kwargs`` alone scikit-learn's printer would list all of skorch's parameters as
    changed, and ``help`` would list none.
    """
    merged = {}
    for owner in (cls, *ancestors):
        for name, parameter in inspect.signature(owner.__dict__["__init__"]).parameters.items():
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                merged.setdefault(name, parameter)
    first = [merged.pop("self"), merged.pop("module")]
    rest = [p.replace(kind=p.KEYWORD_ONLY) for p in merged.values()]
    extra = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
    cls.__init__.__signature__ = inspect.Signature([*first, *rest, extra])
