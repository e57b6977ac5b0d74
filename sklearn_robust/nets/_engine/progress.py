"""Progress bar over epochs."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback
from tqdm import tqdm

__all__ = ["EpochBar"]


class EpochBar(Callback):
    """Show a tqdm bar with the losses while the net trains."""

    bar_: tqdm | None = None

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the bar."""
        self.before_ = len(net.history)
        self.bar_ = tqdm(total=net.max_epochs, desc=type(net).__name__, unit="epoch")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Advance it, past the epochs that came from a checkpoint too."""
        if self.bar_ is None:
            return
        last = net.history[-1]
        losses = {key: last[key] for key in ("train_loss", "valid_loss") if key in last}
        self.bar_.set_postfix(losses)
        self.bar_.update(len(net.history) - self.before_ - self.bar_.n)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close it; an open bar could not be pickled."""
        if self.bar_ is not None:
            self.bar_.close()
            self.bar_ = None
