"""Columns that stay: what a transformer makes of them is looked up."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, TargetEncoder
from torch import nn

from ..._norms import MISSING, is_missing
from ..._tables import Table

__all__ = ["Lookup", "TableInput"]

_BY_COLUMN = (OneHotEncoder, OrdinalEncoder, TargetEncoder, KBinsDiscretizer, SimpleImputer)


def _is_by_column(fitted: Any) -> bool:
    """Whether each output of a transformer depends on a single column."""
    if isinstance(fitted, Pipeline):
        return all(_is_by_column(step) for _, step in fitted.steps if step != "passthrough")
    return isinstance(fitted, _BY_COLUMN)


class TableInput(nn.Module):
    """The matrix of a table as the parts of an estimator see it: NaN where a value is missing.

    Parameters
    ----------
    body : torch.nn.Module
        The estimator.
    has_missing : bool
        Whether values may be missing.
    dtype : torch.dtype
        What to compute in.
    """

    tabular = True

    def __init__(self, body: nn.Module, *, has_missing: bool, dtype: torch.dtype) -> None:
        super().__init__()
        self.body, self.has_missing, self.dtype = body, has_missing, dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of rows of the matrix."""
        seen = torch.where(is_missing(x), torch.nan, x) if self.has_missing else x
        z = self.body(seen.to(self.dtype))
        if x.requires_grad and not z.requires_grad:  # all columns are looked up
            z = z + 0 * x.flatten(1).sum(1, keepdim=True)
        return z


class Lookup(nn.Module):
    """What a fitted transformer makes of columns that do not move; constant to a gradient.

    Parameters
    ----------
    fitted : fitted transformer
        What is asked, once for each combination of values.
    table : Table
        How to decode the columns.
    places : int array
        The columns, by their places in the table.
    """

    tabular = True

    def __init__(self, fitted: Any, table: Table, places: NDArray[np.int64]) -> None:
        super().__init__()
        self.maker = _Maker(fitted, table, places)
        columns = [table.columns[place] for place in places]
        coded = all(column.levels is not None for column in columns)
        self._last: tuple[Any, Any] = (None, None)
        self.levels: list[torch.Tensor] = []
        self.parts: list[tuple[torch.Tensor, torch.Tensor]] = []
        if coded and (len(places) == 1 or _is_by_column(fitted)):
            self._tabulate([column.levels for column in columns])

    def _tabulate(self, levels: list[Any]) -> None:
        """Ask once for each value of each column."""
        base = self.maker.table.matrix[:1, self.maker.places]
        self.base = torch.as_tensor(self.maker(base)[0])
        for number, values in enumerate(levels):
            rows = np.repeat(base, len(values), axis=0)
            rows[:, number] = values
            made = torch.as_tensor(self.maker(rows))
            own = torch.nonzero((made != self.base).any(0) | made.isnan().any(0)).flatten()
            self.levels.append(torch.as_tensor(values))
            self.parts.append((own, made[:, own]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of rows that hold the columns, (n, n_outputs)."""
        x = x.detach()
        if not self.parts:
            return self.maker.looked_up(x)
        last, made_before = self._last
        if last is not None and last.dtype == x.dtype and torch.equal(last, x):
            return made_before  # the same rows again, as in every step of an attack
        out = self.base.to(x).repeat(len(x), 1)
        for number, (levels, (own, made)) in enumerate(zip(self.levels, self.parts, strict=True)):
            values = torch.where(x[:, number].isnan(), MISSING, x[:, number])
            place = torch.searchsorted(levels.to(x), values.contiguous())
            place = place.clamp_max(len(levels) - 1)
            out[:, own.to(x.device)] = made.to(x)[place]
        self._last = x.clone(), out
        return out


class _Maker:
    """A transformer and the columns it reads, shared by copies of a module."""

    def __init__(self, fitted: Any, table: Table, places: NDArray[np.int64]) -> None:
        self.fitted, self.table, self.places = fitted, table, places
        self.known: dict[bytes, NDArray[np.float64]] = {}

    def __deepcopy__(self, memo: Any) -> _Maker:
        return self

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Ask the transformer about rows of the columns."""
        full = np.repeat(self.table.matrix[:1], len(rows), axis=0)
        full[:, self.places] = rows
        made = self.fitted.transform(self.table.select(self.table.decode(full), self.places))
        made = made.toarray() if hasattr(made, "toarray") else np.asarray(made)
        return made.astype(np.float64)

    def looked_up(self, x: torch.Tensor) -> torch.Tensor:
        """Features of rows, each combination of values asked for once."""
        rows = np.ascontiguousarray(np.nan_to_num(x.double().cpu().numpy(), nan=MISSING))
        keys = [row.tobytes() for row in rows]
        new = {key: place for place, key in enumerate(keys) if key not in self.known}
        if new:
            made = self(rows[[*new.values()]])
            self.known.update(zip(new, made, strict=True))
        return torch.as_tensor(np.stack([self.known[key] for key in keys])).to(x)
