"""The frame every attack hangs in: arrays at the door, tensors inside."""

import warnings

import numpy as np
import torch
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from .. import _validation as check
from .._random import RowNoise, seed_of
from ..differentiable import open_model
from ..differentiable._scores import with_names
from ..differentiable._state import records, seeded
from ..exceptions import ZeroGradientWarning
from ._arrays import batches_of
from ._batch import AttackBatch, AttackResult, Box
from ._core import TensorAttack
from ._losses import describe_loss
from ._norms import ORDERS

__all__ = ["BaseAttack"]


class BaseAttack(TensorAttack, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Base of all attacks: validation, batches and random numbers around the tensor core."""

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
        self.estimator_ = model.fit(with_names(self, X), y)
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
        if self.targeted:
            raise ValueError(
                "transform is given no classes to reach: use targeted=False, or "
                "generate(estimator, X, y) in its place."
            )
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
        X = check.check_samples(X, of=estimator)
        return self._generate(estimator, X, y, check.check_bounds(self.bounds, X))

    @records
    def _generate(self, estimator, X, y, bounds):
        model, codes = self._open(estimator, X, y)
        result = AttackResult.join(self._results(self._logits_of(model), X, codes, bounds))
        self._warn_if_still(result)
        return _array(result.x_adv)

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
            ``fooled`` (bool, by ``estimator.predict``), ``distance`` (how far it went in
            ``norm``; inf where nothing was found), ``n_queries`` (forward passes), ``loss``
            (the objective at ``X_adv``).
        """
        self._check_parameters()
        X = check.check_samples(X, of=estimator)
        return self._evaluate(estimator, X, y, check.check_bounds(self.bounds, X))

    @records
    def _evaluate(self, estimator, X, y, bounds, checked=False, index=None):
        model, codes = self._open(estimator, X, y)

        def confirm(x_adv, wanted):
            agreed = model.predict_codes(_array(x_adv)) == wanted.cpu().numpy()
            return torch.as_tensor(agreed == self.targeted, device=x_adv.device)

        flags = {"stop": True, "checked": checked, "confirm": confirm, "index": index}
        flags["own"] = model.native
        result = AttackResult.join(self._results(self._logits_of(model), X, codes, bounds, **flags))
        self._warn_if_still(result)
        X_adv, fooled = _array(result.x_adv), result.fooled.cpu().numpy()
        gap = (X_adv.astype(np.float64) - X).reshape(len(X), -1)
        distance = np.where(fooled, np.linalg.norm(gap, self._order(), axis=1), np.inf)
        return Bunch(
            X_adv=X_adv,
            fooled=fooled,
            distance=distance,
            n_queries=result.n_queries.cpu().numpy(),
            loss=result.loss.cpu().numpy(),
        )

    def _order(self):
        return ORDERS[check.check_norm(self.norm)]

    def _logits_of(self, model):
        """Find what to ask for logits; an attack without gradients asks any classifier."""
        return model.fused if self._needs_gradient else model.scores

    def _open(self, estimator, X, y):
        model = open_model(estimator)
        self._logits_of(model)  # a model without a gradient is refused first
        check.check_sample_shape(X, model.input_shape, model.name)
        self._check_resolution(X)
        if y is None:
            if self.targeted:
                raise ValueError("A targeted attack needs y, the class that each sample goes to.")
            return model, model.predict_codes(X)
        return model, model.label_codes(X, y)

    def _check_resolution(self, X):
        """Warn where float32, in which attacks compute, is too coarse for the radius."""
        shape = X.shape[1:]
        radius = np.broadcast_to(self._radius(check.check_norm(self.norm), shape), shape)
        largest = np.abs(X).max(axis=0, initial=0)
        coarse = (radius > 0) & (np.spacing(largest) > radius / 8)
        if coarse.any():
            warnings.warn(
                f"X holds values up to {largest[coarse].max():g}, where the steps of float32 are "
                f"{np.spacing(largest[coarse]).max():g}, too coarse for eps={self.eps!r}: the "
                "attack may find nothing. Shift or scale those features, and eps with them.",
                stacklevel=3,
            )

    def _results(self, view, X, codes, bounds, **flags):
        """Outcomes of one batch after the other."""
        seed = seed_of(self.random_state)
        return self._batches(self._attack, view, X, codes, bounds, seed, **flags)

    def _batches(self, attack, view, X, codes, bounds, seed, *, index=None, label="", **flags):
        index = np.arange(len(X)) if index is None else index
        label = f"{type(self).__name__} {label}".rstrip()
        for rows in batches_of(X, self.batch_size, view.device, self.verbose, label):
            x = view.tensor(X[rows])
            batch = AttackBatch(
                logits=view,
                x=x,
                y=torch.as_tensor(codes[rows], device=x.device),
                box=Box(bounds, x),
                noise=RowNoise(seed, x),
                index=torch.as_tensor(index[rows], device=x.device),
                on_nan=self.on_nan,
                **flags,
            )
            with seeded(view, x, seed):
                result = attack(batch)
            yield result

    def _warn_if_still(self, result):
        """Tell of samples that stayed where they were for want of a gradient."""
        n_flat = int(((result.slope < 0) & ~result.fooled).sum())
        if n_flat and self.on_nan == "raise":  # NaN that counts as robust has no gradient, either
            warnings.warn(
                f"{type(self).__name__} could not move {n_flat} of {len(result.slope)} samples: "
                f"there the gradient of {self._still()}",
                ZeroGradientWarning,
                stacklevel=4,
            )

    def _still(self):
        """Say which loss stands still, and what may move it."""
        return (
            f"loss={describe_loss(self.loss)!r} is exactly zero, as on saturated predictions, "
            "which says nothing of robustness. Use WorstCase(), or loss='margin' or "
            "'scaled_cross_entropy'."
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _array(x):
    return x.cpu().numpy().astype(np.float32, copy=False)
