"""Random modules: verdict, gradient and margins are plain torch's, or the module is refused."""

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from tests.real_models.fuzz import Unusable, examine
from tests.real_models.random_modules import (
    FLATTEN,
    LAYERS,
    OUTPUTS,
    SHAPES,
    TWISTS,
    RandomModule,
    Recipe,
)
from tests.real_models.verdicts import RIGHT

LOOSE = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@st.composite
def recipes(draw, twists=TWISTS):
    """Recipes whose layers fit the kind of samples."""
    kind = draw(st.sampled_from(sorted(SHAPES)))
    fitting = [name for name, (kinds, _) in LAYERS.items() if kind in kinds]
    return Recipe(
        kind,
        tuple(draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=5))),
        draw(st.frozensets(st.sampled_from(twists), max_size=2)) if twists else frozenset(),
        draw(st.sampled_from(FLATTEN)),
        draw(st.sampled_from(OUTPUTS)),
        draw(st.integers(0, 2**31 - 1)),
    )


def holds(recipe, strict=False):
    """Assert that no check is wrong or raw, and where ``strict`` that none refuses either."""
    try:
        found = examine(recipe)
    except Unusable:
        assume(False)
    bad = {n: v for n, v in found.items() if not v.good or (strict and v.kind != RIGHT)}
    assert not bad, f"{recipe}: {bad}"


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=20, suppress_health_check=LOOSE, phases=[Phase.explicit, Phase.generate])
@given(recipes(twists=()))
def test_plain_random_modules_are_plain_torch(recipe):
    holds(recipe, strict=True)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=20, suppress_health_check=LOOSE, phases=[Phase.explicit, Phase.generate])
@given(recipes())
def test_twisted_random_modules_are_plain_torch_or_refused(recipe):
    holds(recipe)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=2000, suppress_health_check=LOOSE)
@given(recipes())
def test_two_thousand_random_modules(recipe):
    holds(recipe)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("twist", TWISTS)
def test_each_twist_alone(twist):
    layers = {"row": ("Linear", "Tanh"), "image": ("Conv2d", "Tanh"), "sequence": ("GRU",)}
    for kind, names in layers.items():
        flatten = (
            "reshape" if kind == "sequence" else "view"
        )  # torch's GRU has no contiguous output
        holds(Recipe(kind, names, frozenset([twist]), flatten))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LAYERS)
def test_each_layer_alone(name):
    kind = LAYERS[name][0][0]
    first = {"row": "Linear", "image": "Conv2d", "sequence": "Linear"}[kind]
    recipe = Recipe(kind, (first, name), seed=1)
    assert RandomModule(recipe).used[-1] == name, "the layer does not fit: change its maker"
    holds(recipe, strict=True)


def test_there_are_at_least_forty_layer_types():
    assert len(LAYERS) >= 40
