"""Parameters that may change from epoch to epoch."""

__all__ = ["check_each_epoch", "value_in"]


def is_varied(value):
    """Whether a parameter is a callable of the epoch or a list of (first epoch, value)."""
    return callable(value) or isinstance(value, (list, tuple))


def value_in(epoch, given):
    """Value of a parameter in an epoch; the first one is 1.

    Parameters
    ----------
    epoch : int
        Which one.
    given : object
        The value itself, a callable ``epoch -> value``, or a list of pairs (first epoch, value).
    """
    if callable(given):
        return given(epoch)
    if not is_varied(given):
        return given
    return [value for first, value in given if first <= max(epoch, 1)][-1]


def check_each_epoch(name, given, max_epochs, check):
    """Raise unless ``check(name, value)`` likes the value of every epoch.

    Parameters
    ----------
    name : str
        What to call the parameter.
    given : object
        As for :func:`value_in`.
    max_epochs : int
        A callable is asked for the epochs 1 to ``max_epochs``.
    check : callable
        Checks one value.
    """
    if not is_varied(given):
        check(name, given)
    elif callable(given):
        for epoch in range(1, max_epochs + 1):
            check(f"{name} in epoch {epoch}", given(epoch))
    else:
        _check_pairs(name, given)
        for first, value in given:
            check(f"{name} from epoch {first}", value)


def _check_pairs(name, pairs):
    try:
        epochs = [first for first, _ in pairs]
        good = epochs[0] == 1 and sorted(set(epochs)) == epochs
    except (TypeError, ValueError, IndexError):
        good = False
    if not good:
        raise ValueError(
            f"{name} is {pairs!r}; give a number, a callable of the epoch, or pairs (first epoch, "
            "value) that begin with epoch 1 and ascend, such as [(1, 0), (41, 3)]."
        )
