"""What every test shares: one torch thread, fresh seeds, no window, no clock."""

import os
import random
import sys

os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)

BUILT_IN = ("linf", "l2", "l1", "l0")

# The same examples on every run and on every machine, however slow it is.
settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")


class _Figures:
    """Plugin for every test, the examples in docstrings and pages too: no figure outlives one."""

    @staticmethod
    def pytest_runtest_teardown():
        """Close the figures of a test, if it has drawn any."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            pyplot.close("all")


def pytest_configure(config):
    """Register what must reach tests outside this folder, too."""
    config.pluginmanager.register(_Figures())


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config, items):
    skips = {
        "slow": (not config.getoption("--slow"), "slow: run it with --slow"),
        "gpu": (not torch.cuda.is_available(), "needs a CUDA device"),
    }
    for item in items:
        for marker, (absent, reason) in skips.items():
            if absent and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def seeds():
    """Seed the global generators: no test depends on those that ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def pyplot():
    """Give matplotlib.pyplot, imported here alone, and close its figures afterwards."""
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


@pytest.fixture(autouse=True)
def norms():
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
