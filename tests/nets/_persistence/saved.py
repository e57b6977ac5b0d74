"""Saved nets: read back whole, or with a part changed."""

import json
import zipfile

from sklearn_robust import NaturalNet, load_net
from tests.cases import blobs, generators_untouched, quick

X, Y = blobs()


def round_trip(net, path, **params):
    net.save(path)
    with generators_untouched():
        return load_net(path, **params)


def tampered(path, change=None, weights=None):
    """Write a saved net whose JSON went through ``change``, or with other weights."""
    quick(NaturalNet).fit(X, Y).save(path)
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read("net.json"))
        state = archive.read("weights.pt") if weights is None else weights
    if change is not None:
        change(about)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net.json", json.dumps(about))
        archive.writestr("weights.pt", state)
    return path
