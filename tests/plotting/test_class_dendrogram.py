"""The dendrograms of classes: arrays first, one order and one scale in the drawing."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.transforms import Bbox
from scipy.cluster.hierarchy import leaves_list
from sklearn.linear_model import LogisticRegression
from torch import nn

from sklearn_robust.clustering import ClassClustering, class_weight_matrix, weight_correlation
from sklearn_robust.datasets import make_hierarchical_blobs
from sklearn_robust.plotting import ClassDendrogramDisplay

X, y, SUPERCLASSES = make_hierarchical_blobs(10, random_state=0)
NAMES = np.array(list("abcdefghijkl"))
PLAIN = LogisticRegression(max_iter=500).fit(X, NAMES[y])
STRONG = LogisticRegression(C=1e-4).fit(X, NAMES[y])
PAIR = {"plain": PLAIN, "strong": STRONG}

pytestmark = pytest.mark.usefixtures("pyplot")


def test_the_arrays_are_those_of_the_clusterings():
    display = ClassDendrogramDisplay.from_estimators(PAIR, n_clusters=3)
    assert display.names == ["plain", "strong"] and display.classes == list(NAMES)
    for number, model in enumerate(PAIR.values()):
        W = class_weight_matrix(model)
        clustering = ClassClustering(3).fit(W)
        assert np.array_equal(display.correlation[number], weight_correlation(W))
        assert np.array_equal(display.linkage_matrix[number], clustering.linkage_matrix_)
        assert np.array_equal(display.labels[number], clustering.labels_)


def test_rows_columns_and_trees_are_in_the_order_of_the_leaves():
    display = ClassDendrogramDisplay.from_estimator(STRONG, n_clusters=3)
    leaves = leaves_list(display.linkage_matrix[0])
    shown = np.asarray(display.images_[0].get_array())
    np.testing.assert_array_equal(shown, display.correlation[0][np.ix_(leaves, leaves)])
    for axis in (display.ax_.xaxis, display.ax_.yaxis):
        assert [label.get_text() for label in axis.get_ticklabels()] == NAMES[leaves].tolist()
    above, beside = display.dendrogram_axes_[0]
    feet = {x for line in above.lines for x, h in line.get_xydata() if h == 0}
    assert feet == set(range(12))
    for line, other in zip(above.lines, beside.lines, strict=True):
        assert np.array_equal(line.get_xydata(), other.get_xydata()[:, ::-1])


def test_frames_hold_the_clusters():
    display = ClassDendrogramDisplay.from_estimator(STRONG, n_clusters=3)
    frames = sorted((p.get_x(), p.get_width()) for p in display.ax_.patches)
    assert frames == [(-0.5, 4), (3.5, 4), (7.5, 4)]
    display.plot(frames=False)
    assert not display.ax_.patches


def test_several_networks_share_both_scales():
    display = ClassDendrogramDisplay.from_estimators(PAIR)
    assert [image.get_clim() for image in display.images_] == [(-1, 1), (-1, 1)]
    first, second = display.dendrogram_axes_
    assert first[0].get_ylim() == second[0].get_ylim()
    assert first[1].get_xlim() == second[1].get_xlim() == first[0].get_ylim()[::-1]
    assert first[0].get_ylim()[1] > display.linkage_matrix[:, -1, 2].max()
    assert [axes[0].get_title() for axes in display.dendrogram_axes_] == ["plain", "strong"]
    assert display.colorbar_ is not None and len(display.axes_) == 2


@pytest.mark.parametrize("n_classes", [10, 60])
@pytest.mark.parametrize("n_networks", [1, 2])
def test_names_of_classes_do_not_run_into_one_another(n_classes, n_networks):
    rng = np.random.default_rng(0)
    weights = {str(k): rng.normal(size=(n_classes, 20)) for k in range(n_networks)}
    names = [f"a long name {k}" for k in range(n_classes)]
    display = ClassDendrogramDisplay.from_weights(weights, classes=names)
    display.figure_.canvas.draw()
    for axis in display.axes_:
        boxes = sorted(
            (b.y0, b.y1) for b in (t.get_window_extent() for t in axis.get_yticklabels())
        )
        assert len(boxes) == n_classes
        assert all(low[1] <= high[0] + 1 for low, high in zip(boxes, boxes[1:], strict=False))


LONG, SHORT = "a name that is long", "n"
GIVEN = [(LONG, 20), (SHORT, 20), (SHORT, 9), (LONG, 5)]


@pytest.mark.parametrize("colorbar", [True, False])
@pytest.mark.parametrize("n_networks", [1, 2])
@pytest.mark.parametrize(("name", "n_classes"), GIVEN)
def test_on_axes_without_a_layout_everything_has_its_place(
    name, n_classes, n_networks, colorbar, pyplot
):
    rng = np.random.default_rng(0)
    weights = {str(k): rng.normal(size=(n_classes, 30)) for k in range(n_networks)}
    names = [f"{name}{k}" for k in range(n_classes)]
    figure, ax = pyplot.subplots()
    display = ClassDendrogramDisplay.from_weights(weights, classes=names, ax=ax, colorbar=colorbar)
    figure.canvas.draw()
    parts = []
    for axis, (above, beside) in zip(display.axes_, display.dendrogram_axes_, strict=True):
        letters = [letter.get_window_extent() for letter in axis.get_yticklabels()]
        parts += [beside.get_window_extent(), axis.get_window_extent(), Bbox.union(letters)]
        below = [letter.get_window_extent() for letter in axis.get_xticklabels()]
        lies_in(figure.bbox, above.title.get_window_extent(), *below, *parts)
    if colorbar:
        parts.append(display.colorbar_.ax.get_tightbbox())
        lies_in(figure.bbox, parts[-1])
    assert all(left.x1 <= right.x0 for left, right in pairwise(parts))


@pytest.mark.parametrize("layout", ["tight", "constrained"])
@pytest.mark.parametrize("name", [LONG, SHORT])
def test_a_layout_keeps_the_scale_of_colours_off_the_names(name, layout, pyplot):
    W = np.random.default_rng(0).normal(size=(9, 30))
    _, ax = pyplot.subplots(layout=layout)
    display = ClassDendrogramDisplay.from_weights(
        W, classes=[f"{name}{k}" for k in range(9)], ax=ax
    )
    display.figure_.canvas.draw()
    names = Bbox.union([letter.get_window_extent() for letter in display.ax_.get_yticklabels()])
    assert names.x1 <= display.colorbar_.ax.get_tightbbox().x0


def lies_in(whole, *boxes):
    for box in boxes:
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1
        assert whole.y0 <= box.y0 and box.y1 <= whole.y1


NAMES_BELOW = [("", 10, 0), ("", 20, 90), ("class ", 4, 0), ("class ", 20, 90)]


@pytest.mark.parametrize(("name", "n_classes", "angle"), NAMES_BELOW)
def test_names_stand_upright_where_they_are_wider_than_their_columns(name, n_classes, angle):
    W = np.random.default_rng(0).normal(size=(n_classes, 30))
    names = [f"{name}{k}" for k in range(n_classes)]
    display = ClassDendrogramDisplay.from_weights(W, classes=names)
    display.figure_.canvas.draw()
    letters = display.ax_.get_xticklabels()
    assert {letter.get_rotation() for letter in letters} == {angle}
    boxes = [letter.get_window_extent() for letter in letters]
    assert all(left.x1 <= right.x0 + 1 for left, right in pairwise(boxes))


def test_distances_and_thresholds_are_those_of_the_clustering():
    W = np.random.default_rng(0).normal(size=(9, 5))
    params = {"metric": "euclidean", "linkage": "ward", "distance_threshold": 3.0}
    display = ClassDendrogramDisplay.from_weights(W, n_clusters=None, **params)
    clustering = ClassClustering(None, **params).fit(W)
    assert np.array_equal(display.labels[0], clustering.labels_)
    assert np.array_equal(display.linkage_matrix[0], clustering.linkage_matrix_)
    assert len(display.ax_.patches) == clustering.n_clusters_
    ward = {"metric": "euclidean", "linkage": "ward"}
    assert ClassDendrogramDisplay.from_estimator(PLAIN, **ward).labels.shape == (1, 12)


def test_it_draws_on_axes_that_are_given(pyplot):
    figure, axes = pyplot.subplots(1, 2, layout="constrained")
    single = ClassDendrogramDisplay.from_estimator(PLAIN, ax=axes[0], colorbar=False)
    assert single.ax_ is axes[0] and single.figure_ is figure and single.colorbar_ is None
    pair = ClassDendrogramDisplay.from_estimators(PAIR, ax=axes[1])
    assert pair.ax_ is axes[1] and pair.figure_ is figure
    assert all(axis.figure is figure for axis in pair.axes_)
    figure.canvas.draw()


def test_names_and_labels_can_be_chosen():
    display = ClassDendrogramDisplay.from_estimator(PLAIN, name="mine", classes=range(12))
    assert display.names == ["mine"] and display.classes == list(range(12))
    assert ClassDendrogramDisplay.from_estimator(PLAIN).names == ["LogisticRegression"]
    W = np.random.default_rng(0).normal(size=(4, 5))
    assert ClassDendrogramDisplay.from_weights(W).classes == [0, 1, 2, 3]


def test_a_bare_module_and_a_mean_jacobian_can_be_drawn():
    module = nn.Sequential(nn.Linear(30, 5), nn.ReLU(), nn.Linear(5, 4))
    bare = ClassDendrogramDisplay.from_estimator(module, input_shape=(30,))
    W = class_weight_matrix(module, input_shape=(30,))
    np.testing.assert_array_equal(bare.correlation[0], weight_correlation(W))
    mean = ClassDendrogramDisplay.from_estimator(module, X[:5], method="mean_jacobian")
    assert not np.allclose(mean.correlation, bare.correlation)


def test_it_can_be_kept_and_drawn_again():
    display = ClassDendrogramDisplay.from_estimators(PAIR)
    arrays = (display.correlation, display.linkage_matrix, display.labels)
    kept = pickle.loads(pickle.dumps((arrays, display.classes, display.names)))
    again = ClassDendrogramDisplay(*kept[0], classes=kept[1], names=kept[2]).plot()
    assert again.figure_ is not display.figure_
    assert np.array_equal(again.images_[1].get_array(), display.images_[1].get_array())


def test_what_makes_no_sense_is_refused():
    other = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match=r"b has the classes \[0, 1.*, but a has \['a', 'b'"):
        ClassDendrogramDisplay.from_estimators({"a": PLAIN, "b": other})
    with pytest.raises(ValueError, match=r"weights of \[12\] classes and 2 names in classes"):
        ClassDendrogramDisplay.from_estimator(PLAIN, classes=["a", "b"])
    W = np.random.default_rng(0).normal(size=(5, 6))
    with pytest.raises(ValueError, match=r"weights of \[4, 5\] classes"):
        ClassDendrogramDisplay.from_weights({"a": W, "b": W[:4]})
    with pytest.raises(ValueError, match="weights of 2 classes"):
        ClassDendrogramDisplay.from_weights(W[:2])
    with pytest.raises(ValueError, match="estimators is empty"):
        ClassDendrogramDisplay.from_estimators({})
    for model in (PLAIN, nn.Sequential(nn.Linear(30, 4))):
        with pytest.raises(TypeError, match="estimators is one .*; give a dict .* from_estimator"):
            ClassDendrogramDisplay.from_estimators(model)
