"""Differentiable models of linear projections."""

import numpy as np
from sklearn.decomposition import PCA, FactorAnalysis, FastICA, IncrementalPCA, TruncatedSVD
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from .._layers.blocks import Matrix, Sequence, Shift
from .._registry import register

__all__ = []


@register(IncrementalPCA)
@register(PCA)
def _pca(pca):
    weight = pca.components_.T
    if pca.whiten:
        deviation = np.sqrt(pca.explained_variance_)
        weight = weight / np.maximum(deviation, np.finfo(deviation.dtype).eps)
    return Sequence(Shift(-pca.mean_), Matrix(weight))


@register(FactorAnalysis)
def _factor_analysis(model):
    weight = (model.components_ / model.noise_variance_).T
    precision = np.eye(len(model.components_)) + model.components_ @ weight
    return Sequence(Shift(-model.mean_), Matrix(np.linalg.solve(precision.T, weight.T).T))


@register(FastICA)
def _fast_ica(model):
    matrix = Matrix(model.components_.T)
    return Sequence(Shift(-model.mean_), matrix) if model.whiten else matrix


@register(GaussianRandomProjection)
@register(SparseRandomProjection)
@register(TruncatedSVD)
def _components(model):
    return Matrix(model.components_.T)
