"""What nets learn from their data before they train: shapes, classes, ranges."""

import numpy as np
import torch
from sklearn.utils.multiclass import check_classification_targets
from torch.utils.data import Dataset

from .. import _validation as check

__all__ = ["CodedDataset", "open_dataset", "open_rows"]


def open_rows(net, X, y, reset):
    """Check arrays; return (X float32, y as given), with the net's feature count remembered."""
    if y is None:
        raise ValueError(
            f"{type(net).__name__} requires y to be passed, but the target y is None: pass labels, "
            "or a torch Dataset that yields (sample, label) pairs."
        )
    X, y = check.validate_samples(net, X, y, reset=reset, ensure_min_features=1)
    check_classification_targets(y)
    return X, y


def extremes(X, chunk=4096):
    """Least and greatest value of each feature, stacked: shape (2, *sample_shape)."""
    lows, highs = [], []
    for start in range(0, len(X), chunk):
        part = X[start : start + chunk]
        lows.append(part.min(axis=0))
        highs.append(part.max(axis=0))
    return np.stack([np.min(lows, axis=0), np.max(highs, axis=0)])


def code_labels(net, y, classes, reset):
    """Set the net's classes from ``y`` (or what was declared) and return the codes of ``y``."""
    declared = net.classes if classes is None else classes
    if reset or not hasattr(net, "labels_"):
        net.labels_ = np.unique(y if declared is None else np.asarray(declared))
        if len(net.labels_) < 2:
            raise ValueError(
                f"{type(net).__name__} got one class, {net.labels_[0]!r}; a classifier needs "
                "samples of at least two classes."
            )
    return check.encode_labels(y, net.labels_, type(net).__name__)


class CodedDataset(Dataset):
    """A user's dataset with class codes in place of labels.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Yields (sample, label) pairs.
    labels : array of shape (n_classes,)
        The classes in order.
    who : str
        Whose classes they are, for messages.
    """

    def __init__(self, dataset, labels, who):
        self.dataset, self.labels, self.who = dataset, labels, who

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        x, y = self.dataset[index]
        code = check.encode_labels(np.atleast_1d(np.asarray(y)), self.labels, self.who)[0]
        return torch.as_tensor(np.asarray(x), dtype=torch.float32), code


def open_dataset(dataset):
    """Walk once through a user's dataset: its labels (n,) and extremes (2, *sample_shape)."""
    labels, low, high = [], None, None
    for index in range(len(dataset)):
        pair = dataset[index]
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError("A Dataset must yield (sample, label) pairs; pass y otherwise.")
        x, label = np.asarray(pair[0]), np.asarray(pair[1]).item()
        check.refuse_bytes(x)
        x = x.astype(np.float32)
        if not np.isfinite(x).all():
            raise ValueError(f"Sample {index} of the Dataset contains NaN or infinity.")
        low = x if low is None else np.minimum(low, x)
        high = x if high is None else np.maximum(high, x)
        labels.append(label)
    if low is None:
        raise ValueError("The Dataset is empty; give at least two samples.")
    return np.asarray(labels), np.stack([low, high])
