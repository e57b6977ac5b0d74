"""The training loop of a net: epochs, batches, steps, and what ends it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from skorch.callbacks import EarlyStopping
from torch import Tensor

from ...differentiable._fast.copying import copy_state
from ...differentiable._twice import refuse_first_order
from ...exceptions import StopTraining, TrainingDivergedError
from .adapter import SkorchAdapter
from .augmentation import augmented
from .callbacks import ActsAroundLoss, context_of
from .fit_state import FitState
from .module_checks import check_batch_loss
from .precision import mixed_precision
from .replay import ReplayCache
from .schedules import follow_lr_schedule, forget_schedule

__all__ = ["TrainingLoop"]


class TrainingLoop(SkorchAdapter):
    """The loop over epochs and batches, around the ``batch_loss`` that a net writes."""

    _replay_cache: ReplayCache | None = None  # set while a loss is repeated

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch and its logits; see ``BaseNet.batch_loss``."""
        raise NotImplementedError

    def compute_logits(self, x: Tensor, *, precise: bool = False) -> Tensor:
        """Return the logits of a batch; see ``BaseNet.compute_logits``."""
        raise NotImplementedError

    # -- epochs -----------------------------------------------------------------------------

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any) -> Any:
        """Train the epochs that no checkpoint holds, and write one after each."""
        train, valid = self.get_split_datasets(X, y)
        parts = {"dataset_train": train, "dataset_valid": valid}
        batches = self.get_iterator(train, training=True)
        held_out = None if valid is None else self.get_iterator(valid)
        checkpoints = self.fit_state.checkpoints
        done = 0 if checkpoints is None else checkpoints.resume(self)
        if self.lr_schedule is None:
            forget_schedule(self)  # of an earlier call
        for _ in range(done, epochs or self.max_epochs):
            self.notify("on_epoch_begin", **parts)
            self.run_single_epoch(batches, True, "train", self.train_step)
            self.run_single_epoch(held_out, False, "valid", self.validation_step)
            try:
                self.notify("on_epoch_end", **parts)
            except KeyboardInterrupt as stop:
                if checkpoints is not None and self._is_stopped_by_callback(stop):
                    checkpoints.end()
                raise
            if checkpoints is not None:
                checkpoints.save(self)
        return self

    def _is_stopped_by_callback(self, stop: KeyboardInterrupt) -> bool:
        """Whether a callback ended training, and not the user's Ctrl-C."""
        if isinstance(stop, StopTraining):
            return True
        # skorch's EarlyStopping raises a bare KeyboardInterrupt when its patience has run out.
        stoppers = [c for _, c in self.callbacks_ if isinstance(c, EarlyStopping)]
        return any(c.misses_ == c.patience for c in stoppers)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Pass once over the data; a loss that is not finite ends training."""
        if iterator is None:
            return
        state = self.fit_state
        if training and state.good_weights is None:
            state.good_weights = copy_state(self.module_)
        count = 0
        for batch in iterator:
            if training:
                batch = self._begin_batch(state, batch, count / len(iterator))
            else:
                self.notify("on_batch_begin", batch=batch, training=False)
            step = step_fn(batch, **fit_params)
            loss = step["loss"].item()
            if training and not math.isfinite(loss):
                self._diverged(f"the loss of {type(self).__name__} became {loss}")
            self.history.record_batch(prefix + "_loss", loss)
            self.history.record_batch(prefix + "_batch_size", len(batch[0]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
            count += 1
        self.history.record(prefix + "_batch_count", count)
        if training:
            self._check_epoch(count)
            state.good_weights = copy_state(self.module_)

    def _begin_batch(self, state: FitState, batch: Any, share: float) -> tuple[Tensor, Tensor]:
        """Note the progress, augment the batch, and set the learning rate for it."""
        state.progress = len(self.history) - 1 + share
        x, y = _move(batch, state.device)
        if self.augment is not None:
            x = augmented(x, self.augment, self._box())
        batch = x, y
        self.notify("on_batch_begin", batch=batch, training=True)
        if self.lr_schedule is not None:
            follow_lr_schedule(self, state.progress - state.first_epoch)
        return batch

    def _check_epoch(self, n_batches: int) -> None:
        if not n_batches:
            raise ValueError(
                f"{type(self).__name__} got no batch to train on: give more samples than one batch "
                "holds, or leave iterator_train__drop_last out."
            )
        if not all(bool(p.isfinite().all()) for p in self.module_.parameters()):
            self._diverged(f"the weights of {type(self).__name__} became infinite or NaN")

    def _box(self) -> Any:
        """Box that augmented samples must stay in, as (low, high), or None."""
        return None

    def _diverged(self, what: str) -> None:
        epoch = len(self.history)
        self.module_.load_state_dict(self.fit_state.good_weights)
        self._initialize_optimizer()  # its moments are not finite, either
        self.history.pop()
        kept = f"the weights after epoch {epoch - 1}" if epoch > 1 else "the initial weights"
        raise TrainingDivergedError(
            f"{what} in epoch {epoch}; {kept} are kept. "
            f"Lower lr (now {self.lr:g}), scale the features, or weaken the penalty or attack."
        )

    # -- one batch --------------------------------------------------------------------------

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Compute loss and gradients of one batch, inside what callbacks put around it."""
        x, y = _move(batch, self.device_)
        self._set_training(True)
        with self.around_loss(x, y):
            loss, z = self.loss_and_logits(x, y)
            try:
                loss.backward()
            except RuntimeError as error:
                refuse_first_order(error)
                raise
        return {"loss": loss, "y_pred": z.detach()}

    def loss_and_logits(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Call ``batch_loss``, and raise unless it returned a loss and logits."""
        return check_batch_loss(self, self.batch_loss(x, y))

    @contextmanager
    def around_loss(self, x: Tensor, y: Tensor) -> Iterator[None]:
        """Context of every loss and its gradients; callbacks may have an ``around_loss`` too.

        A callback's is called with the net, x and y, and returns a context. What it changes is
        put back before the optimiser steps.
        """
        with ExitStack() as stack:
            if self.amp:
                stack.enter_context(mixed_precision(self))
            for _, callback in self.callbacks_:
                if isinstance(callback, ActsAroundLoss):
                    stack.enter_context(context_of(callback, self, x, y))
            yield

    def validation_step(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Clean loss of one validation batch."""
        x, y = _move(batch, self.device_)
        self._set_training(False)
        with torch.no_grad():
            z = self.compute_logits(x)
            return {"loss": self.criterion_(z, y), "y_pred": z}

    @contextmanager
    def replay_batch(self) -> Iterator[ReplayCache]:
        """Context in which the adversarial examples of one batch are searched only once.

        ``with net.replay_batch() as cache``: after ``cache.rewind()`` another ``batch_loss`` of
        the same batch is given the examples, and its observers the steps, of the first.
        """
        self._replay_cache = ReplayCache()
        try:
            yield self._replay_cache
        finally:
            self._replay_cache = None

    def crafting_once(self) -> AbstractContextManager[ReplayCache]:
        """Old name of :meth:`replay_batch`."""
        warnings.warn(
            "crafting_once is now replay_batch, and the old name goes in the next release: type "
            "net.replay_batch().",
            FutureWarning,
            stacklevel=2,
        )
        return self.replay_batch()


def _move(batch: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    x, y = batch
    return x.to(device), y.to(device)
