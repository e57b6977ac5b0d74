"""Linear maps of layers against their dense matrices."""

import pytest

from sklearn_robust.spectral._torch_layers import map_of
from tests.spectral.convolutions import PADDED, matrix_of

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


@pytest.mark.parametrize(("layer", "shape"), PADDED, ids=repr)
def test_the_closed_form_of_the_frobenius_norm_is_that_of_the_dense_matrix(layer, shape):
    square = map_of(layer.double(), shape).squared_frobenius()
    if getattr(layer, "padding_mode", "zeros") in ("reflect", "replicate"):
        assert square is None
    else:
        assert square == pytest.approx(float(matrix_of(layer, shape).square().sum()), rel=1e-12)
