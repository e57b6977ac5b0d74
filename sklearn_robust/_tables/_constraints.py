"""What rows of a table must meet besides ball and box, and how perturbed rows are repaired."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._by_column import moving_place, place_of
from ._relations import Relation, read_relations
from ._table import Table

__all__ = ["Constraints", "constraints_of", "flips_of"]

_HALVINGS = 12
Rows = NDArray[np.float64]


class Constraints:
    """Columns that only grow, relations, and the dtypes of the columns.

    Parameters
    ----------
    table : Table
        The table.
    increasing : bool array of shape (n_columns,)
        Columns that may only grow.
    relations : list of Relation
        What every row must meet.
    moves : bool array of shape (n_columns,)
        Columns that move by a distance.
    integer : bool array of shape (n_columns,) or None
        Columns on the grid of integers.
    """

    def __init__(
        self,
        table: Table,
        increasing: NDArray[np.bool_],
        relations: list[Relation],
        moves: NDArray[np.bool_],
        integer: NDArray[np.bool_] | None,
    ) -> None:
        self.table, self.increasing, self.relations = table, increasing, relations
        self.moves, self.integer = moves, integer
        self.any_increasing = bool(increasing.any())
        self.active = self.any_increasing or bool(relations)

    def check_clean(self) -> None:
        """Raise if a row of the table violates a relation as it is."""
        for relation in self.relations:
            broken = np.flatnonzero(~relation.holds(self.table.matrix))
            if len(broken):
                raise ValueError(
                    f"Row {broken[0]} of X violates the relation {relation.text!r} before any "
                    f"attack ({len(broken)} rows do): fix the relation, or leave those rows out."
                )

    def satisfied(self, rows: Rows) -> NDArray[np.bool_]:
        """Say which rows meet all relations."""
        found = np.ones(len(rows), dtype=bool)
        for relation in self.relations:
            found &= relation.holds(rows)
        return found

    def repair(
        self, moved: Rows, clean: Rows, inside: Callable[[Rows, Rows], NDArray[np.bool_]]
    ) -> Rows:
        """Move perturbed rows to near ones that meet everything.

        Parameters
        ----------
        moved, clean : arrays of shape (n, n_columns)
            Perturbed rows, and the rows that they come from, which meet everything.
        inside : callable
            Says which of (moved, clean) rows lie in ball and box.

        Returns
        -------
        rows : array of shape (n, n_columns)
            A column by itself in a relation is set to what the relation wants; what does not
            meet everything then goes back toward the clean row as far as needed.
        """
        whole = self._fit(moved, clean)
        good = self.satisfied(whole) & inside(whole, clean)
        if good.all():
            return whole
        bad = np.flatnonzero(~good)
        whole[bad] = self._walk_back(moved[bad], clean[bad], inside)
        return whole

    def _fit(self, moved: Rows, clean: Rows) -> Rows:
        """Round rows to their columns, and set columns as relations want them."""
        rows = np.array(moved)
        if self.any_increasing:
            rows[:, self.increasing] = np.maximum(rows, clean)[:, self.increasing]
        for relation in self.relations:
            if relation.target is not None and self.moves[relation.target]:
                broken = ~relation.holds(rows)
                if broken.any():
                    assert relation.assign is not None
                    rows[broken, relation.target] = relation.assign(rows[broken])
        if self.integer is not None:
            steps = np.trunc((rows - clean) * (1 + 1e-12))
            rows = np.where(self.integer, clean + steps, rows)
        return self.table.settle(rows, clean)

    def _walk_back(
        self, moved: Rows, clean: Rows, inside: Callable[[Rows, Rows], NDArray[np.bool_]]
    ) -> Rows:
        """Find the farthest points on the way from the clean rows that meet everything."""
        best, low = np.array(clean), np.zeros((len(moved), 1))
        high = np.ones_like(low)
        for _ in range(_HALVINGS):
            share = (low + high) / 2
            tried = self._fit(clean + share * (moved - clean), clean)
            good = self.satisfied(tried) & inside(tried, clean)
            best[good] = tried[good]
            low[good], high[~good] = share[good], share[~good]
        return best


def constraints_of(
    params: Mapping[str, Any], table: Table, moves: NDArray[np.bool_], integer: Any
) -> Constraints:
    """Read the constraints among the parameters of an attack.

    Parameters
    ----------
    params : mapping
        ``increasing`` and ``relations`` are looked at.
    table : Table
        Whose columns they name.
    moves, integer : bool arrays of shape (n_columns,)
        Columns that move, and those on the grid of integers, or None.

    Returns
    -------
    constraints : Constraints
        As the columns have them.
    """
    grow = np.zeros(len(table.names), dtype=bool)
    names = params.get("increasing")
    if names is not None:
        flags = np.asarray(names)
        if flags.dtype == bool and flags.shape == grow.shape:
            names = np.flatnonzero(flags).tolist()
        for name in [names] if isinstance(names, str) else names:
            grow[moving_place(name, table, "increasing")] = True
    relations = read_relations(params.get("relations"), table)
    return Constraints(table, grow, relations, moves, integer)


def flips_of(params: Mapping[str, Any], table: Table) -> list[tuple[int, NDArray[np.float64]]]:
    """Read which categories an attack may choose: (column's place, codes) pairs.

    Parameters
    ----------
    params : mapping
        ``categorical`` is looked at.
    table : Table
        Whose columns it names.

    Returns
    -------
    flips : list of (int, array)
        Empty where no category changes.
    """
    given = params.get("categorical")
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise ValueError(
            f"categorical is {given!r:.200}; give a dict such as {{'job': 'any'}}, or "
            "{'job': ['clerk', 'cook']}."
        )
    flips = []
    for name, choice in given.items():
        place = place_of(name, table, "categorical")
        codes = _choices(name, choice, place, table)
        if len(codes):
            flips.append((place, codes))
    return flips


def _choices(name: Any, choice: Any, place: int, table: Table) -> NDArray[np.float64]:
    column = table.columns[place]
    if column.levels is None or column.allowed is None:
        raise ValueError(
            f"categorical names column {name!r}, which holds numbers that no encoder reads as "
            "categories: give it an eps instead."
        )
    if isinstance(choice, str) and choice in ("any", "fixed"):
        return column.allowed if choice == "any" else np.empty(0)
    if isinstance(choice, str) or not isinstance(choice, (list, tuple, set, np.ndarray)):
        raise ValueError(
            f"categorical[{name!r}] is {choice!r:.200}; give 'any', 'fixed' or a list of values."
        )
    known = _values_of(column)
    missing = [value for value in choice if value not in known]
    if missing:
        raise ValueError(
            f"categorical[{name!r}] holds {missing[0]!r}, which neither X nor the encoder knows; "
            f"give some of {[*known][:10]}."
        )
    return np.unique([known[value] for value in choice])


def _values_of(column: Any) -> dict[Any, float]:
    values = column.levels.tolist() if column.values is None else list(column.values)
    pairs = zip(values, column.levels.tolist(), strict=True)
    allowed = set(column.allowed.tolist())
    return {value: level for value, level in pairs if level in allowed}
