"""Parameters that many docstrings share, said once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from textwrap import dedent, indent
from typing import TypeVar

__all__ = ["SHARED", "fill_docstring"]

_T = TypeVar("_T")

SHARED = {
    "estimator": """
        estimator : classifier, default=None
            Classifier that ``fit`` fits and ``transform`` attacks; None means LogisticRegression.
            Wrap a fitted one in :class:`sklearn.frozen.FrozenEstimator` to keep it as it is.
    """,
    "eps": """
        eps : float or array of the samples' shape, default=None
            Radius of the ball in the units of X; one number per feature makes an uneven ball. None
            means 8/255 for linf; the other norms have no default. Of a table, a dict such as
            ``{"age": 2}`` names the columns that move, and ``"0.1 std"`` is a share of each
            column's standard deviation.
    """,
    "largest_distance": """
        eps : float or array of the samples' shape, default=None
            Greatest distance that counts as success; None for no limit. One number per feature
            also stretches the norm.
    """,
    "norm": """
        norm : {"linf", "l2", "l1", "l0"} or the name of a registered norm, default="linf"
            Norm of the ball (``np.inf``, 2, 1 and 0 mean the same). In l0 eps is the number of
            features that may change, each as far as the box allows: it needs ``bounds``.
    """,
    "constraints": """
        bounds : "auto", None or (low, high), default="auto"
            Box of the data. "auto" is (0, 1) if all of X lies inside it, else no box.
        mask : bool array of the samples' shape, default=None
            Features that may move; None means all.
        integer : bool array of the samples' shape or indices, default=None
            Features that are kept on integers: the model sees every point rounded toward the
            clean sample.
        increasing : list of columns, default=None
            Columns of a table that may only grow.
        categorical : dict of column to "any", "fixed" or a list of values, default=None
            Categories that a search may change. Others stay.
        max_flips : int, default=None
            Greatest number of categories that change in one row; None for any.
        relations : list of str and callables, default=None
            What every row of a table must meet, such as ``"installment <= amount / term"``, or
            functions that map a frame to one bool per row.
    """,
    "targeted": """
        targeted : bool, default=False
            Whether ``y`` holds the classes to reach in place of the true classes.
    """,
    "loss": """
        loss : str or callable, default="cross_entropy"
            "cross_entropy", "margin" (the papers' C&W objective), "scaled_cross_entropy", "dlr",
            "targeted_dlr", "kl" (whose gradient is zero at clean samples: it needs an attack with
            a random start), or ``loss(z, y) -> (n,)``.
    """,
    "steps": """
        max_iter : int, default=10
            Number of steps.
        step_size : float, default=None
            Length of a step in the norm; None means ``2.5 * eps / max_iter``. With one eps per
            feature it is scaled as the largest eps is.
    """,
    "settings": """
        batch_size : int, default=None
            Rows attacked together; None fits the cache.
        on_nan : {"raise", "robust"}, default="raise"
            What to do where logits are NaN: "raise" an error that names the sample, or count the
            attack as unsuccessful.
        random_state : int, RandomState or None, default=None
            Seed of the random numbers; some attacks draw none. A row's numbers depend on the seed
            and the row's values alone, not on its neighbours or its place.
        verbose : int, default=0
            Whether to show a progress bar.
    """,
    "nearest": """
        ``generate`` returns the nearest adversarial example found and, where there is none, the
        clean sample. ``evaluate`` gives ``distance``, infinite where nothing was found. With
        ``eps`` it ends a sample's search at the first success within eps.
    """,
}
_PLACE = re.compile(r"^( *)%\((\w+)\)s$", re.MULTILINE)


def fill_docstring(thing: _T, shared: Mapping[str, str] = SHARED) -> _T:
    """Replace lines such as ``%(eps)s`` in the docstring of a class or function.

    Parameters
    ----------
    thing : class or function
        Its docstring is changed in place.
    shared : mapping of str to str
        Parameters by their keys; those of attacks unless others are given.

    Returns
    -------
    thing : class or function
        The same, so that the function serves as a decorator.
    """
    if thing.__doc__:
        thing.__doc__ = _PLACE.sub(
            lambda found: indent(dedent(shared[found[2]]).strip(), found[1]), thing.__doc__
        )
    return thing
