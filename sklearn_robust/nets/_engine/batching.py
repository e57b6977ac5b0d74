"""Batches as index slices of one tensor, in place of per-sample collation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.dataset import Dataset
from torch import Tensor
from torch.utils.data import DataLoader, Subset

__all__ = ["Batches", "JoinedLast", "Rows", "as_rows"]


class Rows(Dataset):
    """Samples and their class codes, held as whole arrays.

    Parameters
    ----------
    X : array of shape (n, ...), float32
        Samples; a read-only array, such as a memory map, stays where it is.
    codes : array of shape (n,), int64
        Class codes.
    y : array of shape (n,)
        Labels, which skorch's scoring callbacks compare with what ``predict`` says of ``X``.
    """

    def __init__(self, X: NDArray, codes: NDArray, y: NDArray) -> None:
        self.X, self.codes, self.y = X, codes, y

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, index: int) -> tuple[NDArray, Any]:
        return np.array(self.X[index]), self.codes[index]


def as_rows(dataset: Any) -> Rows | None:
    """Return the ``Rows`` behind a dataset or a split of one, else None."""
    if isinstance(dataset, Rows):
        return dataset
    if isinstance(dataset, Subset) and (rows := as_rows(dataset.dataset)) is not None:
        chosen = np.asarray(dataset.indices)
        return Rows(rows.X[chosen], rows.codes[chosen], rows.y[chosen])
    return None


def _fits(n_bytes: int, device: torch.device) -> bool:
    if device.type != "cuda":
        return device.type == "cpu"
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes < free / 2


class Batches:
    """Iterate over ``(x, y)`` tensors on the device, once an epoch.

    Parameters
    ----------
    rows : Rows
        The data.
    batch_size : int
        Rows a batch; -1 takes all. A last batch of one joins the batch before it, because
        BatchNorm cannot train on a single row.
    device : torch.device
        Where the batches go; the whole data if they fit.
    generator : torch.Generator or None
        Source of the shuffles; None keeps the order.
    """

    def __init__(
        self,
        rows: Rows,
        batch_size: int,
        device: torch.device | str,
        generator: torch.Generator | None = None,
    ) -> None:
        self.X: NDArray | Tensor
        self.generator = generator
        self.device = torch.device(device)
        self.X, self.y = rows.X, torch.as_tensor(rows.codes)
        if self.X.flags.writeable:
            self.X = torch.from_numpy(self.X)
            if _fits(rows.X.nbytes, self.device):
                self.X, self.y = self.X.to(self.device), self.y.to(self.device)
        n = len(rows)
        size = n if batch_size == -1 else batch_size
        starts = list(range(0, n, size))
        if len(starts) > 1 and n - starts[-1] == 1 < size:
            starts.pop()
        self.edges = list(zip(starts, [*starts[1:], n], strict=True))

    def __len__(self) -> int:
        return len(self.edges)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        n = len(self.y)
        order = None
        if self.generator is not None:
            order = torch.randperm(n, generator=self.generator)
        for start, stop in self.edges:
            yield self._take(slice(start, stop) if order is None else order[start:stop])

    def _take(self, rows: slice | Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(self.X, torch.Tensor):
            here = rows if isinstance(rows, slice) else rows.to(self.X.device)
            x, y = self.X[here], self.y[here]
            if isinstance(rows, slice):
                x = x.clone()  # a module that works in place must not reach the data
        else:
            x, y = torch.from_numpy(np.array(self.X[_numpy(rows)])), self.y[rows]
        return x.to(self.device, non_blocking=True), y.to(self.device, non_blocking=True)


def _numpy(rows: slice | Tensor) -> slice | NDArray:
    return rows if isinstance(rows, slice) else rows.numpy()


class JoinedLast:
    """Batches of a loader; a last batch of one joins the batch before it.

    Parameters
    ----------
    loader : torch.utils.data.DataLoader
        skorch's loader of a user's dataset.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def __len__(self) -> int:
        if not isinstance(self.loader, DataLoader) or self.loader.batch_size is None:
            return len(self.loader)
        n = len(self.loader.sampler)  # type: ignore[arg-type]
        size = self.loader.batch_size
        return len(self.loader) - (1 < size < n and n % size == 1 and not self.loader.drop_last)

    def __iter__(self) -> Iterator[Any]:
        held = None
        for batch in self.loader:
            if held is not None and len(batch[0]) == 1 < len(held[0]):
                batch, held = [torch.cat(parts) for parts in zip(held, batch, strict=True)], None
            if held is not None:
                yield held
            held = batch
        if held is not None:
            yield held
