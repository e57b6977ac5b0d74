"""One call of fit: from parameters and data to trained weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..._random import rng_lock, seed_of, torch_seed
from ..._units import check_units
from .._persistence.checkpoint import Checkpoints, check_checkpoint
from .._persistence.warm_start import begin_with, check_init_from
from . import datasets as _data
from .augmentation import check_augment
from .batching import Rows
from .callbacks import check_callbacks
from .device import resolve_device
from .fit_state import FitState
from .loop import TrainingLoop
from .module_checks import check_layout, check_outputs, check_trainable
from .parameters import check_shared
from .precision import check_amp
from .progress import EpochBar
from .schedules import check_lr_schedule

__all__ = ["Trainer"]

_OF_DATA = "labels_ input_shape_ extremes_ n_features_in_ feature_names_in_".split()


class Trainer(TrainingLoop):
    """A net's way through one call of fit: checks, data, components, training."""

    # -- hooks ------------------------------------------------------------------------------

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense; a subclass calls ``super()`` and adds its own."""
        check_shared(self)
        check_callbacks(self.callbacks)
        if self.lr_schedule is not None:
            check_lr_schedule(self.lr_schedule)
        if self.init_from is not None:
            check_init_from(self.init_from)
        if self.checkpoint is not None:
            check_checkpoint(self.checkpoint)

    def check_whole_fit(self) -> None:
        """Raise for what one call of ``fit`` cannot carry out, though several of partial_fit may.

        Called before training from scratch, in addition to :meth:`check_parameters`.
        """

    def begin_training(self, seed: int) -> None:
        """Prepare what training needs: called once per call of fit, after the module is built.

        Parameters
        ----------
        seed : int
            Seed of this call; differs from call to call of ``partial_fit``.
        """

    # -- one call of fit --------------------------------------------------------------------

    def _refuse(self, fit_params: dict[str, Any]) -> None:
        if fit_params:
            raise TypeError(
                f"{type(self).__name__}.fit takes X and y alone and cannot use "
                f"{sorted(fit_params)}; leave it out (sample_weight: resample the rows instead)."
            )

    def _train(self, X: Any, y: Any, classes: Any, restart: bool, checkpoint: Any = None) -> Any:
        self.check_parameters()
        device = resolve_device(self.device)
        check_amp(self.amp, device)
        seed = seed_of(self.random_state)
        # Threads share torch's generator: fits in several of them take turns.
        with rng_lock(), torch_seed(seed, device):
            with self._unchanged_by_errors():
                data = self._open(X, y, classes, restart)
                if self.augment is not None:
                    check_augment(self.augment, self.input_shape_, self.recipe)
            if restart:
                self._begin_afresh(data)
            self._train_on(data, seed, checkpoint, restart)
        return self

    @contextmanager
    def _unchanged_by_errors(self) -> Iterator[None]:
        """Keep what the net knows of its data, if others are refused."""
        own = self.__dict__
        before = {name: own[name] for name in _OF_DATA if name in own}
        try:
            yield
        except BaseException:
            for name in _OF_DATA:
                own.pop(name, None)
            own.update(before)
            raise

    def _begin_afresh(self, data: Any) -> None:
        """Build all components; a net that cannot be built is not fitted."""
        try:
            check_layout(self.module, self.input_shape_)
            self.initialize()
            if self.init_from is not None:
                begin_with(self.module_, self.init_from, self.classes_)
            check_trainable(self)
            check_outputs(self, data)
            if self.attack_ is not None:
                rows = data.X if isinstance(data, Rows) else _between(vars(self)["extremes_"])
                threat, default = self.attack_.threat_model, self.attack_.has_default_radius
                check_units(threat, rows, default=default)
        except BaseException:
            self.initialized_ = False
            raise

    def _train_on(self, data: Any, seed: int, checkpoint: Any, restart: bool) -> None:
        check_trainable(self)
        state = FitState.begin(seed, self.device_, len(self.history), from_scratch=restart)
        self._fit_state = state
        try:
            if state.first_epoch:  # a second call must not repeat the draws of the first
                torch.manual_seed(state.seed)
            self.begin_training(state.seed)
            if checkpoint is not None:
                state.checkpoints = Checkpoints(self, data)
                if self.random_state is None:  # a fit that resumes holds out the same samples
                    state.split_seed = state.checkpoints.seed
            super().partial_fit(data, data.y)
        finally:
            self.module_.eval()
            self._fit_state = None
            for _, callback in self.callbacks_:
                if isinstance(callback, EpochBar):
                    callback.on_train_end(self)

    def _open(self, X: Any, y: Any, classes: Any, reset: bool) -> Any:
        """Check the data, remember what they look like, and return them as a dataset."""
        data, ends = _data.open_data(self, X, y, classes, reset)
        known = None if reset else vars(self).get("extremes_")
        if known is None:
            self.input_shape_, self.extremes_ = ends.shape[1:], ends
        else:
            low, high = zip(known, ends, strict=True)
            self.extremes_ = np.stack([np.minimum(*low), np.maximum(*high)])
        return data


def _between(ends: NDArray[Any]) -> NDArray[Any]:
    """Rows of the same ends as unseen ones, spread over a quarter of the range as most data are."""
    return np.concatenate([ends, np.repeat(ends.mean(axis=0, keepdims=True), 6, axis=0)])
