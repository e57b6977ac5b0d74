"""Clusters of classes of the trained nets."""

import pytest

from sklearn_robust.clustering import LinearizedClustering
from sklearn_robust.spectral import layer_spectra
from tests.report.opened import open_report


def test_spectra_and_clusters_are_those_of_the_library(digits):
    results, data, nets = open_report(digits)
    for name, net in nets.items():
        report = layer_spectra(net)
        found = results["studies"]["spectra"]
        assert found["layers"] == report.name
        assert found["nets"][name]["std"] == pytest.approx(report["std"].tolist(), rel=1e-5)
        tree = LinearizedClustering(net).fit(data.X_test)
        found = results["studies"]["clusters"]
        assert found["labels"][name] == tree.class_labels_.tolist()
        assert found["nets"][name]["contrast"] == pytest.approx(tree.contrast_)
