"""Distances of the samples to the decision boundary, measured in several places."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import iqr, kurtosis, wasserstein_distance
from sklearn.utils import Bunch
from torch import Tensor

from .. import _functional as F
from .. import _validation as check
from ..attacks import DeepFool
from ..attacks._arrays import batches_of
from ..attacks._minimum_norm import check_nearest
from ..differentiable import DifferentiableModel, Model, open_model
from ._margins import Geometry, feature_margin, linear_margin
from ._modules import own_dtype

__all__ = ["logits_of", "margin_report", "open_samples"]

KINDS = ("output", "softmax", "feature", "input")


def margin_report(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    kinds: str | Iterable[str] = KINDS,
    attack: Any = None,
    tau: float | dict[str, float] = 0.1,
    reference: Any = None,
    batch_size: int | None = None,
    verbose: int = 0,
) -> Bunch:
    """Margins, confidence and loss of every sample.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline or torch.nn.Module
        Model to measure.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    kinds : tuple of {"output", "softmax", "feature", "input"}
        Margins to measure. "input" is costly: it runs an attack.
    attack : attack, default=None
        Minimum-norm attack for the "input" margins, which are measured in its norm; None is
        ``DeepFool(norm="l2", bounds=None)``.
    tau : float or dict of float, default=0.1
        Margins up to ``tau`` are near the boundary, in the unit of each kind; a dict gives one per
        kind.
    reference : report or fitted classifier, optional
        Another model's report, or that model, to measure the Wasserstein distances to.
    batch_size : int, default=None
        Samples computed together; None chooses a number that fits the cache.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    report : Bunch
        One entry per sample in

        - ``output``: the logit of the true class minus the largest other one; negative if and only
          if the prediction is wrong.
        - ``softmax``: the same with probabilities, in [-1, 1].
        - ``prediction``: the largest logit minus the next, at least 0.
        - ``feature``: the exact l2 distance to the nearest boundary of the predicted class in the
          space of the last layer's input; NaN if the model does not end in a linear layer.
        - ``input_upper``: the distance at which the attack changed the prediction; inf if it did
          not.
        - ``input_linear``: the distance to the boundary of the model linearised at the sample.
        - ``input_lower``: a distance within which no change of the input changes the prediction.
        - ``correct``, ``confidence`` (the largest probability) and ``loss`` (cross-entropy, nats).

        ``summary`` has for each margin a Bunch with mean, std, median, iqr, kurtosis, min,
        ``min_correct`` (over the right predictions), ``near`` (the share within ``tau`` of 0) and
        ``n_infinite`` (left out of the other numbers). ``right`` and ``wrong`` have ``n``,
        ``loss_mean``, ``loss_std``, ``confidence_mean`` and ``confidence_std``. ``lipschitz`` is
        the bound behind ``input_lower``, ``norm`` the norm of the input margins, ``notes`` says
        what could not be measured. With a reference, ``wasserstein`` has the distance between the
        two models' samples of each margin.

    Raises
    ------
    ValueError
        If X or y do not fit the estimator, or a kind is unknown.

    See Also
    --------
    generalization_bound_terms : A bound computed from the smallest margins.
    sklearn_robust.plotting.MarginDisplay : Draws the distributions.

    Notes
    -----
    Following [1]_. With logits f and the predicted class p, the feature margin is
    ``min_j (f_p - f_j) / ||w_p - w_j||`` and the linearised one
    ``min_j (f_p - f_j) / ||grad f_p - grad f_j||_q`` with the dual norm q. The lower bound divides
    the feature margin by a Lipschitz constant of the features: the product of the layers' largest
    singular values, summed over the branches of a shortcut. It is sound and very loose. An attack
    finds upper bounds only, and the smallest of many noisy upper bounds is unstable: look at the
    quantiles too. Margins in the input ignore the box of the data, unless the attack has one.

    Logits of different models have different scales: compare models by softmax, feature or input
    margins.

    References
    ----------
    .. [1] Y. Wen, S. Li and K. Jia, "Towards understanding the regularization of adversarial
       robustness on neural networks", ICML 2020.

    Examples
    --------
    For a linear model all three margins in the input agree, up to the precision of the search:

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.spectral import margin_report
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> report = margin_report(model, X, y)
    >>> bool(abs(report.input_upper / report.input_lower - 1).max() < 2e-4)
    True
    >>> bool(((report.output < 0) == (model.predict(X) != y)).all())
    True
    """
    check.validate(locals())
    kinds = (
        (kinds,)
        if isinstance(kinds, str)
        else check.check_names("kinds", kinds, f"some of {sorted(KINDS)}")
    )
    for kind in kinds:
        check.check_choice("kinds", kind, KINDS)
    for name in tau if isinstance(tau, dict) else ():
        check.check_choice("a key of tau", name, (*_MARGINS, "input"))
    opened, samples, codes = open_samples(estimator, X, y)
    z = logits_of(opened.module, samples, batch_size, verbose)
    report = _outputs(z, codes, kinds)
    report.notes = []
    if {"feature", "input"} & set(kinds):
        geometry = Geometry(opened.module, opened.module.tensor(samples[:2]))
        if geometry.constant:
            raise ValueError(
                f"The logits of {opened.name} do not depend on the sample, so there is no boundary "
                "to measure a distance to: give a model that reads its input, or type "
                "kinds=('output', 'softmax')."
            )
        if "feature" in kinds:
            _measure_features(report, geometry, z, opened.name)
        if "input" in kinds:
            _measure_inputs(report, opened, samples, attack, batch_size, verbose)
            _bound_inputs(report, geometry, z, samples[0].size)
    names = [name for name in _MARGINS if name in report]
    report.summary = Bunch(
        **{name: _summary(report[name], report.correct, _tau_of(tau, name)) for name in names}
    )
    report.right, report.wrong = _outcome(report, True), _outcome(report, False)
    if reference is not None:
        if not isinstance(reference, Bunch):
            reference = margin_report(
                reference, X, y, kinds=kinds, attack=attack, batch_size=batch_size, verbose=verbose
            )
        report.wasserstein = _distances(report, reference, names)
    return report


_MARGINS = (
    "output", "softmax", "prediction", "feature", "input_upper", "input_linear", "input_lower",
)  # fmt: skip


def open_samples(
    estimator: Any, X: ArrayLike, y: ArrayLike
) -> tuple[Model, NDArray[Any], NDArray[np.int64]]:
    """Open a model; give it, samples in its precision, and codes of the labels."""
    opened = open_model(estimator)
    dtype = np.float64 if own_dtype(opened.module) == torch.float64 else np.float32
    samples = check.check_samples(X, dtype, of=opened.estimator)
    check.check_sample_shape(samples, opened.input_shape, opened.name)
    with check.wrap_shape_errors(opened.name, samples.shape[1:]):
        opened.examine(samples)
        logits_of(opened.module, samples[:1])  # also tells the number of classes
    return opened, samples, opened.label_codes(samples, y)


def logits_of(
    model: DifferentiableModel, X: NDArray[Any], batch_size: int | None = None, verbose: int = 0
) -> Tensor:
    """Logits (n, n_classes) of the samples, on the CPU in float64."""
    with torch.no_grad():
        parts = [
            model(model.tensor(X[rows])).double().cpu()
            for rows in batches_of(X, batch_size, model.device, verbose, "logits")
        ]
    z = torch.cat(parts)
    broken = z.isnan().any(1)
    if bool(broken.any()):
        raise ValueError(
            f"The logits of {model.name} are NaN at sample {int(broken.nonzero()[0])}: fix the "
            "model, or leave the sample out."
        )
    return z


def _outputs(z: Tensor, codes: NDArray[np.int64], kinds: tuple[str, ...]) -> Bunch:
    """Report with the margins of the logits, confidence and loss."""
    y = torch.from_numpy(codes)
    top = z.topk(2, dim=1).values
    p = z.softmax(1)
    report = Bunch(
        correct=(z.argmax(1) == y).numpy(),
        confidence=p.amax(1).numpy(),
        loss=F.cross_entropy(z, y).numpy(),
        prediction=(top[:, 0] - top[:, 1]).numpy(),
    )
    if "output" in kinds:
        report.output = F.margin(z, y).numpy()
    if "softmax" in kinds:
        report.softmax = F.margin(p, y).numpy()
    return report


def _measure_features(report: Bunch, geometry: Geometry, z: Tensor, who: str) -> None:
    if geometry.matrix is None:
        report.notes.append(f"feature: {who} does not end in a linear layer")
        report.feature = np.full(len(z), math.nan)
    else:
        report.feature = feature_margin(z, geometry.matrix.cpu()).numpy()


def _measure_inputs(
    report: Bunch,
    opened: Model,
    X: NDArray[Any],
    attack: Any,
    batch_size: int | None,
    verbose: int,
) -> None:
    """Add what an attack and the gradient say of the distance to the boundary."""
    attack = DeepFool(norm="l2", bounds=None) if attack is None else check_nearest(attack)
    report.norm = check.check_norm(attack.norm)
    report.input_upper = attack.evaluate(opened, X).distance
    model = opened.logits
    linear = [
        linear_margin(model, model.tensor(X[rows]), report.norm).double().cpu().numpy()
        for rows in batches_of(X, batch_size, model.device, verbose, "linearised margins")
    ]
    report.input_linear = np.concatenate(linear)


def _bound_inputs(report: Bunch, geometry: Geometry, z: Tensor, n_inputs: int) -> None:
    """Add the distance within which no change of the input changes the prediction."""
    if geometry.matrix is not None:
        geometry.matrix = geometry.matrix.cpu()
    report.lipschitz = geometry.lipschitz
    report.input_lower = geometry.lower_bound(z, n_inputs, report.norm).numpy()
    if geometry.unknown:
        report.notes.append(
            f"input_lower: 0, because no Lipschitz constant is known of {geometry.unknown}"
        )


def _tau_of(tau: float | dict[str, float], name: str) -> float:
    if isinstance(tau, dict):
        tau = tau.get(name, tau.get(name.split("_")[0], 0.1))
    return check.check_number("tau", tau)


def _summary(values: NDArray[Any], correct: NDArray[np.bool_], tau: float) -> Bunch:
    finite = np.isfinite(values)
    v = values[finite]
    if not len(v):
        v = np.array([math.nan])
    right = values[finite & correct]
    return Bunch(
        mean=float(v.mean()),
        std=float(v.std()),
        median=float(np.median(v)),
        iqr=float(iqr(v)),
        kurtosis=float(kurtosis(v)) if v.std() > 1e-12 * abs(v).max() else math.nan,
        min=float(v.min()),
        min_correct=float(right.min()) if len(right) else math.nan,
        near=float(np.mean(np.abs(values) <= tau)),
        n_infinite=int(len(values) - finite.sum()),
    )


def _outcome(report: Bunch, correct: bool) -> Bunch:
    """Loss and confidence of the samples that are predicted right, or wrong."""
    rows = report.correct == correct
    numbers = Bunch(n=int(rows.sum()))
    for name in ("loss", "confidence"):
        values = report[name][rows]
        numbers[f"{name}_mean"] = float(values.mean()) if len(values) else math.nan
        numbers[f"{name}_std"] = float(values.std()) if len(values) else math.nan
    return numbers


def _distances(report: Bunch, reference: Bunch, names: list[str]) -> Bunch:
    distances = Bunch()
    for name in names:
        both = [r[name][np.isfinite(r[name])] for r in (report, reference) if name in r]
        if len(both) == 2 and all(map(len, both)):
            distances[name] = float(wasserstein_distance(*both))
    return distances
