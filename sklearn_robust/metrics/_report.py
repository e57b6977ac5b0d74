"""Everything worth knowing about a robust accuracy, and whether to trust it."""

import warnings

import numpy as np
from scipy.stats import norm as normal
from sklearn.base import clone

from .. import _validation as check
from .._random import seed_of
from ..attacks import PGD, Square, WorstCase
from ..exceptions import ZeroGradientWarning
from ._masking import Probe, masking_signs
from ._robust import attack_and_model, withstood
from ._threat import Threat

__all__ = ["robustness_report"]

_LOSSES = ("cross_entropy", "margin", "scaled_cross_entropy")
_N_PROBED = 200  # samples that the masking checks look at


def wilson_interval(n_hits, n, level=0.95):
    """Wilson's interval of a share, (low, high); it is sensible at 0 and 1 too."""
    if n == 0:
        return (0.0, 1.0)
    z, share = normal.ppf((1 + level) / 2), n_hits / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (float(max(0.0, middle - half)), float(min(1.0, middle + half)))


def _named_attacks(attack, black_box):
    """Name the attacks whose accuracies the report lists."""
    if black_box:
        return {"Square": Square(random_state=0) if attack is None else clone(attack)}
    if attack is None:
        return {f"PGD-40 {loss}": PGD(max_iter=40, loss=loss, random_state=0) for loss in _LOSSES}
    if not isinstance(attack, WorstCase):
        return {type(attack).__name__: clone(attack)}
    members, seed = attack._members(), seed_of(attack.random_state)
    named = {}
    for number, member in enumerate(members, 1):
        name = f"{number}. {type(member).__name__}"
        loss = getattr(member, "loss", None)
        named[f"{name} {loss}" if isinstance(loss, str) else name] = member.set_params(
            random_state=seed
        )
    return named


def robustness_report(estimator, X, y, *, attack=None, output_dict=False, n_jobs=None):
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
        eps = 8/255 in linf (Square for a model without a gradient). The members of a
        ``WorstCase`` are listed one by one.
    output_dict : bool, default=False
        Whether to return the numbers in place of the text.
    n_jobs : int, default=None
        Processes that share the samples.

    Returns
    -------
    report : str or dict
        The dict has "clean", "worst_case" and "attacks" (name to accuracy), "interval" (Wilson's
        95 % interval of the worst case), "per_class" (label to clean, worst_case, support),
        "eps", "norm", "n_samples", "trusted" (bool) and "warnings" (name of a check to what
        it saw).

    Warns
    -----
    BlackBoxWarning
        If no gradient reaches the input, so that only scores were searched.

    See Also
    --------
    robust_score : The worst-case number alone.

    Notes
    -----
    Signs of gradient masking, looked for on up to 200 correctly classified samples, which move as
    the attack may move them: a view that names other classes than ``predict``; outputs that are
    random; gradients that are exactly zero; one step fooling more than many; cross-entropy and
    margin far apart; random noise as strong as the search; Square beating the attacks with
    gradients; accuracy that stays when the ball holds every input (all features move there). If
    one trips, do not trust the number: a stronger or adapted attack will lower it.

    Of members whose radii differ the report names the largest, and the checks use it.

    References
    ----------
    Athalye, Carlini, Wagner, "Obfuscated gradients give a false sense of security", ICML 2018.
    Carlini et al., "On evaluating adversarial robustness", arXiv 1902.06705.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import robustness_report
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> report = robustness_report(model, X, y, output_dict=True)
    >>> report["worst_case"] <= report["clean"], report["trusted"]
    (True, True)
    """
    main, model = attack_and_model(attack, estimator)
    with warnings.catch_warnings():  # the report has its own words for it
        warnings.simplefilter("ignore", ZeroGradientWarning)
        numbers = _measured(model, X, y, attack, main, n_jobs)
    return numbers if output_dict else _text(numbers, model.name)


def _measured(model, X, y, attack, main, n_jobs):
    """Return all numbers of the report; ``main`` is the attack that ``attack`` means."""
    black_box = not model.differentiable
    main._check_parameters()
    _refuse_several_norms(main)
    X = check.check_samples(X, of=model.estimator)
    check.check_sample_shape(X, model.input_shape, model.name)
    codes, threat = model.label_codes(X, y), Threat.of(main, X)
    correct = model.predict_codes(X) == codes
    robust, masks = correct.copy(), {}
    for name, one in _named_attacks(attack, black_box).items():
        masks[name] = withstood(model, X, y, attack=one, n_jobs=n_jobs)
        robust &= masks[name]
    signs = {}
    if black_box:
        signs["black box"] = "no gradient reaches the input: the number is an upper bound"
    elif correct.any():
        rows = np.flatnonzero(correct)[:_N_PROBED]
        probe = Probe(model, X[rows], np.asarray(y)[rows], threat)
        signs = masking_signs(probe, robust[rows])
    return {
        "clean": float(correct.mean()),
        "worst_case": float(robust.mean()),
        "attacks": {name: float(mask.mean()) for name, mask in masks.items()},
        "interval": wilson_interval(int(robust.sum()), len(X)),
        "per_class": {
            label.item() if hasattr(label, "item") else label: {
                "clean": float(correct[codes == code].mean()),
                "worst_case": float(robust[codes == code].mean()),
                "support": int((codes == code).sum()),
            }
            for code, label in enumerate(model.classes_)
            if (codes == code).any()
        },
        "eps": float(threat.eps.max()),
        "norm": threat.norm,
        "n_samples": len(X),
        "trusted": not signs,
        "warnings": signs,
    }


def _refuse_several_norms(attack):
    members = attack._members() if isinstance(attack, WorstCase) else [attack]
    norms = sorted({check.check_norm(member.norm) for member in members})
    if len(norms) > 1:
        raise ValueError(
            f"attack searches balls of several norms, {norms}, and a report is about one: report "
            "on each by itself. robust_score takes them together."
        )


def _text(numbers, who):
    width = max(24, *(len(name) for name in numbers["attacks"]))
    low, high = numbers["interval"]
    lines = [
        f"Robustness of {who}: {numbers['norm']} ball of eps = {numbers['eps']:.4g}, "
        f"{numbers['n_samples']} samples",
        "",
        f"{'':<{width}}  accuracy",
        f"{'clean':<{width}}  {numbers['clean']:8.3f}",
        *(f"{name:<{width}}  {value:8.3f}" for name, value in numbers["attacks"].items()),
        f"{'worst case':<{width}}  {numbers['worst_case']:8.3f}   "
        f"(95 % interval {low:.3f} to {high:.3f})",
        "",
        f"{'class':<{width}}  {'clean':>8}  {'worst':>8}  {'support':>8}",
        *(
            f"{label!s:<{width}}  {row['clean']:8.3f}  {row['worst_case']:8.3f}  "
            f"{row['support']:8d}"
            for label, row in numbers["per_class"].items()
        ),
        "",
    ]
    if numbers["trusted"]:
        lines.append("No sign of gradient masking. A finite attack still finds an upper bound.")
    else:
        lines.append("Do not trust this number:")
        lines += [f"- {name}: {sign}" for name, sign in numbers["warnings"].items()]
    return "\n".join(lines)
