"""What robust training does to gaps, margins and features, on digits and two ways of training."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_robust import JacobianRegNet, MinMaxNet
from sklearn_robust.attacks import PGD
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.modules import MNISTConvNet
from sklearn_robust.spectral import (
    feature_change_report,
    make_regularization_scorer,
    regularization_path,
)

NETWORK = {
    "module": MNISTConvNet,
    "module__channels": (8, 16),
    "module__kernel_size": 3,
    "module__hidden": 64,
    "lr": 0.01,
    "max_epochs": 16,
    "random_state": 0,
}
WAYS = {
    "min-max": (MinMaxNet(attack__max_iter=3, **NETWORK), "attack__eps", [0, 0.05, 0.15]),
    "Jacobian": (JacobianRegNet(**NETWORK), "lam", [0, 0.02, 0.06]),
}
REFERENCE = PGD(eps=0.1, random_state=0)  # the same for every net


class WithChanges:
    """Scorer of a sweep, and the relative change of the last two layers under attack."""

    def __init__(self):
        self.scores = make_regularization_scorer(REFERENCE, max_samples=60)

    def __call__(self, net, X, y):
        report = feature_change_report(net, X[:60], y[:60], attack=REFERENCE, n_directions=2)
        late = zip(report.name[-2:], report.adversarial_relative[-2:], strict=True)
        return self.scores(net, X, y) | {f"change/{name}": value for name, value in late}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_stronger_training_regularises(way):
    X, y = load_digits_images()
    rows = np.random.default_rng(0).permutation(len(X))[:320]
    net, param, strengths = WAYS[way]
    path = regularization_path(
        GridSearchCV(
            net,
            {param: strengths},
            scoring=WithChanges(),
            refit=False,
            cv=2,
            return_train_score=True,
            error_score="raise",
        ).fit(X[rows], y[rows]),
        param=param,
    )
    assert (np.diff(path.train_loss) > 0).all()
    for name in ("test_margin_mean", "test_margin_std", "test_confidence", "loss_gap"):
        assert (np.diff(path[name]) < 0).all(), name
    changes = [name for name in path if name.startswith("test_change/") and name[-4:] != "_std"]
    assert len(changes) == 2
    for name in changes:  # which need not fall at every step
        assert path[name][-1] < 0.95 * path[name][0], name
