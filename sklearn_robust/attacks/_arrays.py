"""From arrays to batches and back."""

import numpy as np
import torch
from tqdm import tqdm

from .._validation import check_labels, encode_labels

__all__ = [
    "auto_batch_size",
    "batches_of",
    "label_codes",
    "own_logits",
    "predicted_codes",
    "with_names",
]


def auto_batch_size(n_values, device):
    """Rows whose activations fit the cache of a CPU, or fill a GPU.

    Parameters
    ----------
    n_values : int
        Numbers in one sample.
    device : torch.device
        Where the batch will be processed.
    """
    if torch.device(device).type != "cpu":
        return int(np.clip(2**22 // max(n_values, 1), 256, 4096))
    return int(np.clip(2**17 // max(n_values, 1), 64, 4096))


def batches_of(X, batch_size, device, verbose, label):
    """Yield slices of the rows of ``X``, with a progress bar when ``verbose``."""
    size = batch_size or auto_batch_size(X[0].size if len(X) else 1, device)
    starts = range(0, len(X), size)
    bar = tqdm(total=len(X), desc=label, unit="sample", disable=not verbose)
    with bar:
        for start in starts:
            rows = slice(start, min(start + size, len(X)))
            yield rows
            bar.update(rows.stop - rows.start)


def predicted_codes(estimator, view, X):
    """Class codes (n,) that the estimator itself predicts (a bare module: by its logits)."""
    if not hasattr(estimator, "predict"):
        return view.codes(X)
    if view._classes is None:  # the first forward tells how many there are
        view.codes(X[:1])
    return encode_labels(estimator.predict(with_names(estimator, X)), view.classes_, view.name)


def own_logits(estimator):
    """Return a function of tensors: the logits that the estimator predicts by; None if unknown."""
    if not getattr(estimator, "_predicts_by_logits", False):
        return None

    def logits(x):
        z = estimator.decision_function(x.cpu().numpy().astype(np.float32, copy=False))
        z = torch.as_tensor(z, device=x.device)
        return z if z.ndim == 2 else torch.stack([-z, z], 1) / 2

    return logits


def label_codes(view, X, y):
    """Class codes (n,) of the labels ``y`` of the samples ``X``."""
    check_labels(y)
    if len(y) != len(X):
        raise ValueError(f"X has {len(X)} samples and y has {len(y)} labels.")
    if view._classes is None:
        view.codes(X[:1])
    return encode_labels(y, view.classes_, view.name)


def with_names(estimator, X):
    """``X`` as the estimator was fitted on it: a frame, where it knows names of columns."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or X.shape[1:] != (len(names),):
        return X
    try:
        from pandas import DataFrame
    except ImportError:  # the names came from another library's frame
        return X
    return DataFrame(X, columns=names)
