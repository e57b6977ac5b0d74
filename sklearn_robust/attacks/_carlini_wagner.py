"""Carlini and Wagner's attack."""

import torch

from .. import _functional as F
from .. import _validation as check
from .._functional import ascent_gradient
from ._minimum_norm import MinimumNormAttack
from ._norms import LinfBall, column

__all__ = ["CarliniWagner"]

_DECAY = (0.9, 0.999)  # of Adam's mean gradient and mean square
_RATE = 0.1  # first step, as a share of the distance to the boundary
_N_CANDIDATES = 10  # classes whose boundary is looked at before the first step
_TINY = 1e-30


class CarliniWagner(MinimumNormAttack):
    """Minimise distance plus a penalty for not fooling, balanced for each sample by bisection.

    Parameters
    ----------
    estimator : classifier, default=None
        What ``fit`` fits and ``transform`` attacks; None means LogisticRegression.
    eps : float or array of the samples' shape, default=None
        Greatest distance that counts as success; None for no limit. One number a feature also
        stretches the norm.
    norm : {"l2", "linf"}, default="l2"
        Norm of the distance.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data.
    mask : bool array of the samples' shape, default=None
        Features that may move; None means all.
    integer : bool array of the samples' shape or indices, default=None
        Features that are kept on integers.
    max_iter : int, default=100
        Number of Adam steps of each of the ``n_searches``.
    step_size : float, default=None
        First step of each feature, in the units of X; the steps shrink to zero during a search.
        None sets it for each sample from the distance to the boundary of the linearised model.
    n_searches : int, default=6
        Number of minimisations, each with another balance.
    targeted : bool, default=False
        Whether ``y`` holds the classes to reach.
    batch_size : int, default=None
        Rows attacked together; None fits the cache.
    on_nan : {"raise", "robust"}, default="raise"
        What to make of NaN logits: an error that names the sample, or a point withstood.
    random_state : int, RandomState or None, default=None
        Unused: nothing is random.
    verbose : int, default=0
        Whether to show a progress bar.

    See Also
    --------
    PGD : With ``loss="margin"`` it is the attack inside a ball that is also called C&W.
    FAB : Usually nearer for the same cost.

    Notes
    -----
    l2 minimises ``||d||^2 + c max(S(x + d), 0)`` with the margin S; c is bisected. linf
    minimises ``sum_i max(|d_i| - t, 0) + c max(S(x + d), 0)``; the threshold t is bisected. All
    searches start where a linear model would have its nearest boundary, with the balance that
    suits it, so that neither the scale of the logits nor that of the data matters. The box is
    kept by projection: a pixel that is black or white moves as freely as any other.

    ``generate`` returns the nearest adversarial point found and, where there is none, the clean
    sample. ``evaluate`` gives ``distance``, infinite where nothing was found. With ``eps`` it
    ends a sample's search at the first success within eps.

    References
    ----------
    Carlini, Wagner, "Towards evaluating the robustness of neural networks", IEEE S&P 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import CarliniWagner
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> result = CarliniWagner(max_iter=30).evaluate(model, X, y)
    >>> bool(result.fooled.all())
    True
    """

    def __init__(
        self,
        estimator=None,
        *,
        eps=None,
        norm="l2",
        bounds="auto",
        mask=None,
        integer=None,
        max_iter=100,
        step_size=None,
        n_searches=6,
        targeted=False,
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
        self.n_searches = n_searches
        self.targeted = targeted
        self.batch_size = batch_size
        self.on_nan = on_nan
        self.random_state = random_state
        self.verbose = verbose

    def _check_parameters(self):
        super()._check_parameters()
        if check.check_norm(self.norm) == "l1":
            raise ValueError("norm is 'l1'; CarliniWagner knows 'l2' and 'linf' (FAB knows 'l1').")

    def _find_nearest(self, batch, search):
        balance = TradeoffConstant(batch, search, self.step_size)
        for _ in range(self.n_searches):
            rows = batch.rows()
            rows = rows[search.unfinished(rows)]
            if not len(rows):
                return
            self._minimise(batch, search, balance, rows)
            search.polish()
            balance.adjust(rows, -search.result.loss[rows])

    def _minimise(self, batch, search, balance, rows):
        """Search once, in units in which the ball is round, and tell ``balance`` of successes."""
        ball, x = search.ball, batch.x[rows]
        u, mean, power = balance.start[rows], torch.zeros_like(x), torch.zeros_like(x)
        balance.found[rows] = torch.inf
        for step in range(self.max_iter):
            x_adv = (x + ball.eps * u).requires_grad_(True)
            z = batch.forward(x_adv, rows)
            hit = search.note(rows, x_adv, z)
            grad = ball.eps * ascent_gradient(search.worth(z, rows), x_adv)
            balance.note(rows, hit, ball.size(x_adv.detach() - x))
            slope = balance.slope(rows, u, grad, hit)
            mean = _DECAY[0] * mean + (1 - _DECAY[0]) * slope
            power = _DECAY[1] * power + (1 - _DECAY[1]) * balance.power(slope)
            scale = (power / (1 - _DECAY[1] ** (step + 1))).sqrt().clamp_min(_TINY)
            rate = column(balance.step[rows], x) * (1 - step / self.max_iter)
            move = rate / (1 - _DECAY[0] ** (step + 1)) * mean / scale
            u = (batch.box.clamp(x + ball.eps * (u - move)) - x) * ball.inverse
            going = search.unfinished(rows)
            if not going.all():
                rows, x, u, mean, power = (v[going] for v in (rows, x, u, mean, power))
                if not len(rows):
                    return


class TradeoffConstant:
    """What weighs distance against success, for each sample: ``c`` in l2, ``t`` in linf.

    Attributes
    ----------
    start : tensor of shape (n, ...)
        Where the linearised model has its nearest boundary; the searches start there.
    step : tensor of shape (n,)
        First step of each feature.
    value, low, high : tensors of shape (n,)
        The balance and the bracket it is bisected in.
    found : tensor of shape (n,)
        Least distance at which the current search succeeded.
    """

    def __init__(self, batch, search, step_size):
        rows = batch.rows()
        x = batch.x.detach().requires_grad_(True)
        z = batch.forward(x, rows)
        batch.known = z.detach()
        search.note(rows, x, z)
        others = (
            None if batch.targeted else F.competing_classes(batch.known, batch.y)[:, :_N_CANDIDATES]
        )
        gap, grad = search.nearest(search.gaps(z, rows, others), x)
        gain, slope = (-gap).clamp_min(0), search.ball.slope(grad).clamp_min(_TINY)
        self.search = search
        self.linf = isinstance(search.ball, LinfBall)
        self.start = (
            search.ball.reach(grad, gain, batch.box.room(batch.x, grad)) * search.ball.inverse
        )
        distance = search.ball.size(self.start * search.ball.eps).clamp_min(_TINY)
        self.step_size = step_size
        self.step = torch.zeros_like(distance)
        self.pace(rows, distance)
        n_free = search.ball.free.expand(x.shape[1:]).sum()
        self.weight = 2 * n_free / slope  # of success in linf: most features follow it
        self.value = 1.5 * distance if self.linf else 4 * distance / slope
        self.most = 0.97 * search.limit if self.linf else torch.inf  # a wider way leads too far
        self.value = self.value.clamp_max(self.most)
        self.low, self.high = torch.zeros_like(gap), torch.full_like(gap, torch.inf)
        self.found = torch.full_like(gap, torch.inf)

    def pace(self, rows, distance):
        """Fit the steps to the distance that the search is about."""
        all_move = self.search.ball.eps.expand(self.start.shape[1:])[None]
        step = _RATE * distance / self.search.ball.size(all_move).clamp_min(_TINY)
        self.step[rows] = step if self.step_size is None else self.step_size

    def slope(self, rows, u, grad, hit):
        """Gradient of what is minimised."""
        value = column(self.value[rows], u)
        lack = column(~hit, u) * grad
        if self.linf:
            return u.sign() * (u.abs() > value) - column(self.weight[rows], u) * lack
        return 2 * u - value * lack

    def power(self, slope):
        """Square that scales the steps: feature by feature in linf, of the whole sample in l2."""
        square = slope**2
        return square if self.linf else column(square.flatten(1).mean(1), slope)

    def note(self, rows, hit, length):
        """Remember the nearest success of a search."""
        self.found[rows] = torch.where(hit, length, torch.inf).minimum(self.found[rows])

    def adjust(self, rows, best):
        """Bisect: less weight on success where the search succeeded, more where it failed."""
        value, low, high, found = (v[rows] for v in (self.value, self.low, self.high, self.found))
        best = best.to(value)
        if self.linf:
            high = high.minimum(best)
            low = torch.where(found <= 1.02 * value, low, value)
            value = torch.where(low > 0, (low + high) / 2, 0.9 * high)
            value = torch.where(high < torch.inf, value, 2 * low)
        else:
            success = found < torch.inf
            high, low = torch.where(success, value, high), torch.where(success, low, value)
            value = torch.where(low > 0, (low * high).sqrt(), high / 4)
            value = torch.where(high < torch.inf, value, 4 * low)
        self.value[rows] = value.clamp_max(self.most)
        self.low[rows], self.high[rows] = low, high
        reached = best < torch.inf
        self.pace(rows[reached], best[reached])
