"""Votes of a base classifier on noisy copies of samples."""

from __future__ import annotations

import hashlib
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_even_slices

from .. import _validation as check
from ..differentiable._scores import with_names

__all__ = ["add_noise", "count_votes", "noise_of"]

_MEMORY = 4 * 10**6  # numbers that one call of the base classifier gets at most


def add_noise(
    samples: NDArray[np.float32], sigma: float, noise: NDArray[Any]
) -> NDArray[np.float32]:
    """Noisy copies of samples; ``noise`` has the standard deviation 1."""
    return (samples + sigma * noise).astype(np.float32)


def noise_of(row: NDArray[np.float32], seed: int, stream: int, n_draws: int) -> NDArray[np.float32]:
    """Noise of one sample: it follows from the seed and the sample."""
    digest = hashlib.sha256(np.ascontiguousarray(row).tobytes()).digest()[:16]
    rng = np.random.default_rng([seed, stream, int.from_bytes(digest, "little")])
    return rng.standard_normal((n_draws, *row.shape), np.float32)


def count_votes(
    model: Any, samples: NDArray[np.float32], stream: int, n_draws: int
) -> NDArray[np.int64]:
    """Count the votes (n, n_classes) in ``model.n_jobs`` processes.

    ``model`` is a fitted SmoothedClassifier; ``stream`` numbers independent streams of noise.
    """
    n_chunks = min(joblib.effective_n_jobs(model.n_jobs), len(samples))
    if n_chunks <= 1:
        return _votes_here(model, samples, stream, n_draws)
    parts = joblib.Parallel(n_jobs=model.n_jobs)(
        joblib.delayed(_votes_here)(model, samples[rows], stream, n_draws)
        for rows in gen_even_slices(len(samples), n_chunks)
    )
    return np.concatenate(parts)


def _votes_here(
    model: Any, samples: NDArray[np.float32], stream: int, n_draws: int
) -> NDArray[np.int64]:
    """Count the votes (n, n_classes) in this process."""
    votes = np.zeros((len(samples), len(model.classes_)), dtype=np.int64)
    n_rows = max(1, _MEMORY // max(1, n_draws * samples[0].size))
    for start in range(0, len(samples), n_rows):
        some = samples[start : start + n_rows]
        noisy = np.concatenate(
            [
                add_noise(row, model.sigma, noise_of(row, model.seed_, stream, n_draws))
                for row in some
            ]
        )
        labels = model.estimator_.predict(with_names(model, noisy))
        codes = check.encode_labels(labels, model.classes_, type(model).__name__)
        for i, part in enumerate(codes.reshape(len(some), n_draws)):
            votes[start + i] = np.bincount(part, minlength=len(model.classes_))
    return votes
