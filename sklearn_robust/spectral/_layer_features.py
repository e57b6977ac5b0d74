"""The features of a layer as a transformer."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from .. import _validation as check
from ..attacks._arrays import batches_of
from ..differentiable import DifferentiableModel, open_model
from ..differentiable._scores import with_names
from ._features import features_of, hidden_layers, last_input
from ._modules import own_dtype
from ._trace import Trace, trace_of

__all__ = ["LayerFeatures"]


class LayerFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Transformer that gives the features of a layer, for clustering, plots or another model.

    Parameters
    ----------
    estimator : classifier, default=None
        Classifier that ``fit`` fits; None means LogisticRegression. ``FrozenEstimator(net)``
        uses a fitted net as it is, and then ``fit`` needs no labels.
    layer : str, int or None, default=None
        Name of any module of the model (``layer_names_`` lists the linear layers) or the number
        of a linear layer, -1 for the last: the features are its output. ``conv:2`` is the second
        run of ``conv``. None means the input of the last linear layer.
    batch_size : int, default=None
        Samples computed together; None chooses a number that fits the cache.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    layer_names_ : list of str
        Linear layers in the order of the run.
    layer_ : str
        Name of the module; with "<" before it, its input.
    input_shape_ : tuple
        Shape of one sample.
    n_features_in_ : int
        Length of the samples' first axis.

    See Also
    --------
    feature_change_report : How the layers' features change with the input.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_robust import NaturalNet
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.spectral import LayerFeatures
    >>> X, y = load_moons(200, random_state=0)
    >>> net = NaturalNet(max_epochs=1, random_state=0).fit(X, y)
    >>> features = LayerFeatures(FrozenEstimator(net)).fit(X)
    >>> features.transform(X).shape
    (200, 128)
    >>> features.layer_names_
    ['features.1', 'features.3', 'classifier']
    >>> clusters = make_pipeline(features, KMeans(2, random_state=0)).fit_predict(X)
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        layer: str | int | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.layer = layer
        self.batch_size = batch_size

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> LayerFeatures:
        """Fit the classifier and find the layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training data.
        y : array-like of shape (n_samples,), optional
            Labels; not needed by a frozen estimator.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        if self.batch_size is not None:
            check.check_count("batch_size", self.batch_size)
        if y is None and self._needs_y():
            raise ValueError(
                f"requires y to be passed, but the target y is None: {type(self).__name__} fits "
                "its estimator; pass labels, or FrozenEstimator(net) for a fitted net."
            )
        samples, labels = self._validated(X, y)
        classifier = LogisticRegression() if self.estimator is None else clone(self.estimator)
        self.estimator_ = classifier.fit(with_names(self, samples), labels)
        self.input_shape_ = samples.shape[1:]
        model = open_model(self.estimator_).module
        trace = trace_of(model, model.tensor(samples[:2]).to(own_dtype(model)))
        self.layer_names_ = list(hidden_layers(trace))
        self.layer_ = self._find(model.name, trace)
        self._n_features_out = self._read(model, samples[:1]).shape[1]
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Compute the features of the layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        features : array of shape (n_samples, n_features), float32
            Flattened, one row per sample.
        """
        check_is_fitted(self)
        samples = check.validate_samples(self, X, reset=False)
        check.check_sample_shape(samples, self.input_shape_, type(self).__name__)
        return self._read(open_model(self.estimator_).module, samples)

    def _validated(self, X: Any, y: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
        if y is None:
            return check.validate_samples(self, X), None
        return check.validate_samples(self, X, y)

    def _needs_y(self) -> bool:
        return not isinstance(self.estimator, FrozenEstimator)

    def _read(self, model: DifferentiableModel, X: NDArray[Any]) -> NDArray[np.float32]:
        batches = batches_of(X, self.batch_size, model.device, 0, "")
        features = features_of(model, X, self.layer_, batches)
        return features.numpy().astype(np.float32, copy=False)

    def _find(self, who: str, trace: Trace) -> str:
        """Name of the wanted module, or an error that lists what there is."""
        known = [call.name for call in trace.calls]
        if self.layer is None:
            name = last_input(trace)
            if name is None:
                raise ValueError(
                    f"{who} does not end in a linear layer; choose a layer by name, one of "
                    f"{self.layer_names_ or known}."
                )
            return name
        if isinstance(self.layer, numbers.Integral) and not isinstance(self.layer, bool):
            number, n_layers = int(self.layer), len(self.layer_names_)
            if -n_layers <= number < n_layers:
                return self.layer_names_[number]
            raise ValueError(
                f"layer is {number}, but {who} has {n_layers} linear layers: {self.layer_names_}."
            )
        if self.layer not in known:
            raise ValueError(f"layer is {self.layer!r}; choose one of {known}.")
        return str(self.layer)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._needs_y()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
