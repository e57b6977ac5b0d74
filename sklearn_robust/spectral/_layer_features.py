"""The features of a layer as a transformer."""

import numbers

import numpy as np
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
from ..differentiable import as_module
from ..differentiable._scores import with_names
from ._features import features_of, hidden_layers, last_input
from ._trace import own_dtype, trace_of

__all__ = ["LayerFeatures"]


class LayerFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What a layer of a classifier makes of the samples, for clustering, plots or another model.

    Parameters
    ----------
    estimator : classifier, default=None
        What ``fit`` fits; None means LogisticRegression. ``FrozenEstimator(net)`` takes a
        fitted net as it is, and then ``fit`` needs no labels.
    layer : str, int or None, default=None
        Name of any module of the model (``layer_names_`` lists the linear layers) or the number
        of a linear layer, -1 for the last: what it returns. ``conv:2`` is the second run of
        ``conv``. None is what the last linear layer sees.
    batch_size : int, default=None
        Samples computed together; None fits the cache.

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

    def __init__(self, estimator=None, *, layer=None, batch_size=None):
        self.estimator = estimator
        self.layer = layer
        self.batch_size = batch_size

    def fit(self, X, y=None):
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
        if y is None:
            X = check.validate_samples(self, X)
        else:
            X, y = check.validate_samples(self, X, y)
        model = LogisticRegression() if self.estimator is None else clone(self.estimator)
        self.estimator_ = model.fit(with_names(self, X), y)
        self.input_shape_ = X.shape[1:]
        view = self._view()
        x = view.tensor(X[:2]).to(own_dtype(view))
        self.layer_names_ = list(hidden_layers(view, x))
        self.layer_ = self._find(view, x)
        self._n_features_out = self._read(view, X[:1]).shape[1]
        return self

    def transform(self, X):
        """Compute the features of the layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        features : array of shape (n_samples, n_features), float32
            Flattened, one row a sample.
        """
        check_is_fitted(self)
        X = check.validate_samples(self, X, reset=False)
        check.check_sample_shape(X, self.input_shape_, type(self).__name__)
        return self._read(self._view(), X)

    def _needs_y(self):
        return not isinstance(self.estimator, FrozenEstimator)

    def _view(self):
        return as_module(self.estimator_)

    def _read(self, view, X):
        batches = batches_of(X, self.batch_size, view.device, 0, "")
        features = features_of(view, X, self.layer_, batches)
        return features.numpy().astype(np.float32, copy=False)

    def _find(self, view, x):
        """Name of the wanted module, or what there is instead."""
        if self.layer is None:
            name = last_input(view, x)
            if name is None:
                raise ValueError(
                    f"{view.name} does not end in a linear layer; choose a layer by name, one of "
                    f"{self.layer_names_ or self._module_names(view, x)}."
                )
            return f"<{name}"
        if isinstance(self.layer, numbers.Integral) and not isinstance(self.layer, bool):
            if -len(self.layer_names_) <= self.layer < len(self.layer_names_):
                return self.layer_names_[self.layer]
            raise ValueError(
                f"layer is {self.layer}, but {view.name} has {len(self.layer_names_)} linear "
                f"layers: {self.layer_names_}."
            )
        known = self._module_names(view, x)
        if self.layer not in known:
            raise ValueError(f"layer is {self.layer!r}; choose one of {known}.")
        return self.layer

    @staticmethod
    def _module_names(view, x):
        return [call.name for call in trace_of(view, x).calls]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._needs_y()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
