"""Iterated gradient attacks without a random start."""

import torch

from .._functional import flat_norm
from ._gradient import GradientAttack

__all__ = ["BIM", "MIFGSM"]


class BIM(GradientAttack):
    """Basic iterative method: projected gradient ascent from the sample itself.

    Parameters
    ----------
    estimator : classifier, default=None
        What ``fit`` fits and ``transform`` attacks; None means LogisticRegression.
    eps : float or array of the samples' shape, default=None
        Radius of the ball in the units of X; None means 8/255 for linf.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the ball.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data.
    mask : bool array of the samples' shape, default=None
        Features that may move; None means all.
    integer : bool array of the samples' shape or indices, default=None
        Features that are kept on integers: the model sees every point rounded toward the
        clean sample.
    max_iter : int, default=10
        Number of steps.
    step_size : float, default=None
        Length of a step in the norm, None means ``2.5 * eps / max_iter``. With one eps a
        feature it is scaled as the largest eps is.
    targeted : bool, default=False
        Whether ``y`` holds the classes to reach.
    loss : str or callable, default="cross_entropy"
        As for :class:`FGSM`.
    batch_size : int, default=None
        Rows attacked together; None fits the cache.
    on_nan : {"raise", "robust"}, default="raise"
        What to make of NaN logits: an error that names the sample, or a point withstood.
    random_state : int, RandomState or None, default=None
        Unused by an attack without a random start.
    verbose : int, default=0
        Whether to show a progress bar.

    See Also
    --------
    PGD : The same from a random start, with restarts.

    References
    ----------
    Kurakin, Goodfellow, Bengio, "Adversarial machine learning at scale", ICLR 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import BIM
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> X_adv = BIM(eps=1.0, norm="l2").generate(model, X, y)
    >>> bool(model.score(X_adv, y) < model.score(X, y))
    True
    """

    def __init__(
        self,
        estimator=None,
        *,
        eps=None,
        norm="linf",
        bounds="auto",
        mask=None,
        integer=None,
        max_iter=10,
        step_size=None,
        targeted=False,
        loss="cross_entropy",
        batch_size=None,
        on_nan="raise",
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.eps = eps
        self.norm = norm
        self.bounds = bounds
        self.mask = mask
        self.integer = integer
        self.max_iter = max_iter
        self.step_size = step_size
        self.targeted = targeted
        self.loss = loss
        self.batch_size = batch_size
        self.on_nan = on_nan
        self.random_state = random_state
        self.verbose = verbose


class MIFGSM(BIM):
    """Momentum iterative method: climb a decaying sum of normalised gradients.

    Parameters
    ----------
    estimator : classifier, default=None
        What ``fit`` fits and ``transform`` attacks; None means LogisticRegression.
    eps : float or array of the samples' shape, default=None
        Radius of the ball in the units of X; None means 8/255 for linf.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the ball.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data.
    mask : bool array of the samples' shape, default=None
        Features that may move; None means all.
    integer : bool array of the samples' shape or indices, default=None
        Features that are kept on integers: the model sees every point rounded toward the
        clean sample.
    max_iter : int, default=10
        Number of steps.
    step_size : float, default=None
        Length of a step; None means ``2.5 * eps / max_iter``.
    decay : float, default=1.0
        Share of the last momentum that is kept.
    targeted : bool, default=False
        Whether ``y`` holds the classes to reach.
    loss : str or callable, default="cross_entropy"
        As for :class:`FGSM`.
    batch_size : int, default=None
        Rows attacked together; None fits the cache.
    on_nan : {"raise", "robust"}, default="raise"
        What to make of NaN logits: an error that names the sample, or a point withstood.
    random_state : int, RandomState or None, default=None
        Unused by an attack without a random start.
    verbose : int, default=0
        Whether to show a progress bar.

    Notes
    -----
    ``m <- decay * m + g / ||g||_1``, then a step along ``m`` that is steepest in the norm.

    References
    ----------
    Dong et al., "Boosting adversarial attacks with momentum", CVPR 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import MIFGSM
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> X_adv = MIFGSM(eps=0.5).generate(model, X, y)
    >>> bool(model.score(X_adv, y) < model.score(X, y))
    True
    """

    def __init__(
        self,
        estimator=None,
        *,
        eps=None,
        norm="linf",
        bounds="auto",
        mask=None,
        integer=None,
        max_iter=10,
        step_size=None,
        decay=1.0,
        targeted=False,
        loss="cross_entropy",
        batch_size=None,
        on_nan="raise",
        random_state=None,
        verbose=0,
    ):
        super().__init__(
            estimator,
            eps=eps,
            norm=norm,
            bounds=bounds,
            mask=mask,
            integer=integer,
            max_iter=max_iter,
            step_size=step_size,
            targeted=targeted,
            loss=loss,
            batch_size=batch_size,
            on_nan=on_nan,
            random_state=random_state,
            verbose=verbose,
        )
        self.decay = decay

    def _direction(self, grad, memory):
        size = flat_norm(grad, 1).clamp_min(torch.finfo(grad.dtype).tiny)
        grad = grad / size.reshape(-1, *[1] * (grad.ndim - 1))
        memory = grad if memory is None else self.decay * memory + grad
        return memory, memory
