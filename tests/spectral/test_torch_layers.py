"""Linear maps of torch's own layers."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from sklearn_robust.spectral import conv_singular_values
from tests.spectral.convolutions import matrix_of, values_of

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def test_a_transposed_convolution_has_the_values_of_the_convolution_it_turns_round():
    back = nn.ConvTranspose2d(3, 2, 3, 2, 1, output_padding=1).double()
    conv = nn.Conv2d(2, 3, 3, 2, 1).double()
    conv.weight = back.weight
    for method in ("fft", "exact", "lanczos", "reshape"):
        np.testing.assert_array_equal(
            conv_singular_values(back, (3, 4, 4), method=method),
            conv_singular_values(conv, (2, 8, 8), method=method),
        )


def _pruned(layer):
    return prune.random_unstructured(layer, "weight", 0.5)


@pytest.mark.parametrize(
    "reparametrise", [nn.utils.weight_norm, nn.utils.spectral_norm, _pruned], ids=["wn", "sn", "pr"]
)
@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
def test_a_reparametrised_weight_is_that_of_the_next_run(reparametrise):
    """The attribute ``weight`` is a copy that only a run of the layer renews."""
    torch.manual_seed(0)
    layer, shape = reparametrise(nn.Conv2d(2, 3, 3, padding=1).double()), (2, 4, 4)
    layer(torch.zeros(1, *shape).double())
    for parameter in layer.parameters():
        parameter.data.mul_(3).add_(0.1)
    found = conv_singular_values(layer, shape, method="exact")
    expected = values_of(matrix_of(layer.eval(), shape))
    np.testing.assert_allclose(found, expected, atol=1e-12)
