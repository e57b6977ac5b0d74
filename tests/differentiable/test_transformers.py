"""Each transformer's module: the same features, the same slopes, in the dtype of its input."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.decomposition import PCA, FactorAnalysis, FastICA, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import (
    RFE,
    SelectFromModel,
    SelectKBest,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from sklearn_robust.differentiable import as_module
from sklearn_robust.differentiable._meta import transformer
from sklearn_robust.exceptions import NotDifferentiableError

LINEAR = LogisticRegression(max_iter=1000)

TRANSFORMERS = {
    "standard": StandardScaler(),
    "standard-mean": StandardScaler(with_std=False),
    "standard-std": StandardScaler(with_mean=False),
    "robust": RobustScaler(),
    "robust-unit": RobustScaler(with_centering=False, unit_variance=True),
    "min-max": MinMaxScaler((-1, 2)),
    "min-max-clip": MinMaxScaler(clip=True),
    "max-abs": MaxAbsScaler(),
    **{f"normalizer-{norm}": Normalizer(norm) for norm in ("l1", "l2", "max")},
    "yeo-johnson": PowerTransformer(),
    "yeo-johnson-raw": PowerTransformer(standardize=False),
    "box-cox": PowerTransformer("box-cox"),
    "quantile-uniform": QuantileTransformer(n_quantiles=40),
    "quantile-normal": QuantileTransformer(n_quantiles=40, output_distribution="normal"),
    "pca": PCA(2),
    "pca-whiten": PCA(whiten=True),
    "incremental-pca": IncrementalPCA(3, whiten=True),
    "truncated-svd": TruncatedSVD(2, random_state=0),
    "factor-analysis": FactorAnalysis(2),
    "fast-ica": FastICA(2, whiten="unit-variance", random_state=0, max_iter=1000),
    "fast-ica-white": FastICA(whiten=False, random_state=0, tol=10),
    "gaussian-projection": GaussianRandomProjection(3, random_state=0),
    "sparse-projection": SparseRandomProjection(3, random_state=0),
    "polynomial": PolynomialFeatures(3),
    "polynomial-interactions": PolynomialFeatures((2, 3), interaction_only=True),
    "polynomial-no-bias": PolynomialFeatures(2, include_bias=False, order="F"),
    **{
        f"spline-{degree}-{beyond}": SplineTransformer(5, degree=degree, extrapolation=beyond)
        for degree in (1, 2, 3)
        for beyond in ("error", "constant", "linear", "continue", "periodic")
        if (degree, beyond) != (1, "linear")
    },
    "spline-no-bias": SplineTransformer(include_bias=False, knots="quantile"),
    "spline-linear-no-bias": SplineTransformer(include_bias=False, extrapolation="linear"),
    "spline-sparse": SplineTransformer(sparse_output=True),
    "rbf-sampler": RBFSampler(n_components=10, random_state=0),
    "nystroem": Nystroem(n_components=10, random_state=0),
    "nystroem-linear": Nystroem("linear", n_components=3, random_state=0),
    "nystroem-poly": Nystroem("poly", n_components=10, degree=2, coef0=2, random_state=0),
    "nystroem-polynomial": Nystroem("polynomial", n_components=10, random_state=0),
    "nystroem-sigmoid": Nystroem("sigmoid", kernel_params={"gamma": 0.01}, n_components=3),
    "lda-svd": LinearDiscriminantAnalysis(),
    "lda-eigen": LinearDiscriminantAnalysis(solver="eigen", n_components=1),
    "variance": VarianceThreshold(0.3),
    "k-best": SelectKBest(k=2),
    "from-model": SelectFromModel(LINEAR),
    "rfe": RFE(LINEAR, n_features_to_select=2),
    "sequential": SequentialFeatureSelector(LINEAR, n_features_to_select=2, cv=2),
    "imputer": SimpleImputer(),
    "identity": FunctionTransformer(),
    "log": FunctionTransformer(np.log1p),
    "abs": FunctionTransformer(np.abs),
    "union": make_union(StandardScaler(), PCA(2), "passthrough", "drop"),
    "pipeline": make_pipeline(StandardScaler(), "passthrough", PCA(2), MinMaxScaler()),
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_features_and_slopes_are_those_of_the_transformer(follows, flowers, name):
    X, y = flowers()
    fitted = TRANSFORMERS[name].fit(X, y)
    inside = np.random.default_rng(1).permuted(X, axis=0)[:40] * 0.98 + X.mean(0) * 0.02
    follows(transformer(fitted), fitted, inside)


BEYOND = [name for name in TRANSFORMERS if "error" not in name and "box-cox" not in name]
BEYOND = [name for name in BEYOND if name not in ("log", "spline-no-bias", "spline-sparse")]


@pytest.mark.parametrize("name", [*BEYOND, "spline-no-bias", "spline-sparse"])
def test_samples_beyond_the_training_data_are_mapped_alike(follows, flowers, name):
    X, y = flowers()
    fitted = TRANSFORMERS[name].fit(X, y)
    noise = np.random.default_rng(2).normal(0, 3, (40, 4))
    follows(transformer(fitted), fitted, X[:40] + noise)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_modules_compute_in_the_dtype_of_their_input(flowers, name):
    X, y = flowers()
    module = transformer(TRANSFORMERS[name].fit(X, y))
    x = torch.tensor(X[1:-1])
    out = module(x.float())
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, module(x).float(), rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_modules_survive_pickling_and_moving(flowers, moves, name):
    X, y = flowers()
    module = transformer(TRANSFORMERS[name].fit(X, y))
    moves(module, X)
    x = torch.tensor(X)
    assert torch.equal(pickle.loads(pickle.dumps(module))(x), module(x))


@pytest.mark.parametrize(
    ("fitted", "message"),
    [
        (SimpleImputer(missing_values=0), "Mark missing values as NaN"),
        (FunctionTransformer(np.sign), "hides its function"),
        (FunctionTransformer(np.log, kw_args={"where": True}), "hides its function"),
        (Nystroem("laplacian", n_components=3), "kernel='laplacian'"),
        (LinearDiscriminantAnalysis(solver="lsqr"), "maps nothing"),
        (SplineTransformer(degree=0), "degree of at least 1"),
        (SplineTransformer(degree=1, extrapolation="linear"), "extrapolation='continue'"),
    ],
    ids=lambda case: type(case).__name__,
)
def test_what_jumps_or_hides_is_refused(flowers, fitted, message):
    with pytest.raises(NotDifferentiableError, match=message):
        transformer(fitted.fit(*flowers()))


FAR = {
    "rbf": Nystroem(gamma=1.0, n_components=30, random_state=0),
    "poly": Nystroem(kernel="poly", gamma=1e-6, n_components=10, random_state=0),
    "pca": PCA(2, whiten=True),
    "incremental": IncrementalPCA(2, whiten=True),
}


@pytest.mark.parametrize("name", FAR)
def test_a_view_far_from_zero_keeps_float32_digits(name):
    X, y = make_moons(100, noise=0.1, random_state=0)
    X = (X + 1000).astype(np.float32)
    model = make_pipeline(clone(FAR[name]), LogisticRegression()).fit(X.astype(np.float64), y)
    z = as_module(model)(torch.tensor(X)).numpy()
    np.testing.assert_allclose(z[:, 1] - z[:, 0], model.decision_function(X), rtol=1e-3, atol=1e-3)
