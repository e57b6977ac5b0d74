"""The path of a saved net."""

import pytest


@pytest.fixture
def path(tmp_path):
    return tmp_path / "saved.net"
