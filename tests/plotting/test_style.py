"""The look of drawings, and the helpers that every display shares."""

import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_robust.plotting import _style

finite = st.floats(-1e3, 1e3)


@pytest.mark.parametrize(
    ("eps", "shown"),
    [(0.1, "0.1"), (8 / 255, "8/255"), (3 / 255, "3/255"), (0.2, "0.2"), (1, "1"), (0.3, "0.3"),
     (0.0315, "0.0315"), (0.05 * 1.5, "0.075"), (0, "0"), (1 / 3, "85/255"), (1e-5, "1e-05")],
)  # fmt: skip
def test_radii_read_as_people_write_them(eps, shown):
    assert _style.shown_radius(eps) == shown


@given(st.lists(finite, min_size=1, max_size=8), st.floats(0.01, 10))
def test_spread_labels_do_not_touch_and_keep_their_order(values, gap):
    placed = _style.spread(values, gap)
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(placed[order]) >= gap * 0.9)


def test_labels_that_are_far_apart_stay():
    assert _style.spread([3.0, 1.0, 2.0], 0.5).tolist() == [3.0, 1.0, 2.0]


def test_lines_differ_in_colour_or_marker():
    looks = [tuple(_style.line_style(number).values()) for number in range(77)]
    assert len(set(looks)) == 77


def test_the_style_leaves_matplotlib_as_it_was():
    before = dict(matplotlib.rcParams)
    with _style.style():
        assert matplotlib.rcParams["axes.edgecolor"] == _style.MUTED
    assert dict(matplotlib.rcParams) == before


def draw():
    with _style.style():
        figure, axis = _style.make_figure(4, 3)
        axis.plot([0, 0.1], [1, 0.5], label="cost in $", **_style.line_style(1))
        _style.percent_axis(axis)
        _style.eps_axis(axis, [0.1])
        axis.legend()
        _style.put_labels(axis, [0.1, 0.1], [0.5, 0.5], ["a", "b"])
    return figure


def test_svg_is_one_element_with_text_and_the_inks_of_the_page():
    svg = _style.to_svg(draw(), "mine")
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "accuracy (%)" in svg and "eps (linf radius)" in svg and "cost in $" in svg
    assert "var(--ink)" in svg and _style.INK not in svg
    assert "metadata" not in svg


def test_svg_ids_are_its_own_and_lead_somewhere():
    svg = _style.to_svg(draw(), "mine")
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert len(ids) == len(set(ids)) and all(name.startswith("mine-") for name in ids)
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', svg)) <= set(ids)


def test_svg_is_the_same_every_time():
    assert _style.to_svg(draw(), "mine") == _style.to_svg(draw(), "mine")


def test_labels_do_not_lie_on_each_other():
    texts = [text for text in draw().axes[0].texts if text.get_text() in "ab"]
    heights = sorted(text.get_position()[1] for text in texts)
    assert heights[1] - heights[0] > 0.05


@pytest.mark.parametrize(
    ("eps", "label"), [([0.1, 0.2], "eps (linf radius)"), ([3 / 255], "eps (linf radius, of 255)")]
)
def test_strengths_in_shades_are_counted_in_shades(eps, label):
    with _style.style():
        figure, axis = _style.make_figure()
        _style.eps_axis(axis, eps)
        figure.draw_without_rendering()
    assert axis.get_xlabel() == label
    ticks = [text.get_text() for text in axis.get_xticklabels()]
    assert ("0" in ticks and "3" in ticks) == ("of 255" in label)
