"""From arrays to batches and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

__all__ = ["auto_batch_size", "batches_of"]


def auto_batch_size(n_values: int, device: torch.device | str) -> int:
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


def batches_of(
    X: NDArray[Any],
    batch_size: int | None,
    device: torch.device | str,
    verbose: int,
    label: str,
) -> Iterator[slice]:
    """Yield slices of the rows of ``X``, with a progress bar when ``verbose``."""
    size = batch_size or auto_batch_size(X[0].size if len(X) else 1, device)
    starts = range(0, len(X), size)
    bar = tqdm(total=len(X), desc=label, unit="sample", disable=not verbose)
    with bar:
        for start in starts:
            rows = slice(start, min(start + size, len(X)))
            yield rows
            bar.update(rows.stop - rows.start)
