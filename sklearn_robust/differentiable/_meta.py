"""Differentiable models of estimators that wrap others."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from torch import nn

from ..exceptions import NotDifferentiableError
from ._layers.lookup import Lookup
from ._layers.outputs import Chain, OutputOf, naming
from ._reading import behind, current_reader
from ._registry import build, register

__all__ = ["transformer", "unwrapped"]


def transformer(fitted: Any) -> nn.Module:
    """Build the module of an estimator in a transformer's place.

    What is made of columns that do not move is looked up, where it has no gradient.
    """
    reader = current_reader()
    if reader is None or not reader.all_still:
        return OutputOf(build(fitted), "transform")
    if not reader.all_codes:
        try:
            return OutputOf(build(fitted), "transform")
        except NotDifferentiableError:
            pass
    return Lookup(fitted, reader.table, reader.places)


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
    steps = [step for step in pipeline.steps if not _is_idle(step[1])]
    parts = []
    for number, (name, step) in enumerate(steps, 1):
        before = nullcontext() if number == 1 else behind()
        with naming(f"Step {name!r} of the pipeline"), before:
            parts.append(build(step) if number == len(steps) else transformer(step))
    names = [name for name, _ in steps]
    return Chain(parts[:-1], parts[-1] if parts else nn.Identity(), names)


def _is_idle(step):
    """Whether a step leaves samples as they are; samplers of imbalanced-learn act in fit alone."""
    if step in (None, "passthrough"):
        return True
    return hasattr(step, "fit_resample") and not hasattr(step, "transform")


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
