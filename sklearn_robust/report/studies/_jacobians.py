"""Images beside the gradients of the decision function at them."""

from ...metrics import input_jacobian
from ...plotting._jacobian_display import as_images
from ._common import NotShown, telling_rows

__all__ = ["jacobians"]

_N_IMAGES = 6


def jacobians(results, data, nets):
    """Find the gradient of every net at a few images."""
    if data.kind != "image":
        raise NotShown("samples are not images")
    rows = telling_rows(results, data, nets, _N_IMAGES)
    if not len(rows):
        raise NotShown("no test sample is classified correctly by all nets")
    X, y = data.X_test[rows], data.y_test[rows]
    low, high = min(float(X.min()), 0.0), max(float(X.max()), 1.0)
    arrays = {"images": (as_images(X) - low) / (high - low)}
    for name, net in nets.items():
        J = as_images(input_jacobian(net, X, y))
        arrays[name] = J.sum(-1) if J.ndim == 4 else J
    labels = [data.name_of(label) for label in y.tolist()]
    return {"rows": rows.tolist(), "labels": labels, "nets": {}}, arrays
