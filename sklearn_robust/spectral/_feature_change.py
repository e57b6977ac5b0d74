"""How much the features of each layer change when the input does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch
from torch import Tensor

from .. import _validation as check
from .._functional import flat_norm
from .._random import RowNoise, seed_of
from ..attacks import PGD
from ..attacks._arrays import batches_of
from ..attacks._base import BaseAttack
from ..differentiable import DifferentiableModel, open_model
from ._features import FeatureReader, hidden_layers
from ._modules import own_dtype
from ._trace import trace_of

__all__ = ["feature_change_report"]


def feature_change_report(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    attack: Any = None,
    n_directions: int = 8,
    noise: str = "sphere",
    layers: str | Sequence[str] | None = None,
    samples: bool = False,
    batch_size: int | None = None,
    random_state: int | np.random.RandomState | None = 0,
    verbose: int = 0,
) -> Bunch:
    """Change of the features of every layer, under attack and in random directions.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline or torch.nn.Module
        Model to measure.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : array-like of shape (n_samples,), optional
        True labels; without them the predicted labels are attacked.
    attack : attack, default=None
        Gives the perturbed samples; None is ``PGD(random_state=0)``, of eps 8/255. Models can
        only be compared under the same attack, not each under the one it was trained with.
    n_directions : int, default=8
        Number of random perturbations of each sample, each of the same l2 norm as the attack's.
    noise : {"sphere", "sign"}, default="sphere"
        Random directions: uniform on the sphere, or random signs. The box of the data is ignored.
    layers : str or list of str, optional
        Names of modules; None means all linear layers.
    samples : bool, default=False
        Whether to keep the change of every sample.
    batch_size : int, default=None
        Samples computed together; None chooses a number that fits the cache.
    random_state : int, RandomState or None, default=0
        Seed of the directions.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    report : Bunch
        Columns with one entry per layer, in the order of the run, ready for
        ``pandas.DataFrame(report)``: ``name``, ``type``, and each both as ``adversarial_...`` and
        as ``random_...``

        - ``mean``, ``std``, ``median``, ``max`` over the samples of the change D = ||h(x') - h(x)||
          (random: of its mean over the directions);
        - ``relative``, the mean of D / ||h(x)||, the one to compare models on;
        - ``gain``, the mean of D / ||x' - x||, and ``local_gain``, of D over the change of the
          layer before; each with its standard deviation over the samples, ``relative_std`` and so
          on.

        ``random_variance`` is the mean over samples of the variance of D over the directions,
        ``anisotropy`` the ratio of the two means, 1 if all directions count alike. ``n_dead``
        counts samples without any activity, left out of ``relative``. With ``samples``,
        ``adversarial`` holds D of shape (n_samples,) for each layer and ``random`` of shape
        (n_samples, n_directions).

    Raises
    ------
    ValueError
        If no such layer exists, the model has no linear layer, or the attack moves no sample.

    See Also
    --------
    layer_spectra : The gain of each layer by itself.
    sklearn_robust.plotting.FeatureChangeDisplay : Draws it.

    Notes
    -----
    Following [1]_: robust training makes the changes of features smaller and more alike in all
    directions at most layers. Absolute changes shrink with the scale of a layer, too; so compare
    models by ``relative`` and ``anisotropy``.

    References
    ----------
    .. [1] Y. Wen, S. Li and K. Jia, "Towards understanding the regularization of adversarial
       robustness on neural networks", ICML 2020.

    Examples
    --------
    >>> from sklearn_robust import NaturalNet
    >>> from sklearn_robust.attacks import PGD
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.spectral import feature_change_report
    >>> X, y = load_moons(200, random_state=0)
    >>> net = NaturalNet(max_epochs=20, random_state=0).fit(X, y)
    >>> report = feature_change_report(net, X, y, attack=PGD(eps=0.05, random_state=0))
    >>> report.name
    ['features.1', 'features.3', 'classifier']
    >>> bool(report.anisotropy[-1] > 1)
    True
    """
    check.validate(locals(), samples=check.check_flag, n_directions=check.check_count)
    check.check_count("n_directions", n_directions)
    check.check_choice("noise", noise, ["sphere", "sign"])
    attack = PGD(random_state=0) if attack is None else check.check_attack(attack)
    opened = open_model(estimator)
    X = check.check_samples(X, of=opened.estimator)
    model = opened.module
    names = _choose(model, X, layers)
    target = opened if isinstance(attack, BaseAttack) else opened.estimator
    X_adv = attack.generate(target, X, y)
    seed, parts = seed_of(random_state), []
    reader = FeatureReader(model, list(names))
    with torch.no_grad():
        for rows in batches_of(X, batch_size, model.device, verbose, "feature changes"):
            x, x_adv = (model.tensor(part[rows]).to(own_dtype(model)) for part in (X, X_adv))
            parts.append(_changes(reader, x, x_adv, n_directions, noise, seed))
    columns = zip(*parts, strict=True)
    size, step, adversarial, random = (np.concatenate(part, -1) for part in columns)
    if not step.any():
        raise ValueError(f"The attack moved no sample: give it an eps above 0, not {attack}.")
    report = Bunch(name=list(names), type=list(names.values()))
    _fill(report, "adversarial", adversarial, size, step)
    _fill(report, "random", random.mean(1), size, step)
    report.random_variance = random.var(1).mean(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        report.anisotropy = report.adversarial_mean / report.random_mean
    report.n_dead = (size == 0).sum(1)
    if samples:
        report.adversarial = list(adversarial)
        report.random = list(random.swapaxes(1, 2))
    return report


def _choose(
    model: DifferentiableModel, X: NDArray[Any], layers: str | Sequence[str] | None
) -> dict[str, str]:
    """Names and classes of the modules to measure."""
    trace = trace_of(model, model.tensor(X[:2]).to(own_dtype(model)))
    if layers is None:
        found = hidden_layers(trace)
        if not found:
            names = [call.name for call in trace.calls]
            choice = f"name some of {names} as layers" if names else "give a network of layers"
            raise ValueError(f"{model.name} has no linear layer whose features change: {choice}.")
        return found
    layers = (
        [layers]
        if isinstance(layers, str)
        else check.check_names("layers", layers, "a list of layers' names, or None")
    )
    known = {call.name: type(call.module).__name__ for call in trace.calls}
    unknown = [name for name in layers if name not in known]
    if unknown:
        raise ValueError(
            f"layers has {unknown}, which {model.name} lacks; choose from {list(known)}."
        )
    return {name: known[name] for name in layers}


def _changes(
    reader: FeatureReader, x: Tensor, x_adv: Tensor, n_directions: int, noise: str, seed: int
) -> list[NDArray[Any]]:
    """Sizes (n_layers, n) of the features and (n,) of the step, and the changes.

    The adversarial changes have shape (n_layers, n), the random ones (n_layers, n_directions, n).
    """
    clean = reader(x)

    def change(moved: Tensor) -> Tensor:
        features = reader(moved)
        gaps = [flat_norm(features[name] - h, 2) for name, h in clean.items()]
        return torch.stack(gaps).double().cpu()

    step = flat_norm((x_adv - x).double(), 2)
    source = RowNoise(seed, x)
    moves = []
    for stream in range(n_directions):
        d = source.normal(x, stream)
        d = d.sign() if noise == "sign" else d
        length = step.to(d) / flat_norm(d, 2)
        moves.append(change(x + length.reshape(-1, *[1] * (x.ndim - 1)) * d))
    size = torch.stack([flat_norm(h, 2) for h in clean.values()]).double().cpu()
    results = size, step.cpu(), change(x_adv), torch.stack(moves, 1)
    return [result.numpy() for result in results]


def _fill(
    report: Bunch, kind: str, change: NDArray[Any], size: NDArray[Any], step: NDArray[Any]
) -> None:
    """Write the columns of one kind of perturbation from the changes (n_layers, n)."""
    report[f"{kind}_mean"] = change.mean(1)
    report[f"{kind}_std"] = change.std(1)
    report[f"{kind}_median"] = np.median(change, 1)
    report[f"{kind}_max"] = change.max(1)
    before = np.concatenate([step[None], change[:-1]])
    for name, base in (("relative", size), ("gain", step), ("local_gain", before)):
        ratio = np.divide(change, base, out=np.full(change.shape, np.nan), where=base > 0)
        known = [row[~np.isnan(row)] for row in ratio]
        report[f"{kind}_{name}"] = np.array([row.mean() if len(row) else np.nan for row in known])
        spread = [row.std() if len(row) else np.nan for row in known]
        report[f"{kind}_{name}_std"] = np.array(spread)
