"""The fast gradient sign method."""

from ._gradient import GradientAttack

__all__ = ["FGSM"]


class FGSM(GradientAttack):
    """Fast gradient (sign) method: one step of full length.

    Parameters
    ----------
    estimator : classifier, default=None
        What ``fit`` fits and ``transform`` attacks; None means LogisticRegression. Wrap a
        fitted one in :class:`sklearn.frozen.FrozenEstimator` to keep it as it is.
    eps : float or array of the samples' shape, default=None
        Radius of the ball in the units of X; one number a feature makes an uneven ball. None
        means 8/255 for linf; l2 and l1 must be told.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the ball (``np.inf``, 2 and 1 mean the same).
    bounds : "auto", None or (low, high), default="auto"
        Box of the data. "auto" is (0, 1) if all of X lies inside it, else no box.
    mask : bool array of the samples' shape, default=None
        Features that may move; None means all.
    integer : bool array of the samples' shape or indices, default=None
        Features that are kept on integers: the model sees every point rounded toward the
        clean sample.
    targeted : bool, default=False
        Whether ``y`` holds the classes to reach.
    loss : str or callable, default="cross_entropy"
        "cross_entropy", "margin" (the papers' C&W objective), "scaled_cross_entropy", "dlr",
        "targeted_dlr", "kl" (whose gradient is zero at clean samples: it needs an attack with a
        random start), or ``loss(z, y) -> (n,)``.
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
    BIM : Several smaller steps.
    PGD : Several steps from a random start.

    Notes
    -----
    ``x + eps * sign(grad_x loss)`` for linf; for l2 and l1 the step of length eps along the
    steepest direction of that norm.

    References
    ----------
    Goodfellow, Shlens, Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import FGSM
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> X_adv = FGSM(eps=0.5).generate(model, X, y)
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
        self.targeted = targeted
        self.loss = loss
        self.batch_size = batch_size
        self.on_nan = on_nan
        self.random_state = random_state
        self.verbose = verbose

    def _relative_step(self, batch):
        return 1.0
