"""A surface in a web page."""

import sys

import numpy as np
import pytest

from sklearn_robust.plotting import LossSurfaceDisplay
from tests.metrics.indicator_cases import N_CLASSES, samples
from tests.plotting.surfaces.planes import MODULE, surface

pytestmark = pytest.mark.usefixtures("pyplot")
X = samples(10)
Y = np.arange(10) % N_CLASSES


def test_a_surface_can_be_turned_in_a_web_page(tmp_path):
    pytest.importorskip("plotly")
    display = surface(MODULE, X, Y, radius=2, grid_resolution=9, random_state=0)
    for response in (None, "loss"):
        display.to_html(tmp_path / "surface.html", response=response)
        page = (tmp_path / "surface.html").read_text(encoding="utf-8")
        page = page.replace("\\u0026", "&")  # as some releases of plotly write it
        assert "C&W direction (linf distance)" in page and '"type":"surface"' in page
    with pytest.raises(ValueError, match="response is 'predict'"):
        display.to_html(tmp_path / "surface.html", response="predict")


def test_a_loss_surface_can_be_turned_in_a_web_page(tmp_path):
    pytest.importorskip("plotly")
    display = LossSurfaceDisplay.from_estimator(MODULE, X, Y, grid_resolution=3, random_state=0)
    display.to_html(tmp_path / "loss.html")
    page = (tmp_path / "loss.html").read_text(encoding="utf-8")
    assert "second random direction" in page and "cross-entropy" in page


def test_without_plotly_the_package_is_named(tmp_path, monkeypatch):
    display = surface(MODULE, X, Y, radius=2, grid_resolution=5, random_state=0)
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(ImportError, match="to_html writes with plotly.*pip install plotly"):
        display.to_html(tmp_path / "surface.html")
