"""Relations between columns, such as ``"installment <= amount / term"``: parsed, never run."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._norms import is_missing
from ._table import Table

__all__ = ["Relation", "read_relations"]

_COMPARED: dict[type, Callable[[Any, Any], Any]] = {
    ast.LtE: operator.le,
    ast.Lt: operator.lt,
    ast.GtE: operator.ge,
    ast.Gt: operator.gt,
    ast.Eq: lambda a, b: _equal(a, b),
    ast.NotEq: lambda a, b: ~_equal(a, b),
}
_COMPUTED: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "max": np.maximum,
    "min": np.minimum,
    "round": np.rint,
    "sqrt": np.sqrt,
}
_LONGEST = 500  # characters of a relation
_QUOTED = re.compile(r"`([^`]+)`")


def _equal(a: Any, b: Any) -> NDArray[np.bool_]:
    """Whether values are equal; numbers up to their rounding."""
    a, b = np.asarray(a), np.asarray(b)
    if {a.dtype.kind, b.dtype.kind} <= set("fiub"):
        return np.isclose(a, b, rtol=1e-9, atol=1e-12)
    return np.asarray(a == b)


@dataclass(frozen=True)
class Relation:
    """A condition that every row must meet.

    Attributes
    ----------
    text : str
        How users spell it.
    holds : callable
        Maps the matrix of a table to a bool array, one entry per row.
    target : int or None
        Place of a column that stands by itself on one side.
    assign : callable or None
        Maps a matrix to values of that column with which the relation holds.
    """

    text: str
    holds: Callable[[NDArray[np.float64]], NDArray[np.bool_]]
    target: int | None = None
    assign: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None


def read_relations(relations: Any, table: Table) -> list[Relation]:
    """Read relations for the columns of a table.

    Parameters
    ----------
    relations : list of str and callables, or None
        Texts such as ``"a + b <= c"``, or functions that map a frame to one bool per row.
    table : Table
        Whose columns they name.

    Returns
    -------
    relations : list of Relation
        Ready to be asked.
    """
    if relations is None:
        return []
    given = [relations] if isinstance(relations, str) or callable(relations) else relations
    if not isinstance(given, (list, tuple)):
        raise ValueError(
            f"relations is {relations!r:.200}; give a list of texts such as 'a <= b', or functions."
        )
    return [_of_function(one, table) if callable(one) else _of_text(one, table) for one in given]


def _of_function(function: Callable[[Any], Any], table: Table) -> Relation:
    name = getattr(function, "__name__", repr(function))

    def holds(matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
        found = np.asarray(function(table.decode(matrix)))
        if found.shape != (len(matrix),) or found.dtype != bool:
            raise ValueError(
                f"The relation {name} returns {found.dtype} of shape {found.shape} for "
                f"{len(matrix)} rows: return one bool for each row."
            )
        return found

    return Relation(name, holds)


def _of_text(text: Any, table: Table) -> Relation:
    if not isinstance(text, str):
        raise ValueError(f"relations holds {text!r:.200}; give a text such as 'a <= b'.")
    if len(text) > _LONGEST:
        raise ValueError(
            f"A relation has {len(text)} characters, {text[:40]!r}...; give several of up to "
            f"{_LONGEST}, or a function."
        )
    quoted: dict[str, str] = {}

    def place_holder(found: re.Match[str]) -> str:
        name = f"column_{len(quoted)}_"
        quoted[name] = found[1]
        return name

    try:
        body = ast.parse(_QUOTED.sub(place_holder, text).strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise _unreadable(text, "it is no expression") from None
    reader = _Reader(text, table, quoted)
    if not isinstance(body, (ast.Compare, ast.BoolOp)):
        raise _unreadable(text, "it compares nothing")
    reader.check(body)

    def holds(matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
        return reader.holds(body, matrix)

    target, assign = _assignment(body, reader)
    return Relation(text, holds, target, assign)


def _unreadable(text: str, reason: str) -> ValueError:
    return ValueError(
        f"The relation {text!r} cannot be read ({reason}): write a comparison of columns, numbers, "
        f"+ - * / ** % and {', '.join(_FUNCTIONS)}, such as 'installment <= amount / term'; names "
        "with spaces go into `backticks`."
    )


class _Reader:
    """Evaluation of one relation on the columns of a table."""

    def __init__(self, text: str, table: Table, quoted: dict[str, str]) -> None:
        self.text, self.table, self.quoted = text, table, quoted
        self.used: set[int] = set()

    def place(self, node: ast.Name) -> int:
        """Place of the column that a name means."""
        name = self.quoted.get(node.id, node.id)
        names = [str(known) for known in self.table.names]
        if name.startswith("x") and name[1:].isdigit() and name not in names:
            name = name[1:]  # columns of an array
        if name not in names:
            raise ValueError(
                f"The relation {self.text!r} names the column {name!r}, which X does not have; it "
                f"has {[*self.table.names][:10]}: type one of these (x0, x1, ... in an array)."
            )
        return names.index(name)

    def check(self, node: ast.AST) -> None:
        """Refuse all that is no comparison of sums and products, and note the columns."""
        if isinstance(node, ast.Name):
            self.used.add(self.place(node))
        elif isinstance(node, ast.Constant):
            if not isinstance(node.value, (int, float, str)):
                raise _unreadable(self.text, f"{node.value!r} is no number")
            if isinstance(node.value, int) and abs(node.value) > 10**300:
                raise _unreadable(self.text, "a number is too large")
        elif isinstance(node, ast.Call):
            known = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
            if not known or node.keywords or not node.args:
                raise _unreadable(self.text, f"{ast.unparse(node)} is not known")
            for part in node.args:
                self.check(part)
        else:
            self._check_operator(node)

    def _check_operator(self, node: ast.AST) -> None:
        if isinstance(node, ast.Compare):
            kinds, parts = {type(op) for op in node.ops}, [node.left, *node.comparators]
            known = kinds <= _COMPARED.keys()
        elif isinstance(node, ast.BoolOp):
            known, parts = True, list(node.values)
        elif isinstance(node, ast.BinOp):
            known, parts = type(node.op) in _COMPUTED, [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            known, parts = isinstance(node.op, (ast.USub, ast.UAdd, ast.Not)), [node.operand]
        else:
            known, parts = False, []
        if not known:
            raise _unreadable(self.text, f"{ast.unparse(node)} is not known")
        for part in parts:
            self.check(part)

    def holds(self, node: ast.AST, matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each row meets the relation; a missing value meets all."""
        try:
            with np.errstate(all="ignore"):
                value = np.asarray(self.value(node, matrix), dtype=bool)
        except TypeError:
            reason = "it computes with texts, or compares them with numbers"
            raise _unreadable(self.text, reason) from None
        found = np.broadcast_to(value, len(matrix))
        unknown = np.zeros(len(matrix), dtype=bool)
        for place in self.used:
            unknown |= is_missing(matrix[:, place])
        return found | unknown

    def value(self, node: ast.AST, matrix: NDArray[np.float64]) -> Any:
        """Value of an expression for each row."""
        if isinstance(node, ast.Name):
            return self._column(self.place(node), matrix)
        if isinstance(node, ast.Constant):
            value: Any = node.value
            return value if isinstance(value, str) else np.float64(value)
        if isinstance(node, ast.BinOp):
            left, right = self.value(node.left, matrix), self.value(node.right, matrix)
            return _COMPUTED[type(node.op)](left, right)
        if isinstance(node, ast.UnaryOp):
            inner = self.value(node.operand, matrix)
            if isinstance(node.op, ast.Not):
                return ~np.asarray(inner, dtype=bool)
            return -inner if isinstance(node.op, ast.USub) else inner
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return _FUNCTIONS[node.func.id](*(self.value(part, matrix) for part in node.args))
        if isinstance(node, ast.BoolOp):
            parts = [np.asarray(self.value(part, matrix), dtype=bool) for part in node.values]
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return join.reduce(np.broadcast_arrays(*parts))
        assert isinstance(node, ast.Compare)
        sides = [self.value(part, matrix) for part in (node.left, *node.comparators)]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        return np.logical_and.reduce([_COMPARED[type(op)](a, b) for a, op, b in pairs])

    def _column(self, place: int, matrix: NDArray[np.float64]) -> Any:
        column, values = self.table.columns[place], matrix[:, place]
        if column.values is None:
            return values
        assert column.levels is not None
        names = np.array(list(column.values), dtype=object)
        return names[np.searchsorted(column.levels, values)]


def _assignment(body: ast.AST, reader: _Reader) -> tuple[int | None, Any]:
    """Column that stands by itself on a side, and the values with which the relation holds."""
    if not isinstance(body, ast.Compare) or len(body.ops) != 1:
        return None, None
    op, left, right = type(body.ops[0]), body.left, body.comparators[0]
    flipped = {ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.Eq: ast.Eq}
    if not isinstance(left, ast.Name) and isinstance(right, ast.Name):
        left, right, op = right, left, flipped.get(op, ast.NotEq)
    if not isinstance(left, ast.Name) or op is ast.NotEq:
        return None, None
    place = reader.place(left)
    if reader.table.still[place]:
        return None, None

    def assign(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            other = np.broadcast_to(reader.value(right, matrix), len(matrix)).astype(np.float64)
        now = matrix[:, place]
        if op is ast.Eq:
            return np.where(is_missing(now) | ~np.isfinite(other), now, other)
        below = op in (ast.LtE, ast.Lt)
        if op in (ast.Lt, ast.Gt):
            other = np.nextafter(other, -np.inf if below else np.inf)
        new = np.minimum(now, other) if below else np.maximum(now, other)
        return np.where(is_missing(now) | ~np.isfinite(new), now, new)

    return place, assign
