"""Augmentation inside fit: what it may do to a batch, and to which."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_robust import CertifiedNet, MinMaxNet, NaturalNet, load_net
from sklearn_robust.nets._engine.augmentation import crop_flip
from tests.cases import CRAFTING, NETS, Pairs, blobs, generators_untouched, quick, same_weights

IMAGES, Y = blobs(shape=(3, 8, 8))

SHAPES = [(3, 8, 8), (1, 32, 32), (28, 28), (2, 16, 24), (1, 3, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_image_is_shifted_by_an_eighth_at_most_and_may_be_mirrored(shape):
    x = torch.rand(40, *shape) + 1
    new = crop_flip(x)
    assert new.shape == x.shape
    height, width = shape[-2:]
    rows, columns = max(1, height // 8), max(1, width // 8)
    seen = set()
    for old, got in zip(x, new, strict=True):
        wide = nn.functional.pad(old, [columns] * 2 + [rows] * 2)
        found = {
            (top, left, flip)
            for top in range(2 * rows + 1)
            for left in range(2 * columns + 1)
            for flip in (False, True)
            if torch.equal(got, mirrored(cut(wide, top, left, height, width), flip))
        }
        assert len(found) == 1
        seen |= found
    # Forty draws meet both mirrors, and no one shift alone.
    assert {flip for *_, flip in seen} == {False, True}
    assert len({top for top, *_ in seen}) > 1 and len({left for _, left, _ in seen}) > 1


def cut(image, top, left, height, width):
    return image[..., top : top + height, left : left + width]


def mirrored(image, flip):
    return image.flip(-1) if flip else image


def test_all_shifts_and_mirrors_are_equally_likely():
    x = torch.zeros(9000, 1, 8, 8)
    x[:, :, 4, 4] = 1
    places = crop_flip(x).flatten(1).argmax(1)
    counts = torch.bincount(places, minlength=64).reshape(8, 8)
    block = counts[3:6, 2:6].double()  # mirrors put the centre in column 4 or 3, shifts next to it
    assert int(block.sum()) == 9000
    wanted = torch.tensor([1.0, 2, 2, 1]) / 6 / 3 * 9000
    assert float(((block - wanted).abs() / wanted.sqrt()).max()) < 4


class Seen(nn.Module):
    """Keeps the batches that it trains on."""

    def __init__(self):
        super().__init__()
        self.layer, self.batches = nn.LazyLinear(2), []

    def forward(self, x):
        if self.training:
            self.batches.append(x.detach().clone())
        return self.layer(x.flatten(1))


def darker(image):
    """Half as bright."""
    assert image.shape == (3, 8, 8) and not image.requires_grad
    return image / 2


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_a_transform_sees_each_training_sample_alone(as_pairs):
    data = (Pairs(IMAGES, Y),) if as_pairs else (IMAGES, Y)
    params = {"module": Seen, "max_epochs": 1, "iterator_train__shuffle": False}
    net = quick(NaturalNet, augment=darker, **params).fit(*data)
    np.testing.assert_array_equal(torch.cat(net.module_.batches).numpy(), IMAGES / 2)
    assert data[0].X.max() > 0.6 if as_pairs else IMAGES.max() > 0.6  # the data stay


@pytest.mark.parametrize("net", CRAFTING, ids=lambda net: net.__name__)
def test_attacks_start_from_the_augmented_samples(net):
    params = {"module": Seen, "max_epochs": 1, "iterator_train__shuffle": False}
    fitted = quick(net, augment=darker, attack__eps=1e-4, **params).fit(IMAGES, Y)
    first = fitted.module_.batches[-1]
    assert float(first.max()) <= IMAGES.max() / 2 + 4e-4


@pytest.mark.parametrize(
    "net", [net for net in NETS if net is not CertifiedNet], ids=lambda net: net.__name__
)
def test_any_net_trains_on_shifted_images_to_the_same_bits(net):
    with generators_untouched():
        nets = [quick(net, augment="crop-flip").fit(IMAGES, Y) for _ in range(2)]
    assert same_weights(*nets)
    assert not same_weights(nets[0], quick(net).fit(IMAGES, Y))


def test_any_transform_of_torchvision_will_do():
    v2 = pytest.importorskip("torchvision.transforms.v2")
    crop = v2.Compose([v2.RandomCrop(8, padding=1), v2.RandomHorizontalFlip()])
    nets = [
        quick(NaturalNet, module=Seen, augment=t, max_epochs=1)
        for t in (crop, clone(crop, safe=False))
    ]
    for net in nets:
        net.fit(IMAGES, Y)
    assert same_weights(*nets)
    rows = torch.cat(nets[0].module_.batches)
    assert len({tuple(row.flatten().tolist()) for row in rows}) == len(rows)


def test_shifting_needs_no_torchvision():
    script = (
        "import sys; import numpy as np; from sklearn_robust import NaturalNet\n"
        "X, y = np.random.rand(8, 1, 8, 8), np.arange(8) % 2\n"
        "NaturalNet(augment='crop-flip', max_epochs=1).fit(X, y)\n"
        "assert 'torchvision' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_prediction_and_validation_see_the_samples_themselves():
    from skorch.dataset import ValidSplit

    net = quick(NaturalNet, augment=darker, train_split=ValidSplit(4)).fit(IMAGES, Y)
    plain = quick(NaturalNet).fit(IMAGES, Y)
    plain.module_.load_state_dict(net.module_.state_dict())
    np.testing.assert_array_equal(net.decision_function(IMAGES), plain.decision_function(IMAGES))


def test_it_is_saved_where_it_is_text(tmp_path):
    for augment, wanted in [("crop-flip", "crop-flip"), (darker, None)]:
        quick(NaturalNet, augment=augment).fit(IMAGES, Y).save(tmp_path / "a.net")
        assert load_net(tmp_path / "a.net").augment == wanted


BAD = [
    ("mixup", IMAGES, "augment is 'mixup'; give 'crop-flip', None, or a transform of one sample"),
    (nn.Flatten, IMAGES, "augment is <class"),
    ("crop-flip", IMAGES.reshape(48, -1), r"samples have shape \(192,\): give images"),
    (lambda x: x[:, :4], IMAGES, r"augment made samples \(3, 4, 8\) of .* from \(3, 8, 8\)"),
    (lambda x: x.double(), IMAGES, "of torch.float64 from"),
]


@pytest.mark.parametrize(("augment", "X", "match"), BAD, ids=[match[:40] for *_, match in BAD])
def test_what_cannot_augment_these_samples_is_refused(augment, X, match):
    with pytest.raises(ValueError, match=match):
        quick(NaturalNet, augment=augment).fit(X, Y)


def test_a_transform_that_leaves_the_box_is_refused():
    match = "augment made samples from .*, outside the box that the attack keeps to"
    net = quick(MinMaxNet, augment=lambda x: x - 0.5)
    with pytest.raises(ValueError, match=match):
        net.fit(IMAGES, Y)
    net.set_params(attack__bounds=None).fit(IMAGES, Y)
    quick(NaturalNet, augment=lambda x: x - 0.5).fit(IMAGES, Y)  # has no attack and no box
