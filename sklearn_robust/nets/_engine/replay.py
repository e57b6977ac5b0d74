"""What is searched or drawn for a batch, once, and given again while its loss is taken twice."""

from contextlib import contextmanager
from functools import wraps

__all__ = ["ReplayCache", "recalled", "replayable", "replay_cache_of"]


class ReplayCache:
    """What the searches of one batch found, in turn, with all that observers were told."""

    def __init__(self):
        self.made, self.given = [], 0

    def rewind(self):
        """Give what was found again, from the first search on."""
        self.given = 0

    def play(self, search, observe):
        """Search, or give what that search found before."""
        if self.given == len(self.made):
            self.made.append(self._record(search, observe))
            self.given += 1
            return self.made[-1][0]
        x_adv, told = self.made[self.given]
        self.given += 1
        for words in told:
            observe(*words)
        return x_adv

    def _record(self, search, observe):
        told = []

        def listen(*words):
            told.append(words)
            return observe(*words)

        return search(None if observe is None else listen), told


def replayable(search):
    """Let a net's method ``search(attack, x, y, observe)`` heed its takes."""

    @wraps(search)
    def wrapper(net, attack, x, y, observe=None):
        takes = getattr(net, "takes_", None)
        if takes is None:
            return search(net, attack, x, y, observe)
        return takes.play(lambda told: search(net, attack, x, y, told), observe)

    return wrapper


def recalled(net, draw):
    """Give what ``draw()`` gives, or gave when the loss of this batch was taken first."""
    takes = getattr(net, "takes_", None)
    return draw() if takes is None else takes.play(lambda told: draw(), None)


@contextmanager
def replay_cache_of(net):
    """Context in which a net's searches are kept, until rewound."""
    net.takes_ = ReplayCache()
    try:
        yield net.takes_
    finally:
        del net.takes_
