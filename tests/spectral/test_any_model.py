"""Every measure takes a Pipeline, a plain module and a net with shortcuts, and only reads them."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import PGD
from sklearn_robust.modules import PreActResNet18
from sklearn_robust.spectral import (
    LayerFeatures,
    feature_change_report,
    generalization_bound_terms,
    layer_spectra,
    make_regularization_scorer,
    margin_report,
)
from tests.cases import blobs, generators_untouched, quick, same_state, state_of

ATTACK = PGD(eps=0.1, max_iter=2, bounds=None, random_state=0)
IMAGES = blobs(shape=(2, 8, 8), labels=(0, 1, 2))
ROWS = blobs(shape=(6,), labels=(0, 1, 2))


def pipeline(X, y):
    return make_pipeline(StandardScaler(), PCA(4), quick(NaturalNet)).fit(X, y)


def plain(X, y):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).train()


def residual(X, y):
    torch.manual_seed(0)
    return PreActResNet18((2, 8, 8), 3, channels=(8, 8, 8, 8)).train()


def fitted_residual(X, y):
    return quick(NaturalNet, module=residual(X, y), max_epochs=1).fit(X, y)


def as_estimator(model):
    """The model, or a net around a plain module, where only an estimator will do."""
    plain = isinstance(model, nn.Module)
    return NaturalNet.from_module(model, classes=range(3)) if plain else model


MODELS = {
    "pipeline": (pipeline, ROWS),
    "plain module": (plain, ROWS),
    "module with shortcuts": (residual, IMAGES),
    "net with shortcuts": (fitted_residual, IMAGES),
}

# What is measured, and the numbers of it that must be finite.
MEASURES = {
    "layer_spectra": lambda model, X, y: layer_spectra(model, X)["std"],
    "margin_report": lambda model, X, y: [
        margin_report(model, X, y)[kind]
        for kind in ("output", "softmax", "feature", "input_linear", "input_lower", "loss")
    ],
    "feature_change_report": lambda model, X, y: (
        feature_change_report(model, X, y, attack=ATTACK, n_directions=2).adversarial_mean
    ),
    "LayerFeatures": lambda model, X, y: (
        LayerFeatures(FrozenEstimator(as_estimator(model))).fit(X).transform(X)
    ),
    "generalization_bound_terms": lambda model, X, y: (
        generalization_bound_terms(model, X, y, eps=0.5).u_min
    ),
    "make_regularization_scorer": lambda model, X, y: list(
        make_regularization_scorer(ATTACK)(model, X, y).values()
    ),
}


def module_of(model):
    net = model[-1] if hasattr(model, "steps") else model
    return getattr(net, "module_", net)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("name", MODELS)
def test_any_model_is_measured_and_left_as_it_was(name, measure):
    build, (X, y) = MODELS[name]
    model = build(X, y)
    module = module_of(model)
    before = state_of(module)
    if measure == "generalization_bound_terms" and "shortcuts" in name:
        with pytest.raises(ValueError, match="No smallest singular value is known of add"):
            MEASURES[measure](model, X, y)
        return
    with generators_untouched():
        numbers = MEASURES[measure](model, X, y)
    assert np.isfinite(numbers).all()
    same_state(module, before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
