"""Adversarial examples and draws of one batch, kept and given again when its loss is repeated."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from torch import Tensor

__all__ = ["ReplayCache", "draw_once", "replayable"]


class ReplayCache:
    """Results of one batch's searches, in order, with all that their observers were told."""

    def __init__(self) -> None:
        self.results: list[tuple[Tensor, list[tuple]]] = []
        self.n_given = 0

    def rewind(self) -> None:
        """Give the results again, from the first search on."""
        self.n_given = 0

    def play(self, search: Callable, observe: Callable | None) -> Tensor:
        """Run ``search(observe)``, or give what it found before."""
        if self.n_given == len(self.results):
            self.results.append(self._record(search, observe))
            self.n_given += 1
            return self.results[-1][0]
        found, told = self.results[self.n_given]
        self.n_given += 1
        if observe is not None:
            for words in told:
                observe(*words)
        return found

    def _record(self, search: Callable, observe: Callable | None) -> tuple[Tensor, list[tuple]]:
        told: list[tuple] = []

        def listen(*words: Any) -> Any:
            told.append(words)
            return None if observe is None else observe(*words)

        return search(None if observe is None else listen), told


def replayable(search: Callable) -> Callable:
    """Decorate a net's method ``search(attack, x, y, observe)`` so that its results replay."""

    @wraps(search)
    def wrapper(net, attack, x, y, observe=None):
        cache = net._replay_cache
        if cache is None:
            return search(net, attack, x, y, observe)
        return cache.play(lambda told: search(net, attack, x, y, told), observe)

    return wrapper


def draw_once(net: Any, draw: Callable[[], Tensor]) -> Tensor:
    """Give ``draw()``, or what it gave when the loss of this batch was computed first."""
    cache = net._replay_cache
    return draw() if cache is None else cache.play(lambda told: draw(), None)
