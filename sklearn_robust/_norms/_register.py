"""Registration of norms."""

from __future__ import annotations

import math
from typing import TypeVar

from ._base import UNSAID, Norm
from ._registry import NAMES, NORMS

__all__ = ["register_norm"]

_N = TypeVar("_N", bound=type[Norm])


def register_norm(norm: _N) -> _N:
    """Make a norm known to every attack, score and indicator by its name.

    Parameters
    ----------
    norm : subclass of Norm
        With ``name``, ``order`` and ``dual``.

    Returns
    -------
    norm : subclass of Norm
        The same class, so that the function serves as a decorator.

    Raises
    ------
    ValueError
        If the name or an alias is taken, or the norm does not say what its dual is.

    See Also
    --------
    Norm : Base class.

    Examples
    --------
    Perturbations that change at most eps features:

    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import PGD, Norm, register_norm
    >>> @register_norm
    ... class CountNorm(Norm):
    ...     name, order, dual = "count", 0, None
    ...     def size(self, d):
    ...         return self.length(d) / self.radius
    ...     def project(self, d, slack=None):
    ...         flat = self.only_free(d).flatten(1)
    ...         largest = flat.abs().topk(min(int(self.radius), flat.shape[1])).indices
    ...         kept = torch.zeros_like(flat).scatter(1, largest, flat.gather(1, largest))
    ...         return kept.reshape(d.shape)
    ...     def sample(self, noise, x, stream):
    ...         return self.project(2 * noise.uniform(x, stream) - 1)
    ...     def steepest_step(self, grad, step, slack=None):
    ...         return step * grad.sign()
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> attack = PGD(eps=2, norm="count", max_iter=20, bounds=(0, 8), random_state=0)
    >>> changed = attack.generate(model, X, y) != X.astype("float32")
    >>> int(changed.sum(axis=1).max())
    2
    """
    if not (isinstance(norm, type) and issubclass(norm, Norm)):
        raise TypeError(
            f"{norm!r} is not a norm: register a subclass of sklearn_robust.attacks.Norm."
        )
    name, order = norm.name, norm.order
    if not name or math.isnan(order):
        raise ValueError(
            f"{norm.__name__} has name {name!r} and order {order!r}: set its class attributes "
            "name (a string) and order (a number, 0 for a count of changed features)."
        )
    if norm.dual == UNSAID:
        raise ValueError(
            f"{norm.__name__} does not say what its dual norm is: set its class attribute dual to "
            "the name of a norm, or to None if there is none."
        )
    taken = [key for key in (name, *norm.aliases) if key in NAMES]
    if taken:
        raise ValueError(
            f"A norm called {taken[0]!r} is registered already ({NORMS[NAMES[taken[0]]].__name__}"
            "): give the new one another name and other aliases."
        )
    NORMS[name] = norm
    NAMES.update(dict.fromkeys((name, *norm.aliases), name))
    return norm
