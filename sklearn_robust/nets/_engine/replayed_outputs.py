"""Outputs that skorch's scoring callbacks replay, kept to the thread that computed them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["ReplayedOutputs"]


class ReplayedOutputs:
    """Computed outputs that stand for a net's ``forward_iter`` while a callback of skorch scores.

    Other threads that use the net meanwhile get forward passes of their own samples.

    Parameters
    ----------
    outputs : callable
        What the callback put in place of ``net.forward_iter``.
    """

    def __init__(self, outputs: Callable[..., Iterator[Any]]) -> None:
        self.outputs, self.thread = outputs, threading.get_ident()

    def serves_this_thread(self) -> bool:
        """Whether the outputs were computed by the thread that asks."""
        return threading.get_ident() == self.thread
