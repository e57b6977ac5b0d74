"""Registry of norms: which there are, and what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._base import Norm

__all__ = ["NAMES", "NORMS", "check_norm", "get_norm", "norm_names"]

NORMS: dict[str, type[Norm]] = {}
NAMES: dict[Any, str] = {}  # of names and aliases


def norm_names(*, with_dual: bool = False) -> list[str]:
    """Names of the registered norms, or of those that have a dual."""
    return [name for name, norm in NORMS.items() if norm.dual is not None or not with_dual]


def check_norm(norm: str | float) -> str:
    """Return the name of a norm, such as "linf" for ``np.inf``."""
    try:
        if isinstance(norm, bool):
            raise TypeError
        return NAMES[norm]
    except (KeyError, TypeError):
        *others, last = map(repr, NORMS)
        raise ValueError(
            f"norm is {norm!r}; choose {', '.join(others)} or {last} (np.inf, 2, 1 and 0 mean "
            "the first four)."
        ) from None


def get_norm(norm: str | float) -> type[Norm]:
    """Return the registered norm of a name or an alias."""
    return NORMS[check_norm(norm)]
