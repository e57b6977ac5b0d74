"""Source of the code that users write, without docstrings, comments, layout and import paths."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["UserCode", "is_library", "name_of", "version_of"]

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_PLAIN = (bool, int, float, complex, str)


def is_library(thing: Any) -> bool:
    """Whether a class or function belongs to an installed package, known by its version."""
    package = _package_of(thing)
    if package in ("", "__main__"):
        return False
    if package == "sklearn_robust" or package in sys.stdlib_module_names:
        return True
    file = vars(sys.modules[package]).get("__file__") if package in sys.modules else None
    return file is not None and bool({"site-packages", "dist-packages"} & set(Path(file).parts))


def _package_of(thing: Any) -> str:
    module = getattr(thing, "__module__", None)
    return module.split(".")[0] if isinstance(module, str) else ""


def name_of(thing: Any) -> str:
    """Name of a class or function: with its package if that is a library, and never a module."""
    qualified = thing.__qualname__
    return f"{_package_of(thing)}.{qualified}" if is_library(thing) else qualified


def version_of(thing: Any) -> dict[str, str]:
    """Version of the library that a class or function belongs to, by the library's name."""
    package = _package_of(thing)
    if not is_library(thing) or package in sys.stdlib_module_names:
        return {}
    return {package: str(vars(sys.modules[package]).get("__version__", "unknown"))}


class UserCode:
    """Collector of user code: what it is given, and what that reaches by name.

    Attributes
    ----------
    texts : dict of str to list of str
        Source of each class and function by its qualified name.
    """

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self._seen: list[Any] = []  # keeps the objects, so that identities stay theirs

    def add(self, thing: Any) -> list[str]:
        """Collect a class or function; return its own source, empty for a library's."""
        if is_library(thing):
            return []
        if isinstance(thing, type):
            return self._add_class(thing)
        code = getattr(thing, "__code__", None)
        return [] if code is None else self._add_function(thing, thing.__qualname__)

    def _add_class(self, cls: type) -> list[str]:
        own = _source_of_class(cls)
        if self._knows(cls):
            return own
        self.texts.setdefault(cls.__qualname__, []).extend(own)
        for base in cls.__bases__:
            self.add(base)
        for _, function in _functions_of(cls):
            self._follow(function)
        return own

    def _add_function(self, function: types.FunctionType, name: str) -> list[str]:
        own = _source_of_function(function)
        if not self._knows(function):
            self.texts.setdefault(name, []).extend(own)
            self._follow(function)
        return own

    def _knows(self, thing: Any) -> bool:
        known = any(other is thing for other in self._seen)
        if not known:
            self._seen.append(thing)
        return known

    def _follow(self, function: types.FunctionType) -> None:
        """Collect what a function reaches: classes, functions, constants of its module."""
        names = set(_names_in(function.__code__))
        for name in sorted(names):
            value = function.__globals__.get(name)
            if isinstance(value, (type, types.FunctionType)):
                self.add(value)
            elif isinstance(value, types.ModuleType):
                for other in sorted(names & set(vars(value))):
                    member = vars(value)[other]
                    if isinstance(member, (type, types.FunctionType)):
                        self.add(member)
            elif name in function.__globals__:
                texts = _assignments(function, name)
                if texts:
                    self.texts[name] = texts
        for name, value in _enclosed(function):
            if isinstance(value, (type, types.FunctionType)):
                self.add(value)
            elif isinstance(value, _PLAIN):
                self.texts.setdefault(f"{function.__qualname__} around {name}", [repr(value)])


def _names_in(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)


def _enclosed(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            continue


def _functions_of(cls: type) -> list[tuple[str, types.FunctionType]]:
    """List the functions in a class's own body, taken out of decorators."""
    found = []
    for name, member in sorted(vars(cls).items()):
        if isinstance(member, property):
            parts = [member.fget, member.fset, member.fdel]
        elif isinstance(member, functools.cached_property):
            parts = [member.func]
        elif isinstance(member, (staticmethod, classmethod)):
            parts = [member.__func__]
        else:
            parts = [member]
        for part in parts:
            part = inspect.unwrap(part) if callable(part) else part
            if isinstance(part, types.FunctionType):
                found.append((name, part))
    return found


def _source_of_class(cls: type) -> list[str]:
    """Source of a class, of functions put into it from elsewhere, and its plain attributes."""
    functions = _functions_of(cls)
    own = [f.__code__.co_filename for _, f in functions if f.__module__ == cls.__module__]
    module = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    file = own[0] if own else module.get("__file__")
    nodes = _index(_text_of(file)).get(cls.__qualname__, []) if file else []
    found = [_dump(node) for node in nodes if isinstance(node, ast.ClassDef)]
    for name, function in functions:
        if not found or not function.__qualname__.startswith(f"{cls.__qualname__}."):
            found += [name, *_source_of_function(function)]
    for name, value in sorted(vars(cls).items()):
        if isinstance(value, _PLAIN) and not name.startswith("__"):
            found.append(f"{name} = {value!r}")
    return found


def _source_of_function(function: types.FunctionType) -> list[str]:
    code = function.__code__
    nodes = _index(_text_of(code.co_filename)).get(code.co_qualname, [])
    found = [node for node in nodes if _first_line(node) == code.co_firstlineno]
    if len(found) > 1:  # lambdas of one line
        found = [node for node in found if _holds(node, code)] or found
    if found:
        return [_dump(node) for node in found]
    return [repr(_instructions(code, function.__doc__))]  # typed where no source is kept


def _assignments(function: types.FunctionType, name: str) -> list[str]:
    """Statements that set a name at the top of a function's module."""
    found = []
    for node in _tree(_text_of(function.__code__.co_filename)).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(part, ast.Name) and part.id == name for part in targets):
            found.append(_dump(node))
    return found


# -- source files --------------------------------------------------------------------------------


def _text_of(file: str) -> str:
    linecache.checkcache(file)
    return "".join(linecache.getlines(file))


@functools.lru_cache(maxsize=16)
def _tree(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):  # no Python, or of another version
        return ast.Module([], [])


@functools.lru_cache(maxsize=16)
def _index(text: str) -> dict[str, list[ast.AST]]:
    """All classes, functions and lambdas of a file by their qualified names."""
    found: dict[str, list[ast.AST]] = {}

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, (ast.ClassDef, _Function)):
                name = prefix + ("<lambda>" if isinstance(child, ast.Lambda) else child.name)
                found.setdefault(name, []).append(child)
                inner = f"{name}." if isinstance(child, ast.ClassDef) else f"{name}.<locals>."
            walk(child, inner)

    walk(_tree(text), "")
    return found


def _first_line(node: Any) -> int:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _holds(node: Any, code: types.CodeType) -> bool:
    """Whether all instructions of a code object lie inside a node."""
    start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    for line, last, column, last_column in code.co_positions():
        if None in (line, last, column, last_column) or column == last_column:
            continue
        if not (start <= (line, column) and (last, last_column) <= end):
            return False
    return True


class _WithoutDocstrings(ast.NodeTransformer):
    def _strip(self, node: Any) -> Any:
        self.generic_visit(node)
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            if isinstance(first.value.value, str):
                node.body = node.body[1:] or [ast.Pass()]
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _strip


def _dump(node: ast.AST) -> str:
    """Code of a node as text, without positions, comments and docstrings."""
    copy = ast.parse(ast.unparse(node))
    return ast.dump(_WithoutDocstrings().visit(copy), include_attributes=False)


def _instructions(code: types.CodeType, docstring: str | None = None) -> list[Any]:
    """List what a code object does: instructions, names, constants, functions within."""
    constants = [c for c in code.co_consts if docstring is None or c != docstring]
    return [code.co_code, code.co_names, *map(_constant, constants)]


def _constant(value: Any) -> Any:
    if isinstance(value, types.CodeType):
        return _instructions(value)
    if isinstance(value, frozenset):  # in an order that is the same in every process
        return sorted(map(repr, value))
    return [_constant(item) for item in value] if isinstance(value, tuple) else value
