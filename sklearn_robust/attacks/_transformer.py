"""Attack as a scikit-learn transformer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _validation as check
from .._norms import Bounds
from .._tables import has_columns, is_mixed
from ..differentiable import Model, open_model
from ..differentiable._scores import with_names
from ..differentiable._state import records
from ._core import TensorAttack

if TYPE_CHECKING:
    from typing import Self

__all__ = ["AttackTransformer"]


class AttackTransformer(TensorAttack, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Transformer that fits the estimator it attacks, and moves samples against it."""

    estimator: Any

    def _generate(
        self, model: Model, X: NDArray[np.float32], y: ArrayLike | None, bounds: Bounds
    ) -> NDArray[np.float32]:
        raise NotImplementedError

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
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
        self.check_parameters()
        self._has_table = has_columns(self.column_params()) or is_mixed(X)
        if self._has_table:
            return self._fit_table(X, y)
        samples, y = check.validate_samples(self, X, y)
        self.input_shape_ = samples.shape[1:]
        self.bounds_ = check.check_bounds(self.bounds, samples)
        if self.estimator is not None:
            check.check_learner("estimator", self.estimator)
        model = self._default_estimator() if self.estimator is None else clone(self.estimator)
        self.estimator_ = model.fit(with_names(self, samples), y)
        self.classes_ = self.estimator_.classes_
        self.n_iter_ = self.max_iter
        return self

    def _fit_table(self, X: Any, y: ArrayLike) -> Self:
        """Fit on a frame, or an array with columns of codes, as the estimator itself does."""
        if self.estimator is None:
            raise ValueError(
                "X is a table, and estimator is None: give the pipeline to fit, such as "
                f"{type(self).__name__}(make_pipeline(encoder, LogisticRegression()))."
            )
        check.check_learner("estimator", self.estimator)
        validate_data(self, X, skip_check_array=True)
        self.estimator_ = clone(self.estimator).fit(X, y)
        self.classes_ = self.estimator_.classes_
        threat = self._columns(X)[1]
        self.input_shape_, self.bounds_ = (len(threat.mask),), threat.bounds
        self.n_iter_ = self.max_iter
        return self

    def _columns(self, X: Any) -> tuple[Model, Self]:
        """Open the fitted estimator for a table, and put the attack on its columns."""
        model = open_model(self.estimator_, X, self.column_params())
        return model, self.on_columns(model)

    def _transform_table(self, X: Any) -> Any:
        validate_data(self, X, reset=False, skip_check_array=True)
        model, attack = self._columns(X)
        if isinstance(self.bounds, str) and self.bounds_ is None:
            attack.set_params(bounds=None)  # the data of fit had no box
        matrix = model.read(X)
        box = check.check_bounds(attack.bounds, matrix)
        return model.decode(attack._generate(model, matrix, None, box), slice(None))

    def column_params(self) -> dict[str, Any]:
        """Return the parameters that may speak of columns."""
        raise NotImplementedError

    def on_columns(self, model: Model) -> Self:
        """Return the attack with an array for each parameter that speaks of columns."""
        raise NotImplementedError

    def _default_estimator(self) -> BaseEstimator:
        """Classifier to attack where none is given."""
        return LogisticRegression()

    @records
    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Attack the labels that the fitted estimator predicts.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Clean samples.

        Returns
        -------
        X_adv : array of shape (n_samples, ...), float32
            Perturbed samples; of a mixed frame, a frame of its dtypes.
        """
        check_is_fitted(self)
        if self.targeted:
            raise ValueError(
                "transform is given no classes to reach: use targeted=False, or "
                "generate(estimator, X, y)."
            )
        if self._has_table:
            return self._transform_table(X)
        samples = check.validate_samples(self, X, reset=False)
        check.check_sample_shape(samples, self.input_shape_, type(self).__name__)
        # Data that leave an automatic box have none.
        auto = isinstance(self.bounds, str) and self.bounds_ is not None
        bounds = check.check_bounds(self.bounds if auto else self.bounds_, samples)
        return self._generate(open_model(self.estimator_), samples, None, bounds)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
