"""The frame every attack hangs in: arrays at the door, tensors inside."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from .. import _validation as check
from .._random import RowNoise, seed_of, torch_seed
from ..differentiable import as_module
from ._core import TensorAttack
from ._faces import batches_of, predicted_codes
from ._norms import ORDERS
from ._scores import scores_of
from ._task import Box, Task

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
            ``fooled`` (bool, by ``estimator.predict``), ``distance`` (how far it went in
            ``norm``; inf where nothing was found), ``n_queries`` (forward passes), ``loss``
            (the objective at ``X_adv``).
        """
        self._check_parameters()
        X = check.check_samples(X)
        return self._evaluate(estimator, X, y, check.check_bounds(self.bounds, X))

    def _evaluate(self, estimator, X, y, bounds, checked=False):
        view, codes = self._open(estimator, X, y)

        def confirm(x_adv, wanted):
            points = x_adv.cpu().numpy().astype(np.float32, copy=False)
            agreed = predicted_codes(estimator, view, points) == wanted.cpu().numpy()
            return torch.as_tensor(agreed == self.targeted, device=x_adv.device)

        flags = {"stop": True, "checked": checked, "confirm": confirm}
        result = _gather(self._outcomes(view, X, codes, bounds, **flags))
        gap = (result.X_adv.astype(np.float64) - X).reshape(len(X), -1)
        length = np.linalg.norm(gap, self._order(), axis=1)
        result.distance = np.where(result.fooled, length, np.inf)
        return result

    def _order(self):
        return ORDERS[check.check_norm(self.norm)]

    def _view(self, estimator):
        """Find what to ask for logits; an attack without gradients asks any classifier."""
        return as_module(estimator) if self._needs_gradient else scores_of(estimator)

    def _open(self, estimator, X, y):
        view = self._view(estimator)
        check.check_sample_shape(X, view.input_shape, view.name)
        if y is None:
            if self.targeted:
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
            task = Task(
                logits=view,
                x=x,
                y=torch.as_tensor(codes[rows], device=x.device),
                box=Box(bounds, x),
                noise=RowNoise(seed, x),
                index=torch.arange(rows.start, rows.stop, device=x.device),
                on_nan=self.on_nan,
                **flags,
            )
            with torch_seed(seed, x.device):  # for models that draw random numbers themselves
                outcome = self._attack(task)
            yield outcome

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
