"""Weights in a file: code is refused, and so are weights that do not fit."""

import io

import pytest
import torch

from sklearn_robust import NaturalNet, load_net
from tests.cases import Odd, blobs, quick
from tests.nets._persistence.saved import tampered

X, Y = blobs()


def test_weights_that_do_not_fit_the_module_are_refused(path):
    quick(NaturalNet, module=Odd(6)).fit(X, Y).save(path)
    with pytest.raises(ValueError, match="weights in .* do not fit the module"):
        load_net(path, module=Odd(5))


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code of the file ran",))


def test_weights_that_hold_code_are_refused(path):
    buffer = io.BytesIO()
    torch.save({"features.1.weight": Bomb()}, buffer)
    with pytest.raises(
        ValueError, match="cannot be read, since they hold .* which is not a weight"
    ):
        load_net(tampered(path, weights=buffer.getvalue()))
