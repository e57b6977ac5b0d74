"""Outputs that skorch's scoring callbacks replay, kept to the thread that computed them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["ReplayedOutputs"]


class ReplayedOutputs:
    """Stand-in for a net's ``forward_iter`` while one of skorch's callbacks scores.

    Other threads that use the net meanwhile get forward passes of their own samples.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net.
    outputs : callable
        What the callback put in place of ``net.forward_iter``.
    """

    def __init__(self, net: Any, outputs: Callable[..., Iterator[Any]]) -> None:
        self.net, self.outputs = net, outputs
        self.thread = threading.get_ident()

    def serves_this_thread(self) -> bool:
        """Whether the outputs were computed by the thread that asks."""
        return threading.get_ident() == self.thread

    def __call__(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Yield outputs of batches, replayed or computed."""
        if self.serves_this_thread():
            return self.outputs(*args, **kwargs)
        return type(self.net).forward_iter(self.net, *args, **kwargs)
