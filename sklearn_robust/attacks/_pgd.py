"""Projected gradient descent."""

from ._gradient import GradientAttack

__all__ = ["PGD"]


class PGD(GradientAttack):
    """Projected gradient ascent on a loss, from a random point of the ball.

    ``PGD(loss="margin", random_start=False)`` is the attack that the papers call C&W.

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
    max_iter : int, default=10
        Number of steps.
    step_size : float, default=None
        Length of a step in the norm; None means ``2.5 * eps / max_iter``. With one eps a
        feature it is scaled as the largest eps is.
    n_restarts : int, default=1
        Number of runs; each sample keeps its best.
    random_start : bool, default=True
        Whether to start from a uniformly drawn point of the ball. Restarts always do.
    targeted : bool, default=False
        Whether ``y`` holds the classes to reach.
    loss : str or callable, default="cross_entropy"
        "cross_entropy", "margin" (the papers' C&W objective), "scaled_cross_entropy", "dlr",
        "targeted_dlr", "kl", or ``loss(z, y) -> (n,)``.
    batch_size : int, default=None
        Rows attacked together; None fits the cache.
    on_nan : {"raise", "robust"}, default="raise"
        What to make of NaN logits: an error that names the sample, or a point withstood.
    random_state : int, RandomState or None, default=None
        Seed of the starting points. A row's start depends on the seed and the row's values
        alone, not on its neighbours or its place.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    estimator_ : fitted classifier
        What ``transform`` attacks.
    bounds_ : tuple or None
        Box of the data seen in ``fit``.

    See Also
    --------
    FGSM : One step.
    WorstCase : The worst of several attacks for each sample.

    Notes
    -----
    Random starts are uniform in the ball; in l2 it is their length that is uniform. There the
    default path of 2.5 eps turns a start that points away from the gradient only so far: a linear
    model's margin falls by 96 to 100 % of what it could. ``random_start=False``, or more and
    longer steps (``max_iter=50, step_size=eps / 10``), gains the rest.

    Used as a step of a Pipeline the attack also acts at prediction time. To score robustness,
    attack in the scorer instead: :func:`sklearn_robust.metrics.make_robust_scorer`.

    References
    ----------
    Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import PGD
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> attack = PGD(FrozenEstimator(model), eps=0.5, random_state=0)
    >>> X_adv = attack.fit(X, y).transform(X)
    >>> bool(abs(X_adv - X.astype("float32")).max() <= 0.5)
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
        n_restarts=1,
        random_start=True,
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
        self.n_restarts = n_restarts
        self.random_start = random_start
        self.targeted = targeted
        self.loss = loss
        self.batch_size = batch_size
        self.on_nan = on_nan
        self.random_state = random_state
        self.verbose = verbose
