"""The base alone is natural training."""

from sklearn_robust import NaturalNet
from sklearn_robust.nets import BaseNet
from tests.cases import Linear, blobs, quick, same_weights

X, Y = blobs()


def test_the_base_alone_is_natural_training():
    base, natural = (quick(net, module=Linear).fit(X, Y) for net in (BaseNet, NaturalNet))
    assert same_weights(base, natural)
