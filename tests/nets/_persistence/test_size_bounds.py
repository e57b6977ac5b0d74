"""No module is built larger than the weights of its file."""

import json
import zipfile

import numpy as np
import pytest
from torch import nn

from sklearn_robust import NaturalNet, load_net
from tests.cases import blobs, quick

pytestmark = pytest.mark.filterwarnings("ignore")
X, Y = blobs()


class Wide(nn.Module):
    """A user's module, whose size follows from its arguments."""

    def __init__(self, input_shape, n_classes, width=3, depth=1):
        super().__init__()
        layers = [nn.Linear(input_shape[0], width)]
        layers += [nn.Linear(width, width) for _ in range(depth - 1)]
        self.layers = nn.Sequential(*layers, nn.Linear(width, n_classes))

    def forward(self, x):
        return self.layers(x)


@pytest.mark.parametrize("huge", [{"width": 10**6}, {"depth": 10**6}], ids=str)
def test_a_module_of_the_user_is_not_built_larger_than_its_weights(huge, tmp_path):
    path = tmp_path / "a.net"
    quick(NaturalNet, module=Wide).fit(X, Y).save(path)
    with zipfile.ZipFile(path) as archive:
        about, weights = json.loads(archive.read("net.json")), archive.read("weights.pt")
    assert np.isfinite(load_net(path, classes=Wide).predict_proba(X)).all()
    about["params"].update({f"module__{name}": value for name, value in huge.items()})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net.json", json.dumps(about))
        archive.writestr("weights.pt", weights)
    with pytest.raises(ValueError, match="it is larger than its weights in the file.: give param"):
        load_net(path, classes=Wide)
