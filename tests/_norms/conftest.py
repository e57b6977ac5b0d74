"""A registry of norms that every test finds with the built-in ones alone, and leaves as it was."""

import pytest

BUILT_IN = ("linf", "l2", "l1")


@pytest.fixture
def registry():
    """Hide the norms that examples have registered, and leave the registry as it was."""
    from sklearn_robust._norms import _registry

    tables = (_registry.NORMS, _registry.NAMES)
    saved = [dict(table) for table in tables]
    names = {key for key, name in _registry.NAMES.items() if name in BUILT_IN}
    for table, kept in zip(tables, (BUILT_IN, names), strict=True):
        for key in table.keys() - set(kept):
            del table[key]
    yield
    for table, before in zip(tables, saved, strict=True):
        table.clear()
        table.update(before)
