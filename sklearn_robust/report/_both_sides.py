"""The lower side of robust accuracy: samples that are proven robust."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..differentiable import Model

__all__ = ["certified_mask"]


def certified_mask(
    model: Model, X: NDArray[np.float32], codes: NDArray[np.int64], threat: dict[str, Any]
) -> NDArray[np.bool_] | None:
    """Say which samples are proven robust, where a proof for this kind of model is known.

    The audit, its page, the evidence and the gate show or use whatever this function returns.

    Parameters
    ----------
    model : Model
        What is judged.
    X : array of shape (n_samples, ...), float32
        Clean samples.
    codes : int array of shape (n_samples,)
        True class codes.
    threat : dict
        ``eps``, ``norm``, ``bounds``, ``mask`` and ``integer``, as of ``ThreatModel.params``.

    Returns
    -------
    proven : bool array of shape (n_samples,) or None
        None where no proof is known.
    """
    return None
