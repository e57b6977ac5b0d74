"""Training of one net of a comparison, watched epoch by epoch."""

import numpy as np

from ..attacks import BIM
from ..nets._engine.progress import EpochBar
from ._settings import NETS

__all__ = ["make_net", "train_net"]

_N_WATCHED = 256  # test samples whose accuracy is followed during training


class Watch(EpochBar):
    """Follow a net on a few test samples, tell how far it is, and end training when asked.

    What it records is looked at by people alone: no choice depends on it. It runs after the
    epoch's clock has stopped.

    Parameters
    ----------
    X, y : arrays
        Samples to follow.
    attack : attack
        Whose success is followed.
    tell : callable
        Called with no argument after each epoch.
    stop : callable
        Returns True when training should end at once.
    """

    def __init__(self, X, y, attack, tell, stop):
        self.X, self.y = X, y
        self.attack, self.tell, self.stop = attack, tell, stop

    def on_train_begin(self, net, **kwargs):
        """Open no bar."""

    def on_batch_end(self, net, **kwargs):
        """End training, as a keyboard interrupt does."""
        if self.stop():
            raise KeyboardInterrupt

    def on_epoch_end(self, net, **kwargs):
        """Record natural and attacked accuracy."""
        fooled = self.attack.evaluate(net, self.X, self.y).fooled
        net.history.record("natural_accuracy", float(np.mean(net.predict(self.X) == self.y)))
        net.history.record("attacked_accuracy", float(1 - np.mean(fooled)))
        self.tell()

    def on_train_end(self, net, **kwargs):
        """Close no bar."""


def make_net(name, settings, **params):
    """Net with its defaults; adversarial nets train at the comparison's strength."""
    cls = NETS[name]
    params |= {"random_state": settings.seed, "device": settings.device}
    if settings.epochs is not None:
        params["max_epochs"] = settings.epochs
    if getattr(cls(), "attack", None) is not None:
        params["attack__eps"] = settings.train_eps
    return cls(**params)


def train_net(name, data, settings, tell, stop):
    """Train one net.

    Parameters
    ----------
    name : str
        Name of the net.
    data : Data
        What to train on.
    settings : Settings
        What was asked for.
    tell, stop : callable
        As for :class:`Watch`.

    Returns
    -------
    net : fitted net
        The net.
    facts : dict
        Curves and seconds of its training, as plain numbers.

    Raises
    ------
    KeyboardInterrupt
        If training was interrupted.
    TrainingDivergedError
        If the loss became NaN or infinite.
    """
    attack = BIM(eps=settings.train_eps, bounds=data.bounds)
    watch = Watch(data.X_test[:_N_WATCHED], data.y_test[:_N_WATCHED], attack, tell, stop)
    net = make_net(name, settings, callbacks=[("watch", watch)])
    net.fit(data.X_train, data.y_train)
    if len(net.history) < net.max_epochs:
        raise KeyboardInterrupt
    return net, _facts(net, len(watch.X))


def _facts(net, n_watched):
    seconds = [float(row["dur"]) for row in net.history]
    names = ("train_loss", "natural_accuracy", "attacked_accuracy")
    return {
        "epochs": len(net.history),
        "seconds": sum(seconds),
        "seconds_per_epoch": float(np.median(seconds)),
        "n_watched": n_watched,
        **{name: [float(row[name]) for row in net.history] for name in names},
    }
