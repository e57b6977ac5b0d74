"""The fast gradient sign method."""

from __future__ import annotations

from ._batch import AttackBatch
from ._gradient import GradientAttack
from ._parameters import attack_class

__all__ = ["FGSM"]


@attack_class
class FGSM(GradientAttack):
    """Fast gradient (sign) method: one step of full length.

    Parameters
    ----------
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
    %(targeted)s
    %(loss)s
    %(settings)s

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

    def relative_step(self, batch: AttackBatch) -> float:
        """Whole radius.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.

        Returns
        -------
        step : float
            Always 1.
        """
        return 1.0
