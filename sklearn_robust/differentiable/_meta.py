"""Differentiable models of estimators that wrap others."""

from __future__ import annotations

from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from torch import nn

from ..exceptions import NotDifferentiableError
from ._layers.outputs import Chain, OutputOf, naming
from ._registry import build, register

__all__ = ["transformer", "unwrapped"]


def transformer(fitted: Any) -> nn.Module:
    """Build the module of an estimator in a transformer's place."""
    return OutputOf(build(fitted), "transform")


def unwrapped(estimator: Any) -> tuple[tuple[Any, ...], Any]:
    """Find the classifier inside pipelines, searches and frozen estimators.

    Parameters
    ----------
    estimator : fitted classifier
        Wrapped or not.

    Returns
    -------
    steps : tuple of transformers
        What samples pass on their way, in order.
    classifier : object
        What they reach.
    """
    steps: list[Any] = []
    while True:
        if isinstance(estimator, Pipeline):
            parts = [step for _, step in estimator.steps if step not in (None, "passthrough")]
            if not parts:
                return tuple(steps), estimator
            steps, estimator = steps + parts[:-1], parts[-1]
        elif isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif isinstance(estimator, GridSearchCV.__base__) and "best_estimator_" in vars(estimator):
            estimator = estimator.best_estimator_
        else:
            return tuple(steps), estimator


@register(Pipeline)
def _pipeline(pipeline):
    steps = [step for step in pipeline.steps if step[1] not in (None, "passthrough")]
    parts = []
    for number, (name, step) in enumerate(steps, 1):
        with naming(f"Step {name!r} of the pipeline"):
            parts.append(build(step) if number == len(steps) else transformer(step))
    return Chain(parts[:-1], parts[-1] if parts else nn.Identity())


@register(FrozenEstimator)
def _frozen(frozen):
    return build(frozen.estimator)


@register(GridSearchCV.__base__)  # of every search, those of other packages included
def _search(search):
    if "best_estimator_" not in vars(search):
        raise NotDifferentiableError(
            f"{type(search).__name__} has no best estimator to open; fit it with refit=True."
        )
    return build(search.best_estimator_)
