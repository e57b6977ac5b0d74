"""Any fitted estimator as one torch module from raw ``X`` to logits.

Known classifiers: linear ones (LogisticRegression, LinearSVC, SGDClassifier, RidgeClassifier,
Perceptron, LinearDiscriminantAnalysis), SVC and NuSVC, GaussianNB, MultinomialNB, ComplementNB,
QuadraticDiscriminantAnalysis, MLPClassifier, skorch nets and plain torch modules; and what is made
of them by Pipeline, OneVsRestClassifier, OneVsOneClassifier, VotingClassifier, BaggingClassifier,
StackingClassifier, CalibratedClassifierCV, RFE, FrozenEstimator, and searches such as GridSearchCV.

Known transformers: scalers, Normalizer, PowerTransformer, QuantileTransformer of values that do
not repeat, SplineTransformer, PolynomialFeatures, FunctionTransformer of a numpy function, PCA and
other linear projections, Nystroem, RBFSampler, feature selectors, SimpleImputer; and what is made
of them by Pipeline, FeatureUnion and ColumnTransformer. ``register`` adds to either list.
"""

import warnings

from . import _meta, _unsupported, classifiers, transformers  # noqa: F401  (they fill the registry)
from ._model import Model
from ._module import AnyDtype, DifferentiableModel
from ._open_model import open_model
from ._registry import as_module, register
from ._state import frozen, module_of
from .classifiers import Accelerated

__all__ = [
    "Accelerated",
    "AnyDtype",
    "DifferentiableModel",
    "Model",
    "as_module",
    "frozen",
    "module_of",
    "open_model",
    "register",
]


def __getattr__(name: str) -> object:
    if name == "View":
        warnings.warn(
            "sklearn_robust.differentiable.View is called DifferentiableModel now; the old name "
            "goes in the next release.",
            FutureWarning,
            stacklevel=2,
        )
        return DifferentiableModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
