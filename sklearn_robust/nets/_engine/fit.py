"""One call of fit: from parameters and data to trained weights."""

from contextlib import contextmanager

import numpy as np
import torch

from ... import _validation as check
from ..._random import rng_lock, seed_of, torch_seed
from .._persistence.checkpoint import Checkpoints, check_checkpoint
from .._persistence.warm_start import begin_with, check_init_from
from . import datasets as _data
from .adapter import SkorchAdapter
from .augmentation import check_augment
from .callbacks import check_callbacks
from .device import resolve_device
from .lr_schedule import check_lr_schedule
from .module_checks import check_outputs
from .precision import check_amp
from .progress import EpochBar
from .recipes import recipe_given

__all__ = ["Trainer"]

# What lives as long as one call of fit.
_MEANWHILE = "amp_ began_ checkpoints_ good_state_ noise_ progress_ shuffler_ split_seed_".split()

_OF_DATA = "labels_ input_shape_ extremes_ n_features_in_ feature_names_in_".split()


class Trainer(SkorchAdapter):
    """A net's way through one call of fit; a subclass adds checks and what it needs meanwhile."""

    def _refuse(self, fit_params):
        if fit_params:
            raise TypeError(
                f"{type(self).__name__}.fit takes X and y alone and cannot use "
                f"{sorted(fit_params)}; leave it out (sample_weight: resample the rows instead)."
            )

    def _train(self, X, y, classes, restart, checkpoint=None):
        with recipe_given(self):
            self._check_parameters()
            device = resolve_device(self.device)
            check_amp(self.amp, device)
            seed = seed_of(self.random_state)
            # Threads share torch's generator: fits in several of them take turns.
            with rng_lock(), torch_seed(seed, device):
                with self._unchanged_by_errors():
                    data = self._open(X, y, classes, restart)
                    check_augment(self.augment, self.input_shape_, self.recipe)
                if restart:
                    self._begin_afresh(data)
                self._train_on(data, seed, checkpoint)
        return self

    @contextmanager
    def _unchanged_by_errors(self):
        """Keep what the net knows of its data, if others are refused."""
        before = {name: vars(self)[name] for name in _OF_DATA if name in vars(self)}
        try:
            yield
        except BaseException:
            for name in _OF_DATA:
                vars(self).pop(name, None)
            vars(self).update(before)
            raise

    def _begin_afresh(self, data):
        """Build all components; a net that cannot be built is no fitted one."""
        try:
            self.initialize()
            begin_with(self.module_, self.init_from, self.classes_)
            check_outputs(self, data)
        except BaseException:
            self.initialized_ = False
            raise

    def _train_on(self, data, seed, checkpoint):
        self.began_, self.split_seed_ = len(self.history), seed
        if self.began_:  # a second call must not repeat the draws of the first
            seed += self.began_
            torch.manual_seed(seed)
        self.shuffler_ = torch.Generator().manual_seed(seed)
        self._begin_training(seed)
        if checkpoint is not None:
            self.checkpoints_ = Checkpoints(self, data)
            if self.random_state is None:  # a fit that goes on holds out the same samples
                self.split_seed_ = self.checkpoints_.seed
        try:
            super().partial_fit(data, getattr(data, "y", None))
        finally:
            self.module_.eval()
            for name in _MEANWHILE:
                self.__dict__.pop(name, None)
            for _, callback in self.callbacks_:
                if isinstance(callback, EpochBar):
                    callback.on_train_end(self)

    def _check_whole_fit(self):
        """Refuse what one call of fit cannot carry out, though several of partial_fit may."""

    def _begin_training(self, seed):
        """Prepare what lives for one call of fit; ``seed`` differs from call to call."""

    def _check_parameters(self):
        check.check_number("lr", self.lr, strict=True)
        check.check_count("max_epochs", self.max_epochs)
        if self.batch_size != -1:
            check.check_count("batch_size", self.batch_size)
        resolve_device(self.device)
        if self.train_split is not None and not callable(self.train_split):
            raise ValueError(
                f"train_split is {self.train_split!r}; give a split such as "
                "skorch.dataset.ValidSplit(0.2), or None."
            )
        check_callbacks(self.callbacks)
        check_lr_schedule(self.lr_schedule)
        check_init_from(self.init_from)
        check_checkpoint(self.checkpoint)

    def _open(self, X, y, classes, reset):
        """Check the data, remember what they look like, and return them as a dataset."""
        data, ends = _data.open_data(self, X, y, classes, reset)
        if reset or getattr(self, "extremes_", None) is None:
            self.input_shape_, self.extremes_ = ends.shape[1:], ends
        else:
            low, high = zip(self.extremes_, ends, strict=True)
            self.extremes_ = np.stack([np.minimum(*low), np.maximum(*high)])
        return data
