"""What an attack meets on its way: how long a sample holds out, and when it may stop."""

import torch

from ...attacks._gradient import GradientAttack

__all__ = ["Trajectory", "check_one_run"]


class Trajectory:
    """Count the correct iterates of each sample, and let samples stop soon after an error.

    An ``observe`` of an attack's ``perturb``: it reads the forward pass that gives the gradient,
    before the step, and costs none of its own.

    Parameters
    ----------
    y : tensor of shape (n,)
        Class codes.
    first : bool
        Whether kappa ends at the first misclassified iterate; else correct ones count later too.
    tau : int or None
        Steps that a sample still takes after an error; None lets none stop.
    also : callable or None
        Another observer, told the same.

    Attributes
    ----------
    kappa : tensor of shape (n,)
        Correct iterates so far, as floats.
    """

    def __init__(self, y, *, first=False, tau=None, also=None):
        self.y, self.first, self.tau, self.also = y, first, tau, also
        self.kappa = torch.zeros(len(y), device=y.device)
        self.errors = torch.zeros_like(self.kappa)

    def __call__(self, step, rows, z, x_adv):
        """Count the iterates of ``rows``; return which of them have come to their end."""
        if self.also is not None:
            self.also(step, rows, z, x_adv)
        right = z.argmax(1) == self.y[rows]
        self.kappa[rows] += right & (self.errors[rows] == 0) if self.first else right
        self.errors[rows] += ~right
        return None if self.tau is None else self.errors[rows] > self.tau


def check_one_run(who, purpose, attack):
    """Raise unless an attack is one run of gradient steps, which can be observed."""
    if not isinstance(attack, GradientAttack) or attack.n_restarts > 1:
        raise ValueError(
            f"{who} {purpose} along one run of gradient steps and cannot use attack={attack!r}; "
            "give PGD or BIM with n_restarts=1."
        )
