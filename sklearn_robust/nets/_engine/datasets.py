"""Data of a fit: checks, classes as codes, shapes and ranges."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import check_classification_targets
from skorch.dataset import Dataset as SkorchDataset
from skorch.dataset import ValidSplit
from skorch.utils import is_dataset, is_skorch_dataset
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from ... import _validation as check
from ..._units import warn_of_shades
from .batching import Rows, as_rows

__all__ = ["CodedDataset", "coded", "is_coded", "open_data", "samples_of", "seeded_split"]


def open_data(
    net: Any, X: Any, y: ArrayLike | None, classes: ArrayLike | None, reset: bool
) -> tuple[Rows | CodedDataset, NDArray]:
    """Check the data of a fit and learn the net's classes from them.

    Returns
    -------
    data : Rows or CodedDataset
        Pairs of (sample, class code); ``data.codes`` holds the codes.
    ends : array of shape (2, *sample_shape)
        Least and greatest value of each feature.
    """
    if not isinstance(X, np.ndarray):
        _refuse_streams(net, X)
    if not is_dataset(X):
        X, y = _open_rows(net, X, y, reset)
        return Rows(X, code_labels(net, y, classes, reset), np.asarray(y)), extremes(X)
    if y is not None:
        raise ValueError(
            "y is given beside a Dataset, which yields (sample, label) pairs itself: pass the "
            "Dataset alone, or X and y as arrays."
        )
    labels, ends, content = _walk(X)
    if reset:
        net.n_features_in_ = ends.shape[1]
        net.__dict__.pop("feature_names_in_", None)
    check.check_sample_shape(ends, None if reset else net.input_shape_, type(net).__name__)
    return _coded(X, labels, code_labels(net, labels, classes, reset), content), ends


def _refuse_streams(net: Any, X: Any) -> None:
    """Refuse what decides the order of the samples itself, as a net shuffles its own batches."""
    name = type(net).__name__
    if isinstance(X, DataLoader) and not isinstance(X.dataset, IterableDataset):
        raise ValueError(
            f"X is a {type(X).__name__}, and {name} makes its own batches: type "
            f"{name}(batch_size={X.batch_size}).fit(loader.dataset), with "
            "iterator_train__num_workers=2 for processes that load."
        )
    if isinstance(X, (DataLoader, IterableDataset)):
        raise ValueError(
            f"X is a stream without a length ({type(X).__name__}), and {name} shuffles samples and "
            "counts classes: give a Dataset with __len__ and __getitem__, or a memory map, "
            'np.load(path, mmap_mode="r"). Predictions and robust_score take streams.'
        )


def _open_rows(net, X, y, reset):
    """Check arrays; return (X float32, y as given), with the net's feature count set."""
    if y is None:
        raise ValueError(
            f"{type(net).__name__} requires y to be passed, but the target y is None: pass labels, "
            "or a torch Dataset that yields (sample, label) pairs."
        )
    X, y = check.validate_samples(net, X, y, reset=reset, ensure_min_features=1)
    check_classification_targets(y)
    check.check_sample_shape(X, None if reset else net.input_shape_, type(net).__name__)
    warn_of_shades(X, type(net).__name__)
    return X, y


def extremes(X: NDArray, chunk: int = 4096) -> NDArray:
    """Least and greatest value of each feature, stacked: shape (2, *sample_shape)."""
    lows, highs = [], []
    for start in range(0, len(X), chunk):
        part = X[start : start + chunk]
        lows.append(part.min(axis=0))
        highs.append(part.max(axis=0))
    return np.stack([np.min(lows, axis=0), np.max(highs, axis=0)])


def code_labels(net: Any, y: Any, classes: ArrayLike | None, reset: bool) -> NDArray:
    """Set the net's classes from ``y`` (or what was declared) and return the codes of ``y``."""
    declared = net.classes if classes is None else classes
    if reset or "labels_" not in vars(net):
        net.labels_ = np.unique(y if declared is None else np.asarray(declared))
        if len(net.labels_) == 0:
            raise ValueError(f"classes is {declared!r:.80}; give all labels, or None.")
        if len(net.labels_) < 2:
            raise ValueError(
                f"{type(net).__name__} got one class, {net.labels_.tolist()[0]!r}; a classifier "
                "needs samples of at least two classes."
            )
    elif classes is not None and not np.array_equal(np.unique(classes), np.sort(net.labels_)):
        raise ValueError(
            f"classes is {np.unique(classes).tolist()}, but {type(net).__name__} knows "
            f"{net.labels_.tolist()}: leave classes out, or start afresh with fit."
        )
    return check.encode_labels(y, net.labels_, type(net).__name__)


class CodedDataset(Dataset):
    """A user's dataset with class codes in place of labels, and samples as float32 tensors.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Yields (sample, label) pairs.
    codes : array of shape (n_samples,), int64
        Class codes.
    content : bytes
        Digest of the samples.
    """

    y: NDArray | None = None

    def __init__(self, dataset: Any, codes: NDArray, content: bytes) -> None:
        self.dataset, self.codes, self.content = dataset, codes, content

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, Any]:
        x = np.asarray(self.dataset[index][0])
        return torch.as_tensor(x, dtype=torch.float32), self.codes[index]


class CodedXy(CodedDataset, SkorchDataset):
    """Coded form of a dataset of skorch's, whose scorers take its samples and labels apart."""

    def __init__(self, dataset: Any, codes: NDArray, content: bytes, y: NDArray) -> None:
        super().__init__(dataset, codes, content)
        self.y = y

    @property
    def X(self) -> NDArray:
        """Samples as an array."""
        return samples_of(self.dataset)


def _coded(dataset, labels, codes, content):
    if is_skorch_dataset(dataset):
        return CodedXy(dataset, codes, content, labels)
    return CodedDataset(dataset, codes, content)


def is_coded(dataset: Any) -> bool:
    """Whether the labels of a dataset, or of the whole that it is a part of, are codes."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return isinstance(dataset, (Rows, CodedDataset))


def coded(net: Any, dataset: Any) -> CodedDataset:
    """Code the labels of a user's dataset as the net does."""
    labels, ends, content = _walk(dataset)
    check.check_sample_shape(ends, net.input_shape_, type(net).__name__)
    codes = check.encode_labels(labels, net.labels_, type(net).__name__)
    return _coded(dataset, labels, codes, content)


def seeded_split(split: Any, seed: int) -> Any:
    """Split that draws by a seed: skorch's draw from numpy's global generator without one."""
    if not isinstance(split, ValidSplit) or not isinstance(split.cv, float):
        return split
    if split.random_state is not None:
        return split
    split = copy.copy(split)
    split.random_state = seed
    return split


def samples_of(dataset: Any) -> NDArray:
    """Stack the samples of a dataset; its items are samples or (sample, label) pairs."""
    rows = as_rows(dataset)
    if rows is not None:
        return rows.X
    items = (dataset[index] for index in range(len(dataset)))
    return np.stack([np.asarray(i[0] if isinstance(i, (tuple, list)) else i) for i in items])


def _walk(dataset: Any) -> tuple[NDArray, NDArray, bytes]:
    """Go once through a user's dataset: labels (n,), extremes (2, *sample_shape), digest."""
    labels: list[Any] = []
    low: NDArray | None = None
    high: NDArray | None = None
    content = hashlib.blake2b(digest_size=8)
    for index in range(len(dataset)):
        pair = dataset[index]
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError("A Dataset must yield (sample, label) pairs; pass arrays otherwise.")
        x, label = np.asarray(pair[0]), np.asarray(pair[1]).item()
        check.refuse_bytes(x)
        x = x.astype(np.float32)
        if not np.isfinite(x).all():
            raise ValueError(f"Sample {index} of the Dataset contains NaN or infinity.")
        if low is None or high is None:
            low = high = x
        if x.shape != low.shape:
            raise ValueError(
                f"Sample {index} of the Dataset has shape {x.shape} and the first one "
                f"{low.shape}; give all samples one shape."
            )
        low, high = np.minimum(low, x), np.maximum(high, x)
        labels.append(label)
        content.update(np.ascontiguousarray(x).tobytes())
    if low is None or high is None:
        raise ValueError("The Dataset is empty; give at least two samples.")
    return np.asarray(labels), np.stack([low, high]), content.digest()
