"""Attacks of other libraries, as attacks of this one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Any

import numpy as np
import torch

from .. import _validation as check
from .._random import seed_of
from ._base import BaseAttack
from ._batch import AttackBatch
from ._other_libraries import CALLERS, LogitsModule, kind_of
from ._parameters import attack_class
from ._result import AttackResult

__all__ = ["External"]

_numpy_lock = threading.Lock()


@attack_class
class External(BaseAttack):
    """Attack of foolbox, torchattacks or the Adversarial Robustness Toolbox, or a function.

    Its points are put into ball and box exactly, and only those count that ``predict`` itself
    gets wrong, whatever the other library says of its success.

    Parameters
    ----------
    attack : object
        An attack of foolbox, of torchattacks (made for any model: a copy gets this one), an
        evasion attack of ART (the same), or a function of (model, x, y) that returns x_adv,
        where the model maps tensors to logits.
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
    black_box : bool, default=False
        Whether the attack needs no gradient. Models without one can be attacked then.
    %(settings)s

    See Also
    --------
    WorstCase : Takes it as a member, beside attacks of this library.
    to_art : Another direction: an estimator as a classifier of ART.

    Notes
    -----
    ``eps`` is passed on where the other attack has such a parameter; step sizes are not, so set
    them to suit. A radius for each feature is passed on as its largest, and kept by projection.
    torchattacks accepts data in [0, 1] alone, and foolbox needs a box: without one it gets the
    range of the batch and eps around it. ``n_queries`` counts forward passes, the mean of a batch.

    References
    ----------
    Rauber, Zimmermann, Bethge, Brendel, "Foolbox Native", JOSS 2020. Kim, "Torchattacks", arXiv
    2010.01950. Nicolae et al., "Adversarial Robustness Toolbox v1.0.0", arXiv 1807.01069.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust import robust_score
    >>> from sklearn_robust.attacks import External
    >>> def one_step(model, x, y):  # or torchattacks.PGD(...), foolbox.attacks.LinfPGD(), ...
    ...     x = x.clone().requires_grad_(True)
    ...     loss = torch.nn.functional.cross_entropy(model(x), y)
    ...     return x + 0.3 * torch.autograd.grad(loss, x)[0].sign()
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> round(robust_score(model, X, y, attack=External(one_step, eps=0.3)), 2)
    0.72
    """

    attack: Any = field(default=None, kw_only=False)
    estimator: Any = field(default=None, kw_only=True)
    black_box: bool = False

    @property
    def needs_gradient(self) -> bool:  # type: ignore[override]
        """Whether gradients are asked for."""
        return not self.black_box

    def __sklearn_clone__(self) -> External:
        """Copy the parameters; the other library's attack is shared, and never changed."""
        return type(self)(**self.get_params(deep=False))

    def check_parameters(self) -> None:
        """Raise unless all parameters are valid."""
        kind_of(self.attack)
        check.check_flag("black_box", self.black_box)
        super().check_parameters()

    def run(self, batch: AttackBatch) -> AttackResult:
        """Let the other library attack, and judge its points.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.

        Returns
        -------
        result : AttackResult
            Points in ball and box, and which of them are adversarial.
        """
        model = LogitsModule(batch.logits, batch.x.dtype)
        eps = float(np.max(self.threat_model.eps if self.eps is not None else 8 / 255))
        call = CALLERS[kind_of(self.attack)]
        with numpy_seeded(seed_of(self.random_state)):
            found = call(self.attack, model, batch, eps)
        x_adv = self._inside(found, batch)
        result, rows = batch.result(), batch.rows()
        with torch.no_grad():
            z = batch.forward(x_adv, rows)
        fooled = batch.fooled(z, rows)
        batch.n_queries += model.n_asked // max(len(rows), 1)
        result.record(rows, x_adv, -z.gather(1, batch.y[:, None])[:, 0], fooled)
        return result

    def _inside(self, found: Any, batch: AttackBatch) -> torch.Tensor:
        """Points of the other library, in ball and box; those that are NaN stay clean."""
        x = batch.x
        x_adv = torch.as_tensor(found, device=x.device).detach().to(x)
        if x_adv.shape != x.shape:
            raise ValueError(
                f"attack returned points of shape {tuple(x_adv.shape)} for samples of shape "
                f"{tuple(x.shape)}: give one that returns a point for each sample."
            )
        x_adv = torch.where(x_adv.isfinite(), x_adv, x)
        return batch.exact_ball.project_exact(x_adv, x, batch.box)


@contextmanager
def numpy_seeded(seed: int) -> Iterator[None]:
    """Context in which numpy's global generator has a seed, as some libraries draw from it."""
    with _numpy_lock:
        before = np.random.get_state()
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(before)
