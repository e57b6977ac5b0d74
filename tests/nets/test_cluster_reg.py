"""Training with the clustering penalty: what it equals, what it does, what it finds and refuses."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_robust import ClusterRegNet, MinMaxNet, NaturalNet, load_net
from sklearn_robust import _functional as F
from sklearn_robust.attacks import PGD
from sklearn_robust.callbacks import WeightPerturbation
from sklearn_robust.clustering import ClassClustering, class_weight_matrix
from sklearn_robust.datasets import make_hierarchical_blobs
from sklearn_robust.exceptions import NotLinearizableError
from tests.cases import blobs, quick, same_weights
from tests.clustering.networks import Gate

X, y, SUPERCLASSES = make_hierarchical_blobs(10, random_state=0)
ATTACK = {"attack": PGD, "attack__norm": "l2", "attack__eps": 1.0}


def spread(net):
    """Penalty of the fitted net's logits, relative to their variance."""
    z = torch.tensor(net.decision_function(X))
    return float(F.cluster_penalty(z, torch.tensor(SUPERCLASSES)) / z.var())


# -- what it equals ------------------------------------------------------------------------------


def test_without_strength_or_attack_it_is_natural_training():
    ours = quick(ClusterRegNet, superclasses=SUPERCLASSES, lam=0).fit(X, y)
    assert same_weights(ours, quick(NaturalNet).fit(X, y))


def test_without_strength_it_is_min_max_training():
    ours = quick(ClusterRegNet, superclasses=SUPERCLASSES, lam=0, **ATTACK).fit(X, y)
    assert same_weights(ours, quick(MinMaxNet, **ATTACK).fit(X, y))


def test_superclasses_of_one_class_each_cost_nothing():
    ours = quick(ClusterRegNet, n_clusters=12).fit(X, y)
    assert same_weights(ours, quick(NaturalNet).fit(X, y))


@pytest.mark.parametrize("attack", [{}, ATTACK], ids=["clean", "adversarial"])
@pytest.mark.parametrize("average", ["class", "superclass"])
def test_the_loss_is_cross_entropy_and_penalty_of_the_samples_trained_on(average, attack):
    net = quick(ClusterRegNet, superclasses=SUPERCLASSES, lam=0.7, average=average, **attack)
    net.fit(X, y)
    rows, codes = torch.tensor(X[:9]), torch.tensor(y[:9])
    if attack:
        net.attack_.set_params(random_start=False)
        z = net.module_(net.perturb(rows, codes))
    else:
        z = net.module_(rows)
    loss, logits = net.batch_loss(rows, codes)
    penalty = F.cluster_penalty(z, torch.tensor(SUPERCLASSES), average)
    torch.testing.assert_close(logits, z)
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(z, codes) + 0.7 * penalty)


# -- what it does --------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", [{}, ATTACK], ids=["clean", "adversarial"])
def test_the_logits_of_a_superclass_come_together(attack):
    params = {"superclasses": SUPERCLASSES, "max_epochs": 5, **attack}
    plain, penalised = (quick(ClusterRegNet, lam=lam, **params).fit(X, y) for lam in (0.0, 1.0))
    assert spread(penalised) < 0.7 * spread(plain)
    assert np.isfinite(penalised.history[-1, "batches", :, "cluster_penalty"]).all()


def test_superclasses_go_by_labels_of_any_type():
    names = np.array(list("lkjihgfedcba"))
    taxonomy = {"x": list("lkji"), "y": list("hgfe"), "z": list("dcba")}
    net = quick(ClusterRegNet, superclasses=taxonomy).fit(X, names[y])
    assert net.superclass_codes_.tolist() == [2] * 4 + [1] * 4 + [0] * 4
    listed = quick(ClusterRegNet, superclasses=[0] * 4 + [1] * 4 + [2] * 4).fit(X, names[y])
    assert same_weights(net, listed)


# -- what it finds -------------------------------------------------------------------------------


def test_superclasses_are_found_after_the_burn_in_and_kept():
    found = quick(ClusterRegNet, n_clusters=3, max_epochs=4, burn_in=0.5).fit(X, y)
    start = quick(NaturalNet, max_epochs=2).fit(X, y)
    weights = class_weight_matrix(start)
    assert np.array_equal(found.superclass_codes_, ClassClustering(3).fit(weights).labels_)
    assert "cluster_penalty" not in found.history[1]["batches"][0]
    assert "cluster_penalty" in found.history[2]["batches"][0]
    before = found.superclass_codes_.copy()
    assert np.array_equal(found.partial_fit(X, y).superclass_codes_, before)


def test_a_second_fit_finds_superclasses_anew():
    net = quick(ClusterRegNet, n_clusters=3, max_epochs=3).fit(X, y)
    other = np.random.default_rng(0).permutation(12)
    net.fit(X, other[y])
    fresh = quick(ClusterRegNet, n_clusters=3, max_epochs=3).fit(X, other[y])
    assert np.array_equal(net.superclass_codes_, fresh.superclass_codes_)
    assert same_weights(net, fresh)


def test_there_is_no_penalty_as_long_as_the_burn_in_lasts():
    net = quick(ClusterRegNet, n_clusters=3, burn_in=1.0).fit(X, y)
    assert net.superclass_codes_ is None
    assert same_weights(net, quick(NaturalNet).fit(X, y))


def test_the_table_of_the_history_can_be_printed(capsys):
    quick(ClusterRegNet, n_clusters=3, max_epochs=3, verbose=2).fit(X, y)
    assert "train_loss" in capsys.readouterr().out


TAXONOMIES = {
    "found": "auto",
    "array": SUPERCLASSES,
    "list": SUPERCLASSES.tolist(),
    "names": list("abbaccddaabb"),
    "dict": {"b": [0, 1, 2], "a": range(3, 8), ("c", 1): {8, 9}, 7: (10, 11)},
}


@pytest.mark.parametrize("given", TAXONOMIES)
def test_it_is_saved_and_read_and_its_superclasses_are_too(given, tmp_path):
    net = quick(
        ClusterRegNet, superclasses=TAXONOMIES[given], n_clusters=3, max_epochs=3, **ATTACK
    ).fit(X, y)
    net.save(tmp_path / "net")
    copies = [load_net(tmp_path / "net"), pickle.loads(pickle.dumps(net))]
    for again in copies:
        assert np.array_equal(again.predict(X), net.predict(X))
        assert np.array_equal(again.superclass_codes_, net.superclass_codes_)
        assert again.superclass_codes_.shape == (12,)
        again.partial_fit(X, y)
        assert np.array_equal(again.superclass_codes_, net.superclass_codes_)
    assert not hasattr(clone(net), "superclass_codes_")


def test_a_fit_that_goes_on_after_a_break_keeps_its_superclasses(tmp_path):
    params = {"n_clusters": 3, "checkpoint": tmp_path}
    quick(ClusterRegNet, max_epochs=3, **params).fit(X, y)
    again = quick(ClusterRegNet, max_epochs=5, **params).fit(X, y)
    whole = quick(ClusterRegNet, max_epochs=5, n_clusters=3).fit(X, y)
    assert [row for row in again.history if "superclass_codes" in row] == again.history[1:2]
    assert np.array_equal(again.superclass_codes_, whole.superclass_codes_)
    assert same_weights(again, whole)


# -- what it refuses -----------------------------------------------------------------------------

FAULTS = [
    ({"lam": -1}, "lam is -1; give a number of at least 0"),
    ({"average": "mean"}, "average is 'mean'; choose one of"),
    ({"burn_in": 1.5}, "burn_in is 1.5; give a number of at least 0 and at most 1"),
    ({"burn_in": -1}, "burn_in is -1; give an integer of at least 0"),
    ({"burn_in": 9, "max_epochs": 8}, "burn_in is 9 epochs and max_epochs 8"),
    ({"n_clusters": 13}, "n_clusters is 13, but there are 12 classes"),
    ({"n_clusters": 0}, "n_clusters is 0; give an integer of at least 1"),
    ({"superclasses": "guess"}, "superclasses is 'guess'; choose one of"),
    ({"superclasses": [0, 1]}, r"shape \(2,\), but there are 12 classes"),
    ({"superclasses": {"a": [0, 1]}}, "superclasses misses the classes"),
    ({"superclasses": {"a": range(12), "b": [12]}}, r"has the classes \[12\], which are unknown"),
    ({"attack__eps": 0.1}, r"attack is None and \['eps'\] is set for it"),
]


@pytest.mark.parametrize(("params", "message"), FAULTS, ids=lambda value: str(value)[:40])
def test_what_makes_no_sense_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        quick(ClusterRegNet, **params).fit(X, y)


def test_superclasses_of_a_network_that_cannot_be_linearised_must_be_given():
    rows, labels = blobs(shape=(6,), labels=(0, 1, 2))
    with pytest.raises(NotLinearizableError, match="give superclasses=.*because of mul"):
        quick(ClusterRegNet, module=Gate).fit(rows, labels)
    quick(ClusterRegNet, module=Gate, superclasses=[0, 0, 1]).fit(rows, labels)


def test_superclasses_are_remembered_beside_perturbed_weights():
    awp = [WeightPerturbation()]
    net = quick(ClusterRegNet, n_clusters=3, max_epochs=3, callbacks=awp).fit(X, y)
    assert len(net.superclass_codes_) == 12
