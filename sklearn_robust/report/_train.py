"""Training of one net of a comparison, followed epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..attacks import BIM
from ..attacks._evaluation import open_samples, robust_mask
from ..differentiable import open_model
from ..nets._engine.progress import EpochBar
from ._data import Data
from ._settings import NETS, Settings

__all__ = ["attack_of", "make_net", "train_net"]

_N_WATCHED = 256  # test samples whose accuracy is followed during training


class Watch(EpochBar):
    """Callback that records accuracy on a few test samples and ends training when asked.

    No choice depends on what it records. Its time is not part of the time of an epoch.

    Parameters
    ----------
    X, y : arrays
        Samples whose accuracy is recorded.
    attack : attack
        Attack under which accuracy is recorded too.
    tell : callable
        Called without arguments after each epoch.
    stop : callable
        Returns True when training should end at once.
    """

    def __init__(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        attack: Any,
        tell: Callable[[], None],
        stop: Callable[[], bool],
    ) -> None:
        self.X, self.y = X, y
        self.attack, self.tell, self.stop = attack, tell, stop
        self.interrupted = False  # after an epoch, of which skorch says nothing

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Show no progress bar."""

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        """End training as a keyboard interrupt does, when asked."""
        if self.stop():
            raise KeyboardInterrupt

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record natural and attacked accuracy."""
        try:
            self._record(net)
        except KeyboardInterrupt:
            self.interrupted = True
            raise

    def _record(self, net: Any) -> None:
        model = open_model(net, self.X)
        X, codes = open_samples(model, self.X, self.y)
        correct = model.predict_codes(X) == codes
        robust = robust_mask(model, X, codes, self.attack, correct=correct)
        net.history.record("natural_accuracy", float(correct.mean()))
        net.history.record("attacked_accuracy", float(robust.mean()))
        self.tell()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Leave no progress bar to close."""


def make_net(name: str, settings: Settings, **params: Any) -> Any:
    """Make a net with its defaults; adversarial nets train with the strength of the settings."""
    cls = NETS[name]
    params |= {"random_state": settings.seed, "device": settings.device}
    if settings.epochs is not None:
        params["max_epochs"] = settings.epochs
    if attack_of(cls()) is not None:
        params["attack__eps"] = settings.train_eps
    return cls(**params)


def attack_of(net: Any) -> Any:
    """Attack that a net trains with, or None."""
    attack = net.get_params(deep=False).get("attack")
    return attack() if isinstance(attack, type) else attack


def train_net(
    name: str,
    data: Data,
    settings: Settings,
    tell: Callable[[], None],
    stop: Callable[[], bool],
) -> tuple[Any, dict[str, Any]]:
    """Train one net.

    Parameters
    ----------
    name : str
        Name of the net.
    data : Data
        Data of the comparison.
    settings : Settings
        Settings of the comparison.
    tell, stop : callable
        As for :class:`Watch`.

    Returns
    -------
    net : net
        The fitted net.
    facts : dict
        Curves and times of its training, as plain numbers.

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
    if watch.interrupted or len(net.history) < net.max_epochs:
        raise KeyboardInterrupt
    return net, _facts(net, len(watch.X))


def _facts(net: Any, n_watched: int) -> dict[str, Any]:
    seconds = [float(row["dur"]) for row in net.history]
    names = ("train_loss", "natural_accuracy", "attacked_accuracy")
    return {
        "epochs": len(net.history),
        "seconds": sum(seconds),
        "seconds_per_epoch": float(np.median(seconds)),
        "n_watched": n_watched,
        **{name: [float(row[name]) for row in net.history] for name in names},
    }
