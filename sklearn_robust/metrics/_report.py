"""Everything worth knowing about a robust accuracy, and whether to trust it."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest
from sklearn.base import clone

from .. import _validation as check
from .._random import seed_of
from .._tables import describe_scales
from .._threat_model import ThreatModel
from .._units import units_caveat
from ..attacks import PGD, BaseAttack, WorstCase
from ..attacks._evaluation import choose_attack, open_samples, params_of, robust_mask
from ..certification._bounds import certified_mask, has_certifier
from ..differentiable import Model, open_model
from ..differentiable._state import records
from ..exceptions import ZeroGradientWarning
from ._masking import MaskingProbe, masking_signs
from ._report_text import report_text, verdict_of

__all__ = ["measure", "robustness_report", "wilson_interval"]

_LOSSES = ("cross_entropy", "margin", "scaled_cross_entropy")
_N_PROBED = 200  # samples that the masking checks look at


def wilson_interval(n_hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share, (low, high); it is sensible at 0 and 1 too."""
    if n == 0:
        return (0.0, 1.0)
    low, high = binomtest(n_hits, n).proportion_ci(level, method="wilson")
    return (float(low), float(high))


def _named_attacks(
    attack: BaseAttack | None, main: BaseAttack, black_box: bool
) -> dict[str, BaseAttack]:
    """Name the attacks whose accuracies the report lists; ``main`` is what ``attack`` means."""
    if black_box:
        if attack is None:
            return {type(main).__name__: main}
        return {"Square": clone(attack)}
    if attack is None:
        return {f"PGD-40 {loss}": PGD(max_iter=40, loss=loss, random_state=0) for loss in _LOSSES}
    if not isinstance(attack, WorstCase):
        return {type(attack).__name__: clone(attack)}
    seed, named = seed_of(attack.random_state), {}
    for number, member in enumerate(attack.members(), 1):
        name = f"{number}. {type(member).__name__}"
        loss = member.get_params().get("loss")
        named[f"{name} {loss}" if isinstance(loss, str) else name] = member.set_params(
            random_state=seed
        )
    return named


@records
def robustness_report(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    attack: BaseAttack | None = None,
    output_dict: bool = False,
    certify: bool | None = None,
    n_jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> str | dict[str, Any]:
    """Clean, per-attack and worst-case accuracy, and a verdict on whether to trust them.

    Parameters
    ----------
    estimator : fitted classifier
        What to judge.
    X : array-like of shape (n_samples, ...)
        Clean samples.
    y : array-like of shape (n_samples,)
        True labels.
    attack : attack, default=None
        None means 40 steps of PGD on cross-entropy, margin and scaled cross-entropy at
        eps = 8/255 in linf (TreeAttack for trees, Square for another model without a gradient).
        The members of a
        ``WorstCase`` are listed one by one.
    output_dict : bool, default=False
        Whether to return the numbers in place of the text.
    certify : bool, default=None
        Whether to prove a lower bound, too. None does so for classifiers whose class has a
        certifier of its own.
    n_jobs : int, default=None
        Processes that share the samples.
    cache : path-like, default=None
        Folder of verdicts that are kept, as for :func:`robust_score`: a report that was killed goes
        on with the attack that it was at. The checks of masking run anew.

    Returns
    -------
    report : str or dict
        The dict has "clean", "worst_case" and "attacks" (name to accuracy), "interval" (Wilson's
        95 % interval of the worst case), "per_class" (label to clean, worst_case, support),
        "eps" (the largest, where each feature has its own in "eps_per_feature"), "norm",
        "n_samples", "certified" (accuracy that is proven, or None), "verdict" ("exact", "within
        0.8 points" or "between 0.39 and 0.78", or None), "trusted" (bool), "warnings" (name of a
        check to what it saw) and "caveats" (what to know about the radius in the units of X, such
        as the standard deviations that ``eps="0.1 std"`` stands for).

    Raises
    ------
    ValueError
        If X holds pixels in whole shades from 0 to 255 and no eps is given.

    Warns
    -----
    UnitsWarning
        If the report has a caveat about units.
    BlackBoxWarning
        If no gradient reaches the input, so that only scores were searched.

    See Also
    --------
    robust_score : The worst-case number alone.

    Notes
    -----
    Signs of gradient masking, looked for on up to 200 correctly classified samples, which move as
    the attack may move them: a view that names other classes than ``predict``; outputs that are
    random; gradients that are exactly zero, or that do not predict how small steps change the
    margin; one step fooling more than many; cross-entropy and margin far apart; random noise as
    strong as the search; a search for the nearest point that beats those that climb a loss;
    restarts that keep finding; a search by scores that beats the attacks with gradients; accuracy
    that stays when the ball holds every input (all features move there). Each member of a cascade
    is judged by the samples that it fooled itself. If there is a sign, do not trust the number: a
    stronger or adapted attack will lower it.

    A default radius that is less than 2 % of the standard deviation of half of the features makes
    the number one not to trust, and of a few features a caveat.

    If the radii of the members differ, the report and the checks use the largest.

    References
    ----------
    Athalye, Carlini, Wagner, "Obfuscated gradients give a false sense of security", ICML 2018.
    Carlini et al., "On evaluating adversarial robustness", arXiv 1902.06705.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import WorstCase
    >>> from sklearn_robust.metrics import robustness_report
    >>> X, y = load_iris(return_X_y=True)
    >>> model, attack = LogisticRegression(max_iter=1000).fit(X, y), WorstCase(eps=0.1)
    >>> report = robustness_report(model, X, y, attack=attack, output_dict=True)
    >>> report["worst_case"] <= report["clean"], report["trusted"]
    (True, True)
    """
    flag = check.optional(check.check_flag)
    check.validate(locals(), output_dict=check.check_flag, certify=flag)
    model = open_model(estimator, X, params_of(attack))
    if attack is not None:  # a wrong one is refused first
        choose_attack(attack, model).check_parameters()
    check.check_labels(y)
    X, codes = open_samples(model, X, y)
    main = choose_attack(attack, model)
    with warnings.catch_warnings():  # the report has its own words for it
        warnings.simplefilter("ignore", ZeroGradientWarning)
        numbers, _ = measure(model, X, codes, attack, main, n_jobs, certify, cache)
    return numbers if output_dict else report_text(numbers, model.name)


def measure(
    model: Model,
    X: NDArray[np.float32],
    codes: NDArray[np.int64],
    attack: BaseAttack | None,
    main: BaseAttack,
    n_jobs: int | None = None,
    certify: bool | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> tuple[dict[str, Any], dict[str, NDArray[np.bool_]]]:
    """Find all numbers of the report, and the samples behind them.

    Parameters
    ----------
    model : Model
        What is judged.
    X : array of shape (n_samples, ...), float32
        Clean samples, as of ``open_samples``.
    codes : int array of shape (n_samples,)
        True class codes.
    attack : attack or None
        As of the user.
    main : attack
        The attack that ``attack`` means.
    n_jobs : int, default=None
        Processes that share the samples.
    certify : bool, default=None
        As for :func:`robustness_report`.
    cache : path-like, default=None
        Folder of verdicts that are kept.

    Returns
    -------
    numbers : dict
        As of :func:`robustness_report`.
    masks : dict of str to bool array of shape (n_samples,)
        Samples that are correct without an attack ("clean"), robust to each attack by its name,
        to all of them ("worst_case"), and where a proof was tried proven to be ("certified").
    """
    scales = None if model.table is None else describe_scales(main.column_params(), model.table)
    main = main.on_columns(model)
    threat = _threat_of(main, X)
    units = units_caveat(main.threat_model, X, default=main.has_default_radius)
    if units is not None:
        units.tell()
    correct = np.asarray(model.predict_codes(X) == codes)
    robust, masks = np.array(correct), {}
    attacks = _named_attacks(attack, main, not model.differentiable)
    options: dict[str, Any] = {"correct": correct, "n_jobs": n_jobs, "cache": cache}
    for name, one in attacks.items():
        masks[name] = robust_mask(model, X, codes, one, units_known=True, **options)
        robust &= masks[name]
    signs = {"units": units.text} if units is not None and units.misleading else {}
    certified, proven = None, {}
    if certify or (certify is None and model.table is None and has_certifier(model)):
        proven["certified"] = certified_mask(model, X, codes, threat)
        certified = float(proven["certified"].mean())
    if certified == float(robust.mean()):
        pass  # proven, whatever the gradients are like
    elif not model.differentiable:
        signs["black box"] = "no gradient reaches the input: the number is an upper bound"
    elif correct.any():
        rows = np.flatnonzero(correct)[:_N_PROBED]
        members = [(one, masks[name][rows]) for name, one in attacks.items()]
        probe = MaskingProbe(model, X[rows], codes[rows], threat, members, main.on_nan)
        signs |= masking_signs(probe)
    numbers = {
        **_accuracies(model, codes, correct, robust, masks),
        "eps": float(threat.eps.max()),
        "eps_per_feature": threat.eps if threat.eps.ndim else None,
        "norm": threat.norm,
        "certified": certified,
        "verdict": None if certified is None else verdict_of(certified, float(robust.mean())),
        "trusted": not signs,
        "warnings": signs,
        "caveats": [text for text in (units and units.text, scales) if text],
    }
    return numbers, {"clean": correct, **masks, "worst_case": robust, **proven}


def _accuracies(
    model: Model,
    codes: NDArray[np.int64],
    correct: NDArray[np.bool_],
    robust: NDArray[np.bool_],
    masks: dict[str, NDArray[np.bool_]],
) -> dict[str, Any]:
    """Shares of samples that are correct, robust to each attack, and to all, of each class too."""
    return {
        "clean": float(correct.mean()),
        "worst_case": float(robust.mean()),
        "attacks": {name: float(mask.mean()) for name, mask in masks.items()},
        "interval": wilson_interval(int(robust.sum()), len(codes)),
        "per_class": {
            label.item() if isinstance(label, np.generic) else label: {
                "clean": float(correct[codes == code].mean()),
                "worst_case": float(robust[codes == code].mean()),
                "support": int((codes == code).sum()),
            }
            for code, label in enumerate(model.classes_)
            if (codes == code).any()
        },
        "n_samples": len(codes),
    }


def _threat_of(attack: BaseAttack, X: NDArray[np.float32]) -> ThreatModel:
    """Threat model that a report is about: of a cascade, the widest of its members."""
    members = attack.members() if isinstance(attack, WorstCase) else [attack]
    norms = sorted({check.check_norm(member.norm) for member in members})
    if len(norms) > 1:
        raise ValueError(
            f"attack searches balls of several norms, {norms}, and a report is about one: report "
            "on each by itself. robust_score takes them together."
        )
    box = check.check_bounds(attack.bounds, X)
    threat = ThreatModel.widest([m.threat_model.with_shape(X.shape[1:], box) for m in members])
    threat.exact = X.dtype == np.float64
    if not np.isfinite(threat.eps).all():
        raise ValueError(
            f"attack is {attack!r}, which has no radius: give it an eps to report on, or ask "
            "robustness_curve for accuracies at several."
        )
    return threat
