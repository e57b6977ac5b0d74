"""Initial weights, from a fitted net."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet
from torch import nn

from ..._parameters import check_path
from .net_file import bare
from .packed_weights import fill
from .save_load import read_weights

__all__ = ["begin_with", "check_init_from"]


def check_init_from(source: Any) -> None:
    """Raise unless ``source`` is None, a path or a frozen net."""
    if source is None or isinstance(source, FrozenEstimator):
        return
    if isinstance(source, (str, os.PathLike)):
        check_path("init_from", source)
        return
    if isinstance(source, BaseEstimator):
        raise ValueError(
            f"init_from is a bare {type(source).__name__}, which clone and GridSearchCV would "
            "empty: wrap it, init_from=FrozenEstimator(net), or give the path of net.save(path)."
        )
    raise ValueError(
        f"init_from is {source!r:.80}; give the path of a saved net, or FrozenEstimator(net)."
    )


def _weights(source: Any, module: nn.Module) -> tuple[NDArray, dict[str, Any]]:
    """Read (labels, state dict) of a fitted net, for a module."""
    if not isinstance(source, FrozenEstimator):
        return read_weights(source, module)
    net = source.estimator
    check_is_fitted(net)
    if not isinstance(net, NeuralNet):
        raise ValueError(
            f"init_from holds a {type(net).__name__}, which has no module_: give a net."
        )
    return net.classes_, bare(net.module_).state_dict()


def begin_with(module: nn.Module, source: Any, labels: NDArray) -> None:
    """Load the weights of a fitted net into a new module.

    Parameters
    ----------
    module : torch.nn.Module
        What to fill, in place.
    source : str, path-like or FrozenEstimator
        A saved net or a frozen one.
    labels : array of shape (n_classes,)
        Labels in the order of the module's columns; those of ``source`` must be the same.
    """
    theirs, state = _weights(source, bare(module))
    if not np.array_equal(theirs, labels):
        raise ValueError(
            f"init_from was fitted on the labels {np.asarray(theirs)[:10].tolist()}, and these are "
            f"{labels[:10].tolist()}: start from a net of the same labels."
        )
    fill(bare(module), state, "of init_from")
