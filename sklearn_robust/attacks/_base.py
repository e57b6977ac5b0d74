"""The frame every attack hangs in: arrays at the door, tensors inside."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from .. import _validation as check
from .._random import RowNoise, seed_of
from ..differentiable import as_module, frozen
from ._faces import batches_of, predicted_codes
from ._losses import check_loss
from ._norms import ORDERS, make_ball
from ._task import Box, Task

__all__ = ["BaseAttack"]


class BaseAttack(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Base of all attacks: validation, batching, random numbers, and the exact ball.

    A subclass writes ``_run(task) -> Outcome``: it moves the samples of one batch inside
    ``task.ball`` and ``task.box``. Everything else is here.
    """

    # -- the transformer --------------------------------------------------------------------

    def fit(self, X, y):
        """Fit the attacked estimator and decide the box of the data.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training data.
        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        self : object
            The fitted attack, with ``estimator_`` and ``bounds_``.
        """
        self._check_parameters()
        X, y = check.validate_samples(self, X, y)
        self.input_shape_ = X.shape[1:]
        self.bounds_ = check.check_bounds(self.bounds, X)
        model = LogisticRegression() if self.estimator is None else clone(self.estimator)
        self.estimator_ = model.fit(X, y)
        self.classes_ = self.estimator_.classes_
        self.n_iter_ = getattr(self, "max_iter", 1)
        return self

    def transform(self, X):
        """Attack the labels that the fitted estimator predicts.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Clean samples.

        Returns
        -------
        X_adv : array of shape (n_samples, ...), float32
            Perturbed samples.
        """
        check_is_fitted(self)
        X = check.validate_samples(self, X, reset=False)
        check.check_sample_shape(X, self.input_shape_, type(self).__name__)
        return self._generate(self.estimator_, X, None, self._box_of(X))

    def _box_of(self, X):
        """Use the box of ``fit``; data that leave an automatic one have no box."""
        box = getattr(self, "bounds_", None)
        if isinstance(self.bounds, str) and box is not None:
            return check.check_bounds(self.bounds, X)
        return check.check_bounds(box, X)

    # -- arrays -----------------------------------------------------------------------------

    def generate(self, estimator, X, y=None):
        """Perturb every sample with all ``max_iter`` steps.

        Parameters
        ----------
        estimator : fitted classifier
            What to attack.
        X : array-like of shape (n_samples, ...)
            Clean samples.
        y : array-like of shape (n_samples,), optional
            True labels, or the classes to reach when ``targeted``. Without it the predicted
            labels are attacked.

        Returns
        -------
        X_adv : array of shape (n_samples, ...), float32
            Perturbed samples, inside ball and box also after rounding to float32.
        """
        self._check_parameters()
        X = check.check_samples(X)
        return self._generate(estimator, X, y, check.check_bounds(self.bounds, X))

    def _generate(self, estimator, X, y, bounds):
        view, codes = self._open(estimator, X, y)
        parts = [out.x_adv for out in self._outcomes(view, X, codes, bounds)]
        return torch.cat(parts).cpu().numpy().astype(np.float32, copy=False)

    def evaluate(self, estimator, X, y=None):
        """Attack until fooled, and let the estimator itself confirm every success.

        Parameters
        ----------
        estimator : fitted classifier
            What to attack.
        X : array-like of shape (n_samples, ...)
            Clean samples.
        y : array-like of shape (n_samples,), optional
            True labels (a clean error counts as fooled), or the classes to reach when
            ``targeted``. Without it the predicted labels are attacked.

        Returns
        -------
        result : Bunch
            One entry a sample: ``X_adv`` (the first successful point, else the best one found),
            ``fooled`` (bool, by ``estimator.predict``), ``distance`` (in ``norm``),
            ``n_queries`` (forward passes), ``loss`` (the objective at ``X_adv``).
        """
        self._check_parameters()
        X = check.check_samples(X)
        return self._evaluate(estimator, X, y, check.check_bounds(self.bounds, X))

    def _evaluate(self, estimator, X, y, bounds, checked=False):
        view, codes = self._open(estimator, X, y)
        run = {"bounds": bounds, "checked": checked}
        result = _gather(self._outcomes(view, X, codes, stop=True, **run))
        targeted = getattr(self, "targeted", False)

        def confirmed(points, wanted):
            return (predicted_codes(estimator, view, points) == wanted) == targeted

        claimed = np.flatnonzero(result.fooled)
        denied = claimed[~confirmed(result.X_adv[claimed], codes[claimed])] if len(claimed) else []
        if len(denied):  # rounding flipped a near tie: search on to the last step
            again = _gather(self._outcomes(view, X[denied], codes[denied], judge=True, **run))
            again.fooled = confirmed(again.X_adv, codes[denied])
            again.n_queries += result.n_queries[denied]
            for key in result:
                result[key][denied] = again[key]
        gap = (result.X_adv.astype(np.float64) - X).reshape(len(X), -1)
        result.distance = np.linalg.norm(gap, self._order(), axis=1)
        return result

    def _order(self):
        return ORDERS[check.check_norm(self.norm)]

    def _open(self, estimator, X, y):
        view = as_module(estimator)
        check.check_sample_shape(X, view.input_shape, view.name)
        if y is None:
            if getattr(self, "targeted", False):
                raise ValueError("A targeted attack needs y, the class that each sample goes to.")
            return view, predicted_codes(estimator, view, X)
        if len(y) != len(X):
            raise ValueError(f"X has {len(X)} samples and y has {len(y)} labels.")
        if view._classes is None:
            view.codes(X[:1])
        return view, check.encode_labels(y, view.classes_, view.name)

    def _outcomes(self, view, X, codes, bounds, **flags):
        seed = seed_of(self.random_state)
        for rows in batches_of(X, self.batch_size, view.device, self.verbose, type(self).__name__):
            x = view.tensor(X[rows])
            y = torch.as_tensor(codes[rows], device=x.device)
            yield self._attack(view, x, y, bounds, RowNoise(seed, x), **flags)

    # -- tensors ----------------------------------------------------------------------------

    def perturb(self, logits, x, y, *, observe=None, noise=None):
        """Perturb a batch of tensors with all ``max_iter`` steps.

        Parameters
        ----------
        logits : callable
            Maps (n, ...) to logits (n, n_classes). A torch module (or a bound method of one)
            is in eval mode meanwhile and comes back as it was.
        x : tensor of shape (n, ...)
            Clean samples.
        y : tensor of shape (n,), int64
            Class codes; the targets when ``targeted``.
        observe : callable, optional
            ``observe(step, rows, z, x_adv)`` is called on each forward that gives a gradient.
        noise : optional
            Source of random numbers; by default they follow from ``random_state`` and ``x``.

        Returns
        -------
        x_adv : tensor of shape (n, ...)
            Perturbed samples, detached.
        """
        return self._perturb(logits, x, y, observe=observe, noise=noise).x_adv

    def verdict(self, logits, x, y):
        """Say which samples withstand the attack.

        Parameters
        ----------
        logits : callable
            Maps (n, ...) to logits (n, n_classes).
        x : tensor of shape (n, ...)
            Clean samples.
        y : tensor of shape (n,), int64
            True class codes (targets, when ``targeted``).

        Returns
        -------
        robust : bool tensor of shape (n,)
            True where the attack fails; a clean error is never robust.
        """
        return ~self._perturb(logits, x, y, stop=True).fooled

    def _perturb(self, logits, x, y, *, noise=None, **flags):
        self._check_parameters()
        x = x.detach()
        if hasattr(self, "bounds_"):
            bounds = self.bounds_
        elif isinstance(self.bounds, str):
            inside = bool((x.amin() >= 0) & (x.amax() <= 1)) if x.numel() else True
            bounds = (np.array(0.0), np.array(1.0)) if inside else None
        else:
            bounds = check.check_bounds(self.bounds, x.cpu().numpy())
        if noise is None:
            noise = RowNoise(seed_of(self.random_state), x)
        with frozen(logits):
            return self._attack(logits, x, y, bounds, noise, **flags)

    def _attack(self, logits, x, y, bounds, noise, **flags):
        norm = check.check_norm(self.norm)
        eps = torch.as_tensor(check.check_eps(self.eps, norm, x.shape[1:])).to(x)
        task = Task(
            logits=logits,
            x=x,
            y=y,
            ball=make_ball(norm, eps),
            box=Box(bounds, x),
            noise=noise,
            targeted=getattr(self, "targeted", False),
            **flags,
        )
        with torch.enable_grad():
            outcome = self._run(task)
        exact = make_ball(norm, torch.as_tensor(check.check_eps(self.eps, norm, x.shape[1:])))
        outcome.x_adv = exact.seal(outcome.x_adv, x, task.box)
        return outcome

    def _run(self, task):
        raise NotImplementedError

    def _check_parameters(self):
        check.check_norm(self.norm)
        check_loss(getattr(self, "loss", "margin"), getattr(self, "targeted", False))
        if np.ndim(self.eps) == 0:
            check.check_eps(self.eps, check.check_norm(self.norm), ())
        for name in ("max_iter", "n_restarts"):
            check.check_count(name, getattr(self, name, 1))
        if self.batch_size is not None:
            check.check_count("batch_size", self.batch_size)
        if getattr(self, "step_size", None) is not None:
            check.check_number("step_size", self.step_size, strict=True)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _gather(outcomes):
    parts = list(outcomes)

    def column(name):
        return torch.cat([getattr(part, name) for part in parts]).cpu().numpy()

    return Bunch(
        X_adv=column("x_adv").astype(np.float32, copy=False),
        fooled=column("fooled"),
        n_queries=column("n_queries"),
        loss=column("loss"),
    )


