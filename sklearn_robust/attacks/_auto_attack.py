"""AutoAttack."""

from dataclasses import replace

from .. import _validation as check
from ._apgd import APGD
from ._fab import FAB
from ._square import Square
from ._worst_case import WorstCase

__all__ = ["AutoAttack"]


class AutoAttack(WorstCase):
    """AutoAttack: four attacks without parameters to tune, each on what the last one left.

    Parameters
    ----------
    estimator : classifier, default=None
        What ``fit`` fits and ``transform`` attacks; None means LogisticRegression.
    eps : float or array of the samples' shape, default=None
        Radius of the ball in the units of X; None means 8/255 for linf.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the ball.
    version : {"standard", "rand", "custom"}, default="standard"
        "standard": APGD on cross-entropy, APGD on the targeted DLR loss, FAB toward single
        classes (100 steps and 9 classes each), Square with 5000 queries. "rand", for models
        that draw random numbers: APGD on cross-entropy and on DLR, averaged over ``n_eot``
        draws. "custom": ``attacks``.
    attacks : list of attacks, default=None
        With ``version="custom"``: the cascade; ``eps`` and ``norm`` take the place of theirs.
    n_eot : int, default=20
        With ``version="rand"``: draws for each step.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data.
    mask : bool array of the samples' shape, default=None
        Features that may move; None means all.
    integer : bool array of the samples' shape or indices, default=None
        Features that are kept on integers.
    batch_size : int, default=None
        Rows attacked together; None fits the cache.
    on_nan : {"raise", "robust"}, default="raise"
        What to make of NaN logits: an error that names the sample, or a point withstood.
    random_state : int, RandomState or None, default=None
        Seed for the whole cascade.
    verbose : int, default=0
        Whether to show a progress bar for each attack.

    See Also
    --------
    WorstCase : Any attacks; quicker by default.
    sklearn_robust.metrics.robust_score : A thin shell over the verdict.

    Notes
    -----
    Works from two classes up: no more classes are aimed at than there are, and the DLR losses
    are plain margins where there are too few for their scale. A sample is done when it is fooled,
    also in ``generate``; a sample that withstands keeps the best point of the last attack.

    References
    ----------
    Croce, Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks", ICML 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import FGSM, AutoAttack
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> result = AutoAttack(eps=0.5, random_state=0).evaluate(model, X, y)
    >>> bool(result.fooled.mean() >= FGSM(eps=0.5).evaluate(model, X, y).fooled.mean())
    True
    """

    def __init__(
        self,
        estimator=None,
        *,
        eps=None,
        norm="linf",
        version="standard",
        attacks=None,
        n_eot=20,
        bounds="auto",
        mask=None,
        integer=None,
        batch_size=None,
        on_nan="raise",
        random_state=None,
        verbose=0,
    ):
        super().__init__(
            attacks,
            estimator=estimator,
            eps=eps,
            norm=norm,
            bounds=bounds,
            mask=mask,
            integer=integer,
            batch_size=batch_size,
            on_nan=on_nan,
            random_state=random_state,
            verbose=verbose,
        )
        self.version = version
        self.n_eot = n_eot

    def _given(self):
        given = super()._given()
        if self.eps is None:  # minimum-norm members would take None for no limit
            given["eps"] = float(check.check_eps(None, check.check_norm(self.norm), ()))
        return given

    def _chosen(self):
        if self.version == "standard":
            return [
                APGD(),
                APGD(loss="targeted_dlr"),
                FAB(n_target_classes=9),
                Square(max_iter=5000),
            ]
        if self.version == "rand":
            return [APGD(n_eot=self.n_eot), APGD(loss="dlr", n_eot=self.n_eot)]
        return super()._chosen()

    def _check_parameters(self):
        check.check_choice("version", self.version, ("standard", "rand", "custom"))
        if (self.version == "custom") != (self.attacks is not None):
            raise ValueError(
                f"version is {self.version!r} and attacks is {self.attacks!r}: attacks go with "
                "version='custom', and with no other."
            )
        super()._check_parameters()

    def _results(self, *data, **flags):
        return super()._results(*data, **flags | {"stop": True})

    def _attack(self, batch):
        return super()._attack(replace(batch, stop=True))
