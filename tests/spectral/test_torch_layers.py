"""Linear maps of torch's own layers."""

import numpy as np
import pytest
from torch import nn

from sklearn_robust.spectral import conv_singular_values

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
