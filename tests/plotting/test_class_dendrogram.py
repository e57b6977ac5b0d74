"""The dendrograms of classes: arrays first, one order and one scale in the drawing."""

import pickle

import numpy as np
import pytest
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


@pytest.mark.parametrize("n_classes", [10, 40, 100])
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
