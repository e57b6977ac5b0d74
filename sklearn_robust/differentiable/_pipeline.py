"""Views of estimators that wrap others."""

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from torch import nn

from ..exceptions import NotDifferentiableError
from ._registry import build, register

__all__ = []


@register(Pipeline)
def _pipeline(pipeline):
    parts = []
    for name, step in pipeline.steps:
        if step is None or (isinstance(step, str) and step == "passthrough"):
            continue
        try:
            parts.append(build(step))
        except NotDifferentiableError as error:
            raise NotDifferentiableError(
                f"Step {name!r} of the pipeline cannot be differentiated: {error}"
            ) from error
    body = nn.Sequential(*parts)
    body.tabular = any(getattr(part, "tabular", False) for part in parts)
    return body


@register(FrozenEstimator)
def _frozen(frozen):
    return build(frozen.estimator)


@register(GridSearchCV)
@register(RandomizedSearchCV)
def _search(search):
    if not hasattr(search, "best_estimator_"):
        raise NotDifferentiableError(
            f"{type(search).__name__} has no best estimator to view; fit it with refit=True."
        )
    return build(search.best_estimator_)
