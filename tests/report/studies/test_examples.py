"""Gradients beside images."""

import numpy as np

from sklearn_robust.metrics import input_jacobian
from tests.report.opened import open_report


def test_gradients_are_shown_where_all_nets_are_right(digits):
    results, data, nets = open_report(digits)
    rows = results["studies"]["jacobians"]["rows"]
    for name, net in nets.items():
        assert (net.predict(data.X_test[rows]) == data.y_test[rows]).all()
        J = input_jacobian(net, data.X_test[rows], data.y_test[rows]).squeeze(1)
        np.testing.assert_allclose(results.arrays[f"jacobians/{name}"], J, rtol=1e-4, atol=1e-5)
