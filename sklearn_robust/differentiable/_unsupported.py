"""Well-known estimators without a gradient: why, and what to do instead."""

from sklearn import dummy, ensemble, gaussian_process, naive_bayes, neighbors, preprocessing, tree
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from ..exceptions import NotDifferentiableError
from ._registry import BLACK_BOX, register

__all__ = []

_TREES = "predicts by trees, which are constant between their thresholds"
_NEIGHBOURS = "predicts by counting neighbours, which is constant between its training samples"
_BINS = "maps a range of values to one value"

_CLASSIFIERS = {
    tree.DecisionTreeClassifier: _TREES,
    ensemble.RandomForestClassifier: _TREES,
    ensemble.ExtraTreesClassifier: _TREES,
    ensemble.GradientBoostingClassifier: _TREES,
    ensemble.HistGradientBoostingClassifier: _TREES,
    ensemble.AdaBoostClassifier: "adds up votes, which are constant almost everywhere",
    neighbors.KNeighborsClassifier: _NEIGHBOURS,
    neighbors.RadiusNeighborsClassifier: _NEIGHBOURS,
    LabelPropagation: _NEIGHBOURS,
    LabelSpreading: _NEIGHBOURS,
    naive_bayes.BernoulliNB: "rounds every feature to 0 or 1",
    naive_bayes.CategoricalNB: "takes every feature as a category",
    dummy.DummyClassifier: "does not look at X",
    gaussian_process.GaussianProcessClassifier: "has no differentiable model",
}

_TRANSFORMERS = {
    preprocessing.Binarizer: f"{_BINS}, above or below a threshold",
    preprocessing.KBinsDiscretizer: f"{_BINS}, that of its bin",
    preprocessing.OneHotEncoder: "takes every feature as a category",
    preprocessing.OrdinalEncoder: "takes every feature as a category",
    preprocessing.TargetEncoder: "takes every feature as a category",
    ensemble.RandomTreesEmbedding: "maps to leaves of trees",
}


def _unsupported(reason, advice):
    def build_unsupported(estimator):
        name = type(estimator).__name__
        raise NotDifferentiableError(
            f"{name} {reason}, so no gradient reaches its input. {advice} {BLACK_BOX}"
        )

    return build_unsupported


for _cls, _reason in _CLASSIFIERS.items():
    register(_cls, _unsupported(_reason, "There is no white-box attack on it."))

for _cls, _reason in _TRANSFORMERS.items():
    register(_cls, _unsupported(_reason, "Leave the step out or use SplineTransformer instead."))
