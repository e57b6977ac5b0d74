"""Decision surfaces against closed forms, and what is drawn of them."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import BIM, FAB, FGSM, PGD, CarliniWagner, DeepFool, Square, WorstCase
from sklearn_robust.metrics import boundary_distance, decision_margin, input_jacobian
from sklearn_robust.plotting import DecisionSurfaceDisplay
from tests.metrics.indicator_cases import N_CLASSES, Scaled, labels, mlp, samples
from tests.plotting.surfaces.planes import MODULE, plane, surface, two_classes

pytestmark = pytest.mark.usefixtures("pyplot")
X = samples(10)


def test_the_middle_of_the_grid_is_the_sample():
    module = mlp(nn.Tanh)
    y = labels(module, X)
    display = surface(module, X, y, index=4, radius=0.5, grid_resolution=11, random_state=0)
    assert display.margin[5, 5] == pytest.approx(decision_margin(module, X, y)[4], rel=1e-12)
    assert display.predicted[5, 5] == display.target == y[4]
    z = module(torch.tensor(X[4:5]))
    assert display.loss[5, 5] == pytest.approx(
        nn.functional.cross_entropy(z, torch.tensor(y[4:5])).item()
    )
    assert (
        display.xx0[0].tolist() == display.xx1[:, 0].tolist() == np.linspace(-0.5, 0.5, 11).tolist()
    )


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_surface_of_a_linear_model_is_a_plane(norm):
    module = two_classes()
    y = labels(module, X)
    here = plane(module, norm=norm)
    display = surface(module, X, y, norm=norm, radius=0.7, grid_resolution=9, random_state=0)
    S, J = decision_margin(module, X, y)[0], input_jacobian(module, X, y)[0]
    a, b = (v.numpy().ravel() for v in (here.alpha, here.beta))
    assert np.allclose(display.margin, S + display.xx0 * (J @ a) + display.xx1 * (J @ b), rtol=1e-9)
    assert J @ b == pytest.approx(-np.linalg.norm(J, {"linf": 1, "l2": 2, "l1": np.inf}[norm]))


def test_batches_do_not_change_the_grid():
    module = mlp(nn.ReLU)
    y = labels(module, X)
    options = {"radius": 1, "grid_resolution": 7, "random_state": 0}
    whole = surface(module, X, y, **options)
    for batch_size in (1, 5, 49):
        part = surface(module, X, y, batch_size=batch_size, **options)
        assert np.allclose(part.margin, whole.margin, rtol=1e-9)


def test_arrows_are_distances_to_the_boundary_and_end_on_it():
    module = mlp(nn.Tanh)
    y = labels(module, X)
    wanted = boundary_distance(module, X, y, norm="linf", max_distance=2)[:, 0]
    index = int(np.flatnonzero(np.isfinite(wanted))[0])
    display = surface(module, X, y, index=index, radius=2, grid_resolution=81, random_state=0)
    assert display.boundary_distances[1] == pytest.approx(wanted[index], rel=1e-9)
    lines = np.concatenate(display.boundary_.allsegs[0])
    tip = np.array([0, wanted[index]])
    assert np.linalg.norm(lines - tip, axis=1).min() < 2 * 4 / 80
    assert len(display.arrows_) == 2 * np.isfinite(display.boundary_distances).sum()


def test_the_radius_shows_the_boundary_unless_told_otherwise():
    module = two_classes()
    y = labels(module, X)
    wanted = boundary_distance(module, X, y, norm="linf", max_distance=10)[0, 0]
    display = surface(module, X, y, random_state=0)
    assert display.xx0.max() == pytest.approx(2 * wanted)
    far = surface(module, X, (y + 1) % 2, random_state=0)  # an error: no boundary to walk to
    assert far.xx0.max() == pytest.approx(np.ptp(X) / 2)


def test_a_pipeline_is_drawn_in_the_units_of_its_input():
    X, y = load_iris(return_X_y=True)
    names = load_iris().target_names[y]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, names)
    display = surface(
        model, X, names, index=60, direction=[1, 0, 0, 0], other=[0, 0, 1, 0], radius=1
    )
    corner = X[60] + [1, 0, -1, 0]
    assert display.predicted[-1, 0] == model.predict(corner[None])[0]
    assert display.target == "versicolor"
    assert display.directions == ("given", "given")


def test_a_winding_attack_leaves_it_and_keeps_its_own_margins():
    module = mlp(nn.Tanh)
    y = labels(module, X)
    attack = PGD(eps=0.5, bounds=None)
    display = surface(module, X, y, trajectory=attack, random_state=3, radius=1)
    way = display.trajectory
    assert len(way.margin) == len(way.off_plane) == 11 and way.off_plane[-1] > 0.05
    x_adv = attack.set_params(random_state=3).perturb(
        module, torch.tensor(X[:1]), torch.tensor(y[:1])
    )
    assert way.margin[-1] == pytest.approx(decision_margin(module, x_adv.numpy(), y[:1])[0])


@pytest.mark.parametrize("response", ["margin", "loss", "predict"])
@pytest.mark.parametrize("plot_method", ["contourf", "contour", "pcolormesh", "surface"])
def test_everything_can_be_drawn_in_every_way(response, plot_method):
    module = mlp(nn.Tanh)
    display = surface(
        module, X, labels(module, X), radius=2, grid_resolution=9, random_state=0,
        response=response, plot_method=plot_method, trajectory=FGSM(eps=0.5, bounds=None),
    )  # fmt: skip
    assert display.ax_.figure is display.figure_
    display.figure_.canvas.draw()
    flat = plot_method != "surface"
    assert (display.trajectory_ is not None) == flat
    assert (display.ax_.name == "3d") != flat
    assert "C&W direction (linf distance)" in (display.ax_.get_ylabel())


def test_a_display_is_drawn_again_where_one_likes(pyplot):
    module = mlp(nn.Tanh)
    display = surface(module, X, labels(module, X), radius=2, grid_resolution=9, random_state=0)
    _, ax = pyplot.subplots()
    before = len(pyplot.get_fignums())
    assert display.plot(ax=ax, response="loss", colorbar=False, xlabel="a", cmap="magma") is display
    assert display.ax_ is ax and ax.get_xlabel() == "a" and len(pyplot.get_fignums()) == before
    assert display.surface_.get_cmap().name == "magma"


def test_several_estimators_share_radius_colours_and_the_random_direction():
    nets = {"one": mlp(nn.Tanh), "two": mlp(nn.Tanh, seed=1)}
    y = labels(nets["one"], X)
    one, two = DecisionSurfaceDisplay.from_estimators(nets, X, y, index=2, grid_resolution=9)
    assert np.array_equal(one.xx0, two.xx0)
    assert one.figure_ is two.figure_ and one.ax_ is not two.ax_
    assert (
        one.surface_.norm.vmax
        == two.surface_.norm.vmax
        >= max(abs(one.margin).max(), abs(two.margin).max())
    )
    assert [d.ax_.get_title() for d in (one, two)] == ["one", "two"]
    drawn = DecisionSurfaceDisplay.from_estimators(
        list(nets.values()), X, y, response="predict", plot_options={"show_arrows": False}
    )
    assert [d.name for d in drawn] == ["MLP 1", "MLP 2"]
    flat = [
        d.margin for d in DecisionSurfaceDisplay.from_estimators(nets, X, y, direction="random")
    ]
    axis = plane(nets["one"], direction="random").alpha
    assert torch.equal(axis, plane(nets["two"], direction="random").alpha)
    assert not np.array_equal(*flat)


def test_solid_surfaces_share_height_and_camera_and_show_the_slope():
    """S falls along C&W: its low side is the near one, so that the slope is not hidden."""
    nets = {"one": mlp(nn.Tanh), "loud": Scaled(mlp(nn.Tanh, seed=1), logits=5)}
    y = labels(nets["one"], X)
    options = {"index": 2, "radius": 1.0, "grid_resolution": 9, "random_state": 0}
    one, two = DecisionSurfaceDisplay.from_estimators(
        nets, X, y, plot_options={"plot_method": "surface"}, **options
    )
    assert one.ax_.get_zlim() == two.ax_.get_zlim()
    assert one.ax_.get_zlim()[1] >= max(abs(one.margin).max(), abs(two.margin).max())
    assert one.ax_.azim == two.ax_.azim and np.sin(np.radians(one.ax_.azim)) > 0
    falling = one.margin[:4].mean() > one.margin[5:].mean()
    assert falling


def test_surfaces_of_several_directions_share_one_scale(pyplot):
    y = labels(MODULE, X)
    _, axes = pyplot.subplots(1, 3)
    options = {"radius": 1.0, "grid_resolution": 9, "random_state": 0, "colorbar": False}
    displays = [
        surface(MODULE, X, y, direction=direction, ax=ax, **options)
        for direction, ax in zip(("ce", "cw", "random"), axes, strict=True)
    ]
    drawn = DecisionSurfaceDisplay.plot_together(displays, response="loss")
    assert drawn == displays and len({d.figure_ for d in drawn}) == 1
    limits = {(d.surface_.norm.vmin, d.surface_.norm.vmax) for d in drawn}
    assert len(limits) == 1 and max(limits)[1] >= max(d.loss.max() for d in drawn)
    assert [ax.get_ylabel() for ax in drawn[0].figure_.axes].count("cross-entropy") == 1
    with pytest.raises(ValueError, match="displays is empty; give surfaces"):
        DecisionSurfaceDisplay.plot_together([])
    with pytest.raises(ValueError, match="response is 'logits'"):
        DecisionSurfaceDisplay.plot_together(displays, response="logits")


@pytest.mark.parametrize("direction", ["cw", "random"])
def test_points_of_an_attack_do_not_lie_on_the_lengths_of_arrows(direction):
    y = labels(MODULE, X)
    attack = BIM(eps=0.5, max_iter=12, step_size=0.05, bounds=None, loss="margin")
    for index in range(4):
        display = surface(
            MODULE, X, y, index=index, direction=direction, trajectory=attack, random_state=0
        )
        display.figure_.canvas.draw()
        places = display.ax_.transData.transform(display.trajectory.coordinates)
        radius = 3 * display.figure_.dpi / 72
        for text in display.arrows_[1::2]:
            box = text.get_window_extent()
            x, y_ = places.T
            inside = (x > box.x0 - radius) & (x < box.x1 + radius)
            inside &= (y_ > box.y0 - radius) & (y_ < box.y1 + radius)
            assert not inside.any()


Y = np.arange(10) % N_CLASSES
BAD = [
    ({"index": 10}, ValueError, "index is 10, but X has 10 samples, 0 to 9"),
    ({"index": -11}, ValueError, "index is -11"),
    ({"index": 1.5}, ValueError, "give the position of one sample"),
    ({"radius": 0}, ValueError, "radius is 0; give a number above 0"),
    ({"grid_resolution": 2}, ValueError, "grid_resolution is 2; give an integer of at least 3"),
    ({"response": "logits"}, ValueError, "response is 'logits'"),
    ({"plot_method": "wire"}, ValueError, "plot_method is 'wire'"),
    ({"direction": "pgd"}, ValueError, "direction is 'pgd'; choose one of"),
    ({"other": "north"}, ValueError, "other is 'north'; choose one of"),
    ({"direction": np.ones(3)}, ValueError, r"A direction has shape \(3,\)"),
    ({"direction": "cw", "other": "cw"}, ValueError, "parallel at sample 0.*other='random'"),
    ({"direction": "pca"}, ValueError, "such as trajectory=PGD"),
    ({"trajectory": PGD}, TypeError, "give an attack instance"),
    ({"batch_size": 0}, ValueError, "batch_size is 0"),
    ({"norm": "l7"}, ValueError, "norm is 'l7'"),
    (
        {"other": "pca", "trajectory": FGSM(eps=0.1, bounds=None)},
        ValueError,
        "on a path that is not straight: choose other='random'",
    ),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD, ids=[case[2] for case in BAD])
def test_bad_options_are_told_what_is_wrong(options, error, message):
    with pytest.raises(error, match=message):
        surface(MODULE, X, Y, random_state=0, **options)


def test_an_unfitted_net_is_told_to_be_fitted():
    with pytest.raises(NotFittedError, match=r"NaturalNet is not fitted yet: call fit\(X, y\)"):
        surface(NaturalNet(), X, Y)


def test_displays_on_the_users_axes_have_legends_of_their_own(pyplot):
    figure, axes = pyplot.subplots(1, 2)
    for axis in axes:
        display = surface(MODULE, X, Y, response="predict", ax=axis, random_state=0)
        assert display.ax_.get_legend() is not None
    assert not figure.legends


@pytest.mark.parametrize("attack", [DeepFool(), FAB(eps=0.5), CarliniWagner(n_searches=1)], ids=str)
def test_the_way_to_the_nearest_point_is_drawn_step_by_step(attack):
    y, attack = labels(MODULE, X), attack.set_params(bounds=None)
    display = surface(MODULE, X, y, trajectory=attack, random_state=0)
    assert len(display.trajectory.coordinates) > 2


@pytest.mark.parametrize(
    "attack", [PGD(n_restarts=2), WorstCase(), CarliniWagner(), Square()], ids=str
)
def test_what_is_no_single_way_is_not_drawn(attack):
    with pytest.raises(ValueError, match="is not one path along gradients: give"):
        surface(MODULE, X, Y, trajectory=attack)


def test_the_vectors_of_the_axes_rebuild_a_corner_of_the_plane():
    display = surface(MODULE, X, Y, radius=0.5, grid_resolution=3, random_state=0)
    first, second = display.vectors
    corner = torch.as_tensor(X[:1] + 0.5 * first - 0.5 * second)
    z, y = MODULE(corner).detach(), int(Y[0])
    wanted = z[0, y] - torch.cat([z[0, :y], z[0, y + 1 :]]).max()
    assert display.margin[0, 2] == pytest.approx(wanted.item(), rel=1e-4)
