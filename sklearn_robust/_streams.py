"""Samples that come part by part: arrays of files, torch datasets and loaders."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import DataLoader, Dataset, IterableDataset

from ._validation import check_bounds, shown

__all__ = ["box_of_stream", "is_stream", "parts_of"]

_N_VALUES = 2**22  # numbers in the samples of one part of an array
_N_SAMPLES = 256  # samples of one part of a dataset


@runtime_checkable
class _ArrayOfFile(Protocol):
    """Array that numpy reads slice by slice, such as those of h5py and zarr."""

    shape: tuple[int, ...]
    dtype: Any
    chunks: Any


def is_stream(X: Any) -> bool:
    """Whether samples are read part by part: a loader, a dataset, or an array of a file.

    Parameters
    ----------
    X : object
        Samples, as users give them.
    """
    if isinstance(X, (np.ndarray, torch.Tensor, list, tuple)):
        return False
    return isinstance(X, (DataLoader, Dataset)) or isinstance(X, _ArrayOfFile)


def parts_of(X: Any, y: ArrayLike | None = None) -> Iterator[tuple[Any, Any]]:
    """Yield the samples and labels of a stream, part by part.

    Parameters
    ----------
    X : DataLoader, Dataset or array of a file
        A loader or dataset yields the labels, too.
    y : array-like of shape (n_samples,), default=None
        Labels of an array of a file.

    Yields
    ------
    samples : array of shape (n, ...)
        Of one part.
    labels : array of shape (n,) or None
        None where there are none.

    Raises
    ------
    ValueError
        If y is given beside a loader or dataset.
    """
    if not isinstance(X, (DataLoader, Dataset)):
        labels = None if y is None else np.asarray(y)
        size = max(_N_VALUES // max(int(np.prod(X.shape[1:])), 1), 1)
        for start in range(0, X.shape[0], size):
            rows = slice(start, start + size)
            yield np.asarray(X[rows]), None if labels is None else labels[rows]
        return
    if y is not None:
        raise ValueError(
            f"y is given beside a {type(X).__name__}, a dataset which yields (samples, labels) "
            "itself: pass it alone, with y=None, or type use_caching=False where it comes from "
            "skorch's EpochScoring."
        )
    loader = X if isinstance(X, DataLoader) else DataLoader(X, batch_size=_N_SAMPLES)
    for batch in loader:
        pair = isinstance(batch, (list, tuple))
        samples, labels = (batch[0], batch[1]) if pair and len(batch) > 1 else (batch, None)
        if pair and len(batch) == 1:
            samples = batch[0]
        yield np.asarray(samples), None if labels is None else np.asarray(labels)


def box_of_stream(X: Any, bounds: Any) -> Any:
    """Return the box of all samples of a stream: "auto" is decided by a pass over them.

    Parameters
    ----------
    X : DataLoader, Dataset or array of a file
        All samples.
    bounds : "auto", None or (low, high)
        As for attacks.

    Returns
    -------
    bounds : (low, high) or None
        Given ones are returned as they are.

    Raises
    ------
    ValueError
        If the stream has no length, so that it may not come twice.
    """
    if not isinstance(bounds, str):
        return bounds
    source = X.dataset if isinstance(X, DataLoader) else X
    endless = isinstance(source, Dataset) and not isinstance(source, Sized)
    if isinstance(source, IterableDataset) or endless:
        raise ValueError(
            f"X is a {type(X).__name__} without a length, which may come only once, and the "
            f"attack has bounds={shown(bounds)}, which is decided by all samples: give the attack "
            "bounds=(low, high), or bounds=None for no box."
        )
    ends: list[NDArray[Any]] = []
    for samples, _ in parts_of(X):
        ends = [np.stack([samples.min(axis=0), samples.max(axis=0), *ends])]
        ends = [ends[0].min(axis=0), ends[0].max(axis=0)]
    box: Any = check_bounds(bounds, np.stack(ends)) if ends else None
    return box
