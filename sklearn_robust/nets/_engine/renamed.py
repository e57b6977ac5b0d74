"""Old names of public methods, which work for one release."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["honour_old_name"]


def honour_old_name(cls: type, old: str, new: str) -> None:
    """Let calls of ``cls.old`` reach ``cls.new``, and an override of ``old`` act as one of ``new``.

    For a class that writes neither, nothing is done: it inherits both.
    """
    own = vars(cls)
    if new in own and old in own:
        return
    if new in own:
        setattr(cls, old, _forward(own[new], old, new))
    elif old in own:
        warnings.warn(
            f"{cls.__name__} overrides {old}, which is now {new}, and the old name goes in the "
            f"next release: rename the method to {new}.",
            FutureWarning,
            stacklevel=3,
        )
        setattr(cls, new, own[old])


def _forward(method: Callable, old: str, new: str) -> Callable:
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        warnings.warn(
            f"{old} is now {new}, and the old name goes in the next release: type net.{new}(x, y).",
            FutureWarning,
            stacklevel=2,
        )
        return method(self, *args, **kwargs)

    forward.__name__, forward.__qualname__ = old, f"{method.__qualname__.rpartition('.')[0]}.{old}"
    forward.__doc__ = f"Old name of :meth:`{new}`."
    return forward
