"""Base of all attacks: arrays outside, tensors inside."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch

from .. import _validation as check
from .._norms import Bounds, Box
from .._random import RowNoise, seed_of
from .._units import check_units
from ..differentiable import Model, open_model
from ..differentiable._state import records, seeded
from ..exceptions import ZeroGradientWarning
from ._arrays import batches_of
from ._batch import AttackBatch
from ._cache import KeptEntry
from ._columns import ColumnsOfTable
from ._losses import describe_loss
from ._parameters import attack_class
from ._result import AttackResult
from ._transformer import AttackTransformer

__all__ = ["BaseAttack"]


@attack_class
class BaseAttack(ColumnsOfTable, AttackTransformer):
    """Base of all attacks: validation, batches and random numbers around ``run``.

    A subclass writes ``run(batch)``, which returns an ``AttackResult``. Its class attribute
    ``needs_gradient`` says whether it asks for gradients or for scores alone, and
    ``supported_norms`` names the norms that it knows, None for any.

    Parameters
    ----------
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
    %(settings)s

    Attributes
    ----------
    threat_model : ThreatModel
        How samples may move, by the parameters.

    See Also
    --------
    GradientAttack : Base of attacks that climb a gradient.

    Examples
    --------
    An attack that tries random points of the ball:

    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_robust.attacks import BaseAttack
    >>> from sklearn_robust.metrics import robust_score
    >>> class RandomSearch(BaseAttack):
    ...     needs_gradient = False
    ...     def run(self, batch):
    ...         result, rows = batch.result(), batch.rows()
    ...         for draw in range(10):
    ...             x_adv = batch.x + batch.ball.sample(batch.noise, batch.x, draw)
    ...             z = batch.forward(batch.box.clamp(x_adv), rows)
    ...             fooled = batch.fooled(z, rows)
    ...             result.record(rows, x_adv, fooled.double(), fooled)
    ...         return result
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RandomForestClassifier(10, random_state=0).fit(X, y)
    >>> attack = RandomSearch(eps=0.5, random_state=0)
    >>> bool(robust_score(model, X, y, attack=attack) < model.score(X, y))
    True
    """

    estimator: Any = field(default=None, kw_only=False)
    eps: Any = None
    norm: Any = "linf"
    bounds: Any = "auto"
    mask: Any = None
    integer: Any = None
    increasing: Any = None
    categorical: Any = None
    max_flips: int | None = None
    relations: Any = None
    batch_size: int | None = None
    on_nan: str = "raise"
    random_state: Any = None
    verbose: int = 0

    # -- arrays -----------------------------------------------------------------------------

    @records
    def generate(
        self, estimator: Any, X: ArrayLike, y: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Perturb every sample with all ``max_iter`` steps.

        Parameters
        ----------
        estimator : fitted classifier
            What to attack.
        X : array-like of shape (n_samples, ...)
            Clean samples.
        y : array-like of shape (n_samples,), optional
            True labels, or the classes to reach when ``targeted``. Without it the predicted
            labels are attacked.

        Returns
        -------
        X_adv : array of shape (n_samples, ...), float32
            Perturbed samples, inside ball and box also after rounding to float32.
        """
        self.check_parameters()
        model = open_model(estimator, X, self.column_params())
        samples = model.read(X)
        attack = self.on_columns(model)
        bounds = check.check_bounds(attack.bounds, samples)
        return model.decode(attack._generate(model, samples, y, bounds), slice(None))

    def _generate(
        self, model: Model, X: NDArray[np.float32], y: ArrayLike | None, bounds: Bounds
    ) -> NDArray[np.float32]:
        codes = self._codes(model, X, y)
        flags = self._generating(model) | {"table": model.table}
        result = AttackResult.join(self._results(self.logits_of(model), X, codes, bounds, **flags))
        self._warn_of_stuck(int(self._stuck(result).sum()), len(result.fooled))
        return _array(result.x_adv)

    def _generating(self, model: Model) -> dict[str, Any]:
        """Return flags of the batches of ``generate``, which leaves successes unconfirmed."""
        return {}

    def _confirm(self, model: Model) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Make the function that asks the estimator itself whether points are adversarial."""

        def confirm(x_adv: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
            agreed = model.predict_codes(_array(x_adv)) == wanted.cpu().numpy()
            return torch.as_tensor(agreed == self.targeted, device=x_adv.device)

        return confirm

    @records
    def evaluate(self, estimator: Any, X: ArrayLike, y: ArrayLike | None = None) -> Bunch:
        """Attack until fooled, and let the estimator itself confirm every success.

        Parameters
        ----------
        estimator : fitted classifier
            What to attack.
        X : array-like of shape (n_samples, ...)
            Clean samples.
        y : array-like of shape (n_samples,), optional
            True labels (a clean error counts as fooled), or the classes to reach when
            ``targeted``. Without it the predicted labels are attacked.

        Returns
        -------
        result : Bunch
            One entry per sample: ``X_adv`` (the first successful point, else the best one
            found), ``fooled`` (bool, by ``estimator.predict``), ``distance`` (how far it went in
            ``norm``; inf where nothing was found), ``n_queries`` (forward passes), ``loss``
            (the objective at ``X_adv``).
        """
        self.check_parameters()
        model = open_model(estimator, X, self.column_params())
        samples = model.read(X)
        attack = self.on_columns(model)
        bounds = check.check_bounds(attack.bounds, samples)
        result = attack._evaluate(model, samples, attack._codes(model, samples, y), bounds)
        stuck = result.pop("stuck")
        attack._warn_of_stuck(int(stuck.sum()), len(stuck))
        result.X_adv = model.decode(result.X_adv, slice(None))
        return result

    def _evaluate(
        self,
        model: Model,
        X: NDArray[np.float32],
        codes: NDArray[np.int64],
        bounds: Bounds,
        *,
        checked: bool = False,
        index: NDArray[np.int64] | None = None,
        keep: KeptEntry | None = None,
    ) -> Bunch:
        """Evaluate with an opened model, checked samples, class codes and the box of the call.

        ``checked`` says that no clean sample counts as fooled; errors name samples by ``index``.
        What members of a cascade find is kept by ``keep``. ``stuck`` of the result says which
        samples stayed for want of a gradient.
        """
        flags: dict[str, Any] = {
            "stop": True,
            "checked": checked,
            "confirm": self._confirm(model),
            "native": model.native,
            "table": model.table,
        }
        data = (self.logits_of(model), X, codes, bounds)
        result = AttackResult.join(self._results(*data, index=index, keep=keep, **flags))
        X_adv, fooled = _array(result.x_adv), result.fooled.cpu().numpy()
        moved = X_adv if model.table is None else np.where(model.table.still, X, X_adv)
        return Bunch(
            X_adv=X_adv,
            fooled=fooled,
            distance=np.where(fooled, self.threat_model.distance(moved, X), np.inf),
            n_queries=result.n_queries.cpu().numpy(),
            loss=result.loss.cpu().numpy(),
            stuck=self._stuck(result).cpu().numpy(),
        )

    def logits_of(self, model: Model) -> Any:
        """Choose what to ask for logits: a model without a gradient gives scores alone.

        Parameters
        ----------
        model : Model
            As of ``open_model``.

        Returns
        -------
        logits : callable
            Maps a tensor of samples to logits.

        Raises
        ------
        NotDifferentiableError
            If the attack needs a gradient and the model has none.
        """
        return model.guide if self.needs_gradient else model.scores

    def _codes(
        self, model: Model, X: NDArray[np.float32], y: ArrayLike | None
    ) -> NDArray[np.int64]:
        """Class codes of the labels, or the predicted ones, of checked samples."""
        self.logits_of(model)  # a model without a gradient is refused first
        check.check_sample_shape(X, model.input_shape, model.name)
        self.threat_model.check_resolution(X)
        check_units(self.threat_model, X, default=self.has_default_radius)
        if y is None:
            if self.targeted:
                raise ValueError("A targeted attack needs y, the class that each sample goes to.")
            return model.predict_codes(X)
        return model.label_codes(X, y)

    def _results(
        self,
        logits: Any,
        X: NDArray[np.float32],
        codes: NDArray[np.int64],
        bounds: Bounds,
        *,
        keep: KeptEntry | None = None,
        **flags: Any,
    ) -> Iterator[AttackResult] | list[AttackResult]:
        """Results of one batch after the other; a cascade keeps those of its members."""
        seed = seed_of(self.random_state)
        return self._batches(self._attack, logits, X, codes, bounds, seed, **flags)

    def _batches(
        self,
        attack: Callable[[AttackBatch], AttackResult],
        logits: Any,
        X: NDArray[np.float32],
        codes: NDArray[np.int64],
        bounds: Bounds,
        seed: int,
        *,
        index: NDArray[np.int64] | None = None,
        label: str = "",
        **flags: Any,
    ) -> Iterator[AttackResult]:
        index = np.arange(len(X)) if index is None else index
        label = f"{type(self).__name__} {label}".rstrip()
        for rows in batches_of(X, self.batch_size, logits.device, self.verbose, label):
            x = logits.tensor(X[rows])
            batch = AttackBatch(
                logits=logits,
                x=x,
                y=torch.as_tensor(codes[rows], device=x.device),
                box=Box(bounds, x),
                noise=RowNoise(seed, x),
                index=torch.as_tensor(index[rows], device=x.device),
                on_nan=self.on_nan,
                **flags,
            )
            with seeded(logits, x, seed):
                result = attack(batch)
            yield result

    def _stuck(self, result: AttackResult) -> torch.Tensor:
        """Which samples stayed where they were for want of a gradient, bool of shape (n,)."""
        stuck = (result.has_gradient < 0) & ~result.fooled
        categories_alone = isinstance(self.mask, np.ndarray) and not self.mask.any()
        # NaN that counts as robust has no gradient, either.
        return stuck & (not categories_alone and self.on_nan == "raise")

    def _warn_of_stuck(self, n_stuck: int, n: int) -> None:
        """Tell of samples that stayed where they were."""
        if n_stuck:
            warnings.warn(
                f"{type(self).__name__} could not move {n_stuck} of {n} samples: "
                f"there the gradient of {self._zero_gradient_advice()}",
                ZeroGradientWarning,
                stacklevel=4,
            )

    def _zero_gradient_advice(self) -> str:
        """Say which loss has no gradient, and what may move the samples."""
        return (
            f"loss={describe_loss(self.loss)!r} is exactly zero, as on saturated predictions, "
            "which says nothing of robustness. Use WorstCase(), or loss='margin' or "
            "'scaled_cross_entropy'."
        )


def _array(x: torch.Tensor) -> NDArray[Any]:
    return x.cpu().numpy()
