"""Gaps and spectra of the trained nets."""

from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from sklearn_robust.report.studies._common import NotShown
from sklearn_robust.report.studies._regularization import spectra
from sklearn_robust.spectral import margin_report
from tests.report.opened import open_report


def test_gaps_are_test_minus_train(report):
    results, data, nets = open_report(report)
    for name, net in nets.items():
        found = results["studies"]["margins"]["nets"][name]
        gap = net.score(data.X_train, data.y_train) - net.score(data.X_test, data.y_test)
        assert found["error_gap"] == pytest.approx(gap)
        loss = margin_report(net, data.X_test, data.y_test, kinds="output").loss.mean()
        assert found["test_loss"] == pytest.approx(loss)
        assert found["distance_lower"] <= found["distance_upper"]


def test_layers_without_a_matrix_have_no_spectrum():
    data = SimpleNamespace(X_test=np.zeros((1, 4), dtype=np.float32))
    with pytest.raises(NotShown, match="no layer of the nets is a fixed linear map"):
        spectra(None, data, {"A": nn.Sequential(nn.LayerNorm(4))})
    nets = {"A": nn.Sequential(nn.Linear(4, 2)), "B": nn.Sequential(nn.ReLU(), nn.Linear(4, 2))}
    with pytest.raises(NotShown, match="different layers"):
        spectra(None, data, nets)
