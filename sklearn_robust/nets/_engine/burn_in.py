"""Epochs before an objective takes effect."""

import numbers
import warnings

from ... import _validation as check

__all__ = ["burn_in_epochs", "check_burn_in", "check_burn_in_fits"]


def check_burn_in(burn_in):
    """Raise unless ``burn_in`` is a share of all epochs or a count."""
    if isinstance(burn_in, numbers.Integral):
        check.check_count("burn_in", burn_in, low=0)
    else:
        check.check_number("burn_in", burn_in, high=1)


def check_burn_in_fits(net, what, least=0):
    """Raise if one call of ``fit`` would end before the burn-in does; warn if with it.

    ``what`` would never happen; a burn-in of ``least`` epochs is the shortest.
    """
    if not isinstance(net.max_epochs, numbers.Integral):
        return
    whole = isinstance(net.burn_in, numbers.Integral)
    advice = "Give fewer, a share such as 0.5, or train on with partial_fit."
    if whole and net.burn_in > net.max_epochs:
        raise ValueError(
            f"burn_in is {net.burn_in} epochs and max_epochs {net.max_epochs}: training would end "
            f"first. {advice}"
        )
    wanted = not whole and net.burn_in == 1
    if not wanted and max(least, burn_in_epochs(net)) >= net.max_epochs:
        warnings.warn(
            f"burn_in={net.burn_in} takes all of training (max_epochs={net.max_epochs}), so {what}."
            f" {advice}",
            stacklevel=4,
        )


def burn_in_epochs(net):
    """Count the epochs that a net's ``burn_in`` means."""
    whole = isinstance(net.burn_in, numbers.Integral)
    return net.burn_in if whole else round(net.burn_in * net.max_epochs)
