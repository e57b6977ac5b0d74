"""Parameters of an attack that speak of the columns of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from .._tables import Table, constraints_of, flips_of, resolve
from ..differentiable import Model
from ._core import TABLE_PARAMS

if TYPE_CHECKING:
    from typing import Self

__all__ = ["ColumnsOfTable"]


class ColumnsOfTable:
    """Part of an attack that turns names of columns into arrays."""

    def column_params(self) -> dict[str, Any]:
        """Return the parameters that may speak of columns, for ``open_model``.

        Returns
        -------
        params : dict
            ``eps``, ``norm``, ``bounds`` and all that follow up to ``relations``.
        """
        names = ("eps", "norm", "bounds", "mask", "integer", *TABLE_PARAMS)
        return {name: vars(self)[name] for name in names if name in vars(self)}

    def on_columns(self, model: Model) -> Self:
        """Return the attack with an array for each parameter that speaks of columns.

        Parameters
        ----------
        model : Model
            As of ``open_model(estimator, X, attack.column_params())``.

        Returns
        -------
        attack : attack
            Itself, unless the model is one of a table.
        """
        if model.table is None:
            return self
        return clone(self).set_params(**self._on_table(model.table))

    def _on_table(self, table: Table) -> dict[str, Any]:
        """Parameters for the columns of a table."""
        params = self.column_params()
        threat = resolve(params, table)
        flips_of(params, table)
        constraints_of(params, table, threat.mask, threat.integer).check_clean()
        return {
            "eps": threat.eps,
            "bounds": threat.bounds,
            "mask": threat.mask,
            "integer": threat.integer,
        }
