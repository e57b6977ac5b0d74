"""DeepFool."""

import torch

from .. import _functional as F
from ._minimum_norm import MinimumNormAttack

__all__ = ["DeepFool"]

_STUCK = 0.1  # share of a step below which the box counts as having stopped it


class DeepFool(MinimumNormAttack):
    """Step to the nearest decision boundary of the linearised model until it is crossed.

    Parameters
    ----------
    estimator : classifier, default=None
        What ``fit`` fits and ``transform`` attacks; None means LogisticRegression.
    eps : float or array of the samples' shape, default=None
        Greatest distance that counts as success; None for no limit. One number a feature also
        stretches the norm.
    norm : {"l2", "linf", "l1"}, default="l2"
        Norm of the distance.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data.
    mask : bool array of the samples' shape, default=None
        Features that may move; None means all.
    integer : bool array of the samples' shape or indices, default=None
        Features that are kept on integers.
    max_iter : int, default=50
        Greatest number of steps.
    overshoot : float, default=0.02
        How far beyond the boundary to step, as a share of the clean sample's gap.
    n_candidates : int, default=10
        Number of classes considered, the likeliest of the clean sample.
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
    FAB : Finer and slower.
    CarliniWagner : By optimisation.

    Notes
    -----
    One step moves by the least amount, inside the box, that closes the gap z_y - z_k of the
    linearised model to the nearest of the boundaries k. For a linear model the first step is
    exact. A found point is drawn back along its line to the clean sample, so that the
    overshoot does not count.

    ``generate`` returns the nearest adversarial point found and, where there is none, the clean
    sample. ``evaluate`` gives ``distance``, infinite where nothing was found. With ``eps`` it
    ends a sample's search at the first success within eps.

    References
    ----------
    Moosavi-Dezfooli, Fawzi, Frossard, "DeepFool: a simple and accurate method to fool deep
    neural networks", CVPR 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import DeepFool
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> result = DeepFool(bounds=None).evaluate(model, X, y)
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
        max_iter=50,
        overshoot=0.02,
        n_candidates=10,
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
        self.overshoot = overshoot
        self.n_candidates = n_candidates
        self.targeted = targeted
        self.batch_size = batch_size
        self.on_nan = on_nan
        self.random_state = random_state
        self.verbose = verbose

    def _find_nearest(self, batch, search):
        self._walk(batch, search)
        search.polish()

    def _walk(self, batch, search):
        """Step until all samples are fooled or the steps are spent."""
        rows, x_adv = batch.rows(), batch.x
        others = extra = None
        for step in range(self.max_iter + 1):
            x_adv = x_adv.detach().requires_grad_(True)
            z = batch.forward(x_adv, rows)
            left = ~search.note(rows, x_adv, z)
            n_left = int(left.sum())
            if step == self.max_iter or not n_left:
                return
            if step == 0:
                batch.known = z.detach()
                if not batch.targeted:
                    others = F.competing_classes(batch.known, batch.y)[:, : self.n_candidates]
            gaps = search.gaps(z, rows, others)
            if gaps.shape[1] * (len(rows) - n_left) > n_left:
                # A forward of the samples left is cheaper than all backwards of those done.
                rows, x_adv = rows[left], x_adv.detach()[left].requires_grad_(True)
                gaps = search.gaps(batch.forward(x_adv, rows), rows, others)
                left = left[left]
            gap, grad = search.nearest(gaps, x_adv)
            if step == 0:
                extra = torch.zeros(len(batch.x)).to(gap).index_copy(0, rows, -self.overshoot * gap)
            rows, x_adv, gap, grad = (v[left] for v in (rows, x_adv.detach(), gap, grad))
            x_adv = self._step(batch, search, x_adv, grad, extra[rows] - gap)

    def _step(self, batch, search, x_adv, grad, gain):
        """Toward the plane, cut off by the box; several short steps end nearer than a long one."""
        d = search.ball.reach(grad, gain)
        ahead = batch.box.clamp(x_adv + d)
        room = batch.box.room(x_adv, grad)
        if room is None:
            return ahead
        stuck = search.ball.size(ahead - x_adv) < _STUCK * search.ball.size(d)
        if stuck.any():  # nearly all of the step led out: the features with room make up for it
            d = search.ball.reach(grad[stuck], gain[stuck], room[stuck])
            ahead[stuck] = batch.box.clamp(x_adv[stuck] + d)
        return ahead
