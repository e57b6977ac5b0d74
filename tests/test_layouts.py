"""Which samples look like images with their channels last."""

import pytest

from sklearn_robust._layouts import has_channels_last

LAST = [(32, 32, 3), (28, 28, 1), (32, 32, 4), (20, 32, 3), (8, 8, 1), (480, 640, 3), (8, 32, 3)]
NOT = [
    (3, 32, 32),
    (1, 28, 28),
    (4, 8, 8),
    (28, 28),
    (3,),
    (3, 3, 3),
    (3, 32, 3),
    (1, 32, 1),
    (4, 4, 4),
    (64, 7, 3),
    (64, 8, 3),
    (32, 32, 2),
    (32, 32, 5),
    (3, 8, 8, 3),
]


@pytest.mark.parametrize("shape", LAST, ids=str)
def test_images_with_their_channels_last_are_known(shape):
    assert has_channels_last(shape)


@pytest.mark.parametrize("shape", NOT, ids=str)
def test_other_samples_are_not(shape):
    assert not has_channels_last(shape)
