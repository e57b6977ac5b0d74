"""What a user gets for a request that makes no sense."""

from contextlib import contextmanager

__all__ = ["BadInput", "blame_input"]


class BadInput(Exception):
    """One sentence for the user: what came, what was wanted, what to type."""


@contextmanager
def blame_input(*errors):
    """Turn these errors, whose messages are written for users, into :class:`BadInput`."""
    try:
        yield
    except errors as error:
        raise BadInput(str(error)) from error
