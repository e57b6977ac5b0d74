"""Loss surfaces: filter normalisation, and weights that stay where they are."""

import joblib
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust import _functional as F
from sklearn_robust.attacks import FGSM
from sklearn_robust.datasets import load_moons
from sklearn_robust.plotting import LossSurfaceDisplay
from sklearn_robust.plotting.surfaces._weight_plane import WeightPlane

pytestmark = pytest.mark.usefixtures("pyplot")
X, Y = load_moons(100, random_state=0)
NET = NaturalNet(max_epochs=10, module__hidden=(16,), random_state=0).fit(X, Y)
surface = LossSurfaceDisplay.from_estimator


def test_the_picture_does_not_see_a_rescaling_that_leaves_the_network_the_same():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2, bias=False))
    codes = np.arange(len(X)) % 2
    options = {"grid_resolution": 5, "random_state": 0}
    before = surface(module, X, codes, **options).response
    with torch.no_grad():
        module[0].weight.mul_(10)
        module[0].bias.mul_(10)
        module[2].weight.div_(10)
    after = surface(module, X, codes, **options).response
    assert np.allclose(before, after, rtol=1e-4)


def test_the_middle_is_the_trained_net_which_is_not_touched():
    before = {k: v.clone() for k, v in NET.module_.state_dict().items()}
    display = surface(NET, X, Y, grid_resolution=5, random_state=0)
    with torch.no_grad():
        z = NET.module_(torch.tensor(X))
    wanted = nn.functional.cross_entropy(z, torch.tensor(Y)).item()
    assert display.response[2, 2] == pytest.approx(wanted, rel=1e-5)
    assert all(torch.equal(before[k], v) for k, v in NET.module_.state_dict().items())
    errors = surface(NET, X, Y, grid_resolution=5, scoring="error", random_state=0)
    assert errors.response[2, 2] == pytest.approx(1 - NET.score(X, Y))


def test_a_point_of_the_surface_is_the_loss_of_moved_weights():
    plane = WeightPlane(NET, X, Y, normalize="filter", ignore_bias_bn=True, random_state=0)
    xx0, xx1, response = plane.grid(0.5, 3, "loss", None, None)
    moved = NaturalNet(module__hidden=(16,), max_epochs=1, random_state=0).fit(X, Y)
    state = {
        name.removeprefix("body.module."): weight
        + xx0[0, 2] * plane.a[name]
        + xx1[0, 2] * plane.b[name]
        for name, weight in plane.center.items()
    }
    moved.module_.load_state_dict(state)
    with torch.no_grad():
        z = moved.module_(torch.tensor(X))
    assert response[0, 2] == pytest.approx(
        F.cross_entropy(z, torch.tensor(Y)).mean().item(), rel=1e-4
    )


def test_batches_processes_and_precision_of_the_samples_change_nothing():
    options = {"grid_resolution": 5, "random_state": 0}
    whole = surface(NET, X, Y, **options).response
    parts = surface(NET, X, Y, batch_size=7, **options).response
    assert np.allclose(parts, whole, rtol=1e-5)
    with joblib.parallel_config("threading"):
        assert np.array_equal(surface(NET, X, Y, n_jobs=2, **options).response, whole)
    doubled = surface(NET, X.astype(np.float64), Y, **options).response
    assert np.array_equal(doubled, whole)


def robust_loss(logits, x, y):
    """Loss at attacked samples, for the weights of one point."""
    attack = FGSM(eps=0.05, bounds=None)
    with torch.no_grad():
        z = logits(attack.perturb(logits, x, y))
    return F.cross_entropy(z, y).mean()


def test_a_robust_loss_lies_above():
    options = {"grid_resolution": 3, "random_state": 0}
    clean = surface(NET, X, Y, **options)
    robust = surface(NET, X, Y, scoring=robust_loss, **options)
    assert robust.response[1, 1] > clean.response[1, 1]
    assert robust.scoring == "robust_loss"


def test_a_net_inside_a_pipeline_can_be_moved():
    model = make_pipeline(StandardScaler(), NaturalNet(max_epochs=5, random_state=0)).fit(X, Y)
    response = surface(model, X, Y, grid_resolution=3, random_state=0).response
    p = model.predict_proba(X)[np.arange(len(X)), Y]
    assert response[1, 1] == pytest.approx(-np.log(p).mean(), rel=1e-5)
    assert np.ptp(response) > 0.1


@pytest.mark.parametrize("plot_method", ["contourf", "contour", "pcolormesh", "surface"])
def test_several_nets_share_colours(plot_method):
    other = NaturalNet(max_epochs=1, module__hidden=(16,), random_state=1).fit(X, Y)
    one, two = LossSurfaceDisplay.from_estimators(
        {"one": NET, "two": other}, X, Y, grid_resolution=5, random_state=0,
        plot_options={"plot_method": plot_method},
    )  # fmt: skip
    assert one.figure_ is two.figure_
    assert one.surface_.norm.vmax == two.surface_.norm.vmax
    one.figure_.canvas.draw()


BAD = [
    ({"distance": 0}, ValueError, "distance is 0; give a number above 0"),
    ({"grid_resolution": 1}, ValueError, "grid_resolution is 1"),
    ({"normalize": "norm"}, ValueError, "normalize is 'norm'"),
    ({"scoring": "accuracy"}, ValueError, "scoring is 'accuracy'"),
    ({"plot_method": "wire"}, ValueError, "plot_method is 'wire'"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD, ids=[case[2] for case in BAD])
def test_bad_options_are_told_what_is_wrong(options, error, message):
    with pytest.raises(error, match=message):
        surface(NET, X, Y, **{"grid_resolution": 3} | options)


def test_an_estimator_without_torch_parameters_has_no_parameter_space():
    with pytest.raises(TypeError, match="holds no torch parameters to move: give a net"):
        surface(LogisticRegression().fit(X, Y), X, Y)


def test_the_directions_rebuild_a_corner_of_the_plane():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
    X = torch.rand(8, 4)
    y = torch.arange(8) % 2
    display = LossSurfaceDisplay.from_estimator(net, X, y, grid_resolution=3, random_state=0)
    first, second = display.directions
    with torch.no_grad():
        for name, weight in net.named_parameters():
            weight += torch.as_tensor(first[name]) - torch.as_tensor(second[name])
        loss = torch.nn.functional.cross_entropy(net(X), y).item()
    assert display.response[0, 2] == pytest.approx(loss, rel=1e-5)
