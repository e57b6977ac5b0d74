"""The door of every public call: a fitted classifier, opened for the samples of the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .._tables import Table, has_columns, holds_still, moving, read_table, wants_table
from .._validation import check_columns
from ._layers.lookup import TableInput
from ._model import Model
from ._module import AnyDtype, DifferentiableModel
from ._reading import Reader, reading
from ._registry import check_fitted
from ._scores import ScoreFunction, with_names

__all__ = ["TableModel", "open_model"]


class TableModel(Model):
    """A fitted classifier, opened for the samples of a table.

    Parameters
    ----------
    estimator : fitted classifier
        Never changed.
    table : Table
        The samples, and what their columns are.
    still : bool array of shape (n_columns,)
        Columns that no attack moves: what encoders make of them is looked up.
    """

    table: Table

    def __init__(self, estimator: Any, table: Table, still: NDArray[np.bool_]) -> None:
        self.table, self._still = table, still
        reader = Reader(table, still, np.arange(len(table.names)))
        with reading(reader):
            super().__init__(estimator)
        if self._module is not None:
            self._module = self._on_matrix(self._module)

    def _on_matrix(self, module: DifferentiableModel) -> DifferentiableModel:
        """Give a module the matrix of the table."""
        nets = AnyDtype in map(type, module.modules())
        dtype = torch.float32 if nets and not self.table.wide else torch.float64
        body = TableInput(module.body, has_missing=self.table.has_missing, dtype=dtype)
        shape = (len(self.table.names),)
        return DifferentiableModel(body, module._classes, input_shape=shape, name=module.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return TableModel, (self.estimator, self.table, self._still)

    def read(self, X: Any, dtype: Any = np.float32) -> NDArray[Any]:
        """Matrix of the table that the model was opened for."""
        return self.table.matrix

    def decode(self, X: NDArray[Any], rows: Any = None) -> Any:
        """Return rows of the matrix as a frame, or array, of the dtypes of the table."""
        return self.table.decode(X, rows)

    def _for_estimator(self, X: NDArray[Any]) -> Any:
        return self.table.decode(X)

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Shape of one row; a frame may hold columns that the estimator leaves out."""
        return (len(self.table.names),) if self.table.is_frame else super().input_shape

    @cached_property
    def scores(self) -> DifferentiableModel | ScoreFunction:
        """What a black-box attack asks: the logits where there are any, else scores."""
        if self._module is None:
            return ScoreFunction(self.estimator, self.table.decode)
        return super().scores

    @cached_property
    def native(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """None: the estimator predicts by frames, not by the matrix."""
        return None


def open_model(estimator: Any, X: Any = None, params: Mapping[str, Any] | None = None) -> Model:
    """Open a fitted classifier; an opened one is returned as it is.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, torch.nn.Module or Model
        What to open.
    X : array-like of shape (n_samples, ...), default=None
        The samples of the call. Of a table, such as a frame with texts, the model takes the
        matrix that ``model.read(X)`` returns.
    params : mapping, default=None
        Parameters of an attack that speak of columns, so that X is a table.

    Returns
    -------
    model : Model
        To be made once by each public call, and passed on.

    See Also
    --------
    as_module : Only the differentiable model.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_robust.differentiable import open_model
    >>> X, y = load_iris(return_X_y=True)
    >>> model = open_model(DecisionTreeClassifier().fit(X, y))
    >>> model.differentiable, open_model(model) is model
    (False, True)
    """
    opened = estimator if isinstance(estimator, Model) else None
    fitted = estimator if opened is None else opened.estimator
    if X is None or (opened is not None and opened.table is not None):
        return Model(estimator) if opened is None else opened
    torch_like = isinstance(fitted, nn.Module) or "module_" in getattr(fitted, "__dict__", {})
    named = params is not None and has_columns(params)
    if named or (not torch_like and (wants_table(X, fitted) or _needs_float64(X, fitted))):
        return _open_table(fitted, X, params)
    plain = Model(estimator) if opened is None else opened
    if plain._module is None and params is not None and holds_still(params, X):
        return _open_table(fitted, X, params)  # what has no gradient may be what stays
    return plain


def _needs_float64(X: Any, fitted: Any) -> bool:
    """Whether float32, in which arrays are attacked, changes a prediction on rows of X."""
    wide = isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "iuf"
    if not wide or X.dtype.itemsize < 8 or not X.size:
        return False
    with np.errstate(over="ignore"):
        rounded = X.astype(np.float32)
    if np.array_equal(rounded, X) or not np.isfinite(rounded).all():
        return False
    try:
        known = [np.ravel(fitted.predict(with_names(fitted, rows))) for rows in (X, rounded)]
        return bool(np.any(known[0] != known[1]))
    except Exception:  # whatever is wrong with X is said where it is checked
        return False


def _open_table(fitted: Any, X: Any, params: Mapping[str, Any] | None) -> TableModel:
    check_fitted(fitted)
    check_columns(X, fitted)
    table = read_table(X, fitted)
    still = table.still if params is None else table.still | ~moving(params, table)
    return TableModel(fitted, table, still)
