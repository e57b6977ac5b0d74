"""skorch's side of a net: components, devices, batches, one step of training."""

import inspect
import math
import numbers
from contextlib import ExitStack, contextmanager, nullcontext

import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from skorch import NeuralNetClassifier
from skorch.callbacks import EpochTimer, PassthroughScoring, PrintLog
from skorch.utils import is_dataset
from torch import nn
from torch.utils.data import DataLoader

from ... import _validation as check
from ..._random import torch_seed
from ...differentiable._fast.copying import copy_module, copy_state
from ...exceptions import TrainingDivergedError
from ...modules import auto_module
from .augmentation import augmented
from .batching import Batches, JoinedLast, as_rows
from .callbacks import check_callbacks, is_callbacks
from .datasets import coded, is_coded, seeded_split
from .device import device_given, resolve_device
from .lr_schedule import follow_lr_schedule, forget_schedule
from .precision import mixed_precision
from .progress import EpochBar
from .recipes import recipe_given
from .replay import replay_cache_of

__all__ = ["SkorchAdapter"]

_LIVE = ("iterator_train", "iterator_valid", "dataset")  # set without rebuilding the module


class SkorchAdapter(NeuralNetClassifier):
    """skorch's classifier with its defaults, devices and loops put right for this library.

    What it overrides, and why: the module is built from the data's shape; ``device="auto"`` is
    resolved where skorch reads ``device`` literally; batches are index slices; a step asks
    ``batch_loss``, which a net writes; a loss that is no number ends training; parameters of the
    data loading and of attacks can be set on a fitted net.
    """

    @property
    def _default_callbacks(self):
        callbacks = [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
        ]
        level = self.verbose if isinstance(self.verbose, numbers.Integral) else 0
        if level:
            callbacks.append(("progress", EpochBar() if level == 1 else PrintLog()))
        return callbacks

    def initialize(self):
        """Build module, criterion, optimiser and attack for the data seen in fit."""
        with recipe_given(self), device_given(self):
            return super().initialize()

    def load_params(self, *args, **kwargs):
        """Read weights, optimiser and history that skorch wrote; see skorch's ``load_params``."""
        with device_given(self):
            return super().load_params(*args, **kwargs)

    def initialize_module(self):
        """Build the module: from the data's shape, a class, or a copy of an instance."""
        kwargs = self.get_params_for("module")
        if isinstance(self.module, nn.Module) and not kwargs:
            self.module_ = copy_module(self.module)
        elif not hasattr(self, "labels_"):
            raise NotFittedError(
                f"{type(self).__name__} builds its module for data, and has seen none: type "
                "net.fit(X, y), or take a trained one by from_module or load_net."
            )
        elif isinstance(self.module, str):
            check.check_choice("module", self.module, ["auto"])
            self.module_ = auto_module(self.input_shape_, len(self.classes_), **kwargs)
        else:
            factory = type(self.module) if isinstance(self.module, nn.Module) else self.module
            known = {"input_shape": self.input_shape_, "n_classes": len(self.classes_)}
            accepted = inspect.signature(factory).parameters
            given = {name: value for name, value in known.items() if name in accepted}
            self.module_ = factory(**{**given, **kwargs})
        return self

    def get_params_for_optimizer(self, prefix, named_parameters):
        """skorch's, with torch's fused kernels where they do all that the plain ones do."""
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        # SGD's take no sparse gradients and, with momentum, no weights that join late.
        if self.optimizer in (torch.optim.Adam, torch.optim.AdamW):
            weights = [weight for group in args[0] for weight in group["params"]]
            own = {"fused", "foreach", "differentiable"} & set(kwargs)
            if not own and all(weight.is_floating_point() for weight in weights):
                kwargs["fused"] = True
        return args, kwargs

    def initialize_callbacks(self):
        """Build the callbacks; those that average come first, since others judge the averages."""
        super().initialize_callbacks()
        self.callbacks_.sort(key=lambda named: not getattr(named[1], "averages", False))
        return self

    def get_dataset(self, X, y=None):
        """Pass on the dataset made at the door; skorch's scorers may bring arrays."""
        return X if is_dataset(X) else super().get_dataset(X, y)

    def get_split_datasets(self, X, y=None, **fit_params):
        """Split off validation rows when ``train_split`` asks for them, or take those it brings."""
        split = self.train_split or self._split_of_callbacks()
        if not split:
            return X, None
        split = seeded_split(split, self.split_seed_)
        try:
            train, valid = split(X, X.codes, **fit_params)
        except ValueError as error:
            raise ValueError(
                f"{type(self).__name__} cannot hold samples out ({error}): raise the share of "
                "train_split, or the callback's validation_fraction, or give more samples of "
                "each class."
            ) from error
        return train, valid if valid is None or is_coded(valid) else coded(self, valid)

    def _split_of_callbacks(self):
        """Find the validation split that a callback needs, where the net has none of its own."""
        splits = [getattr(callback, "train_split", None) for _, callback in self.callbacks_]
        return next((split for split in splits if split is not None), None)

    def get_iterator(self, dataset, training=False):
        """Batches by index slices where the data are arrays, else skorch's loader."""
        rows = as_rows(dataset)
        prefix = "iterator_train" if training else "iterator_valid"
        asked = set(self.get_params_for(prefix)) - {"shuffle"}
        if training and self.iterator_train__shuffle and asked & {"batch_sampler", "sampler"}:
            raise ValueError(
                "a sampler decides the order of the samples, and so does shuffling: give "
                "iterator_train__shuffle=False beside it."
            )
        if rows is None or asked or getattr(self, prefix) is not DataLoader:
            loader = super().get_iterator(dataset, training)
            return JoinedLast(loader) if training or is_coded(dataset) else loader
        shuffle = training and self.iterator_train__shuffle
        return Batches(rows, self.batch_size, self.device_, self.shuffler_ if shuffle else None)

    def infer(self, x, **fit_params):
        """Logits of a batch from any device."""
        return self.compute_logits(torch.as_tensor(x).to(self.device_))

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """Train the epochs that no checkpoint holds, and write one after each."""
        train, valid = self.get_split_datasets(X, y)
        parts = {"dataset_train": train, "dataset_valid": valid}
        batches = self.get_iterator(train, training=True)
        held_out = None if valid is None else self.get_iterator(valid)
        checkpoints = getattr(self, "checkpoints_", None)
        done = checkpoints.resume(self) if checkpoints else 0
        for _ in range(done, epochs or self.max_epochs):
            self.notify("on_epoch_begin", **parts)
            self.run_single_epoch(batches, True, "train", self.train_step)
            self.run_single_epoch(held_out, False, "valid", self.validation_step)
            try:
                self.notify("on_epoch_end", **parts)
            except KeyboardInterrupt as error:
                if checkpoints and is_callbacks(error):
                    checkpoints.end()
                raise
            if checkpoints:
                checkpoints.save(self)
        return self

    def train_step_single(self, batch, **fit_params):
        """Compute loss and gradients of one batch, inside what callbacks put around it."""
        x, y = (part.to(self.device_) for part in batch)
        self._set_training(True)
        with self.around_loss(x, y):
            loss, z = self.batch_loss(x, y)
            loss.backward()
        return {"loss": loss, "y_pred": z.detach()}

    @contextmanager
    def around_loss(self, x, y):
        """Context of every loss and its gradients; callbacks may have an ``around_loss`` too.

        A callback's is called with the net, x and y, and returns a context. What it changes is
        put back before the optimiser steps.
        """
        with ExitStack() as stack:
            stack.enter_context(mixed_precision(self))
            for _, callback in self.callbacks_:
                if hasattr(callback, "around_loss"):
                    stack.enter_context(callback.around_loss(self, x, y))
            yield

    def validation_step(self, batch, **fit_params):
        """Clean loss of one validation batch."""
        x, y = (part.to(self.device_) for part in batch)
        self._set_training(False)
        with torch.no_grad():
            z = self.compute_logits(x)
            return {"loss": self.criterion_(z, y), "y_pred": z}

    def crafting_once(self):
        """Context in which the batch's adversarial examples are made once.

        ``with net.crafting_once() as takes``: after ``takes.rewind()`` another ``batch_loss`` of
        the same batch is given the examples, and its observers the steps, of the first.
        """
        return replay_cache_of(self)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """One pass over the data; a loss that is no number ends it."""
        if iterator is None:
            return
        if training and not hasattr(self, "good_state_"):
            self._keep_state()
        count = 0
        for batch in iterator:
            if training:
                self.progress_ = len(self.history) - 1 + count / len(iterator)
                batch = self._augmented(batch)
            self.notify("on_batch_begin", batch=batch, training=training)
            if training:
                follow_lr_schedule(self, self.progress_ - self.began_)
            step = step_fn(batch, **fit_params)
            loss = step["loss"].item()
            if training and not math.isfinite(loss):
                self._diverged(f"the loss of {type(self).__name__} became {loss}")
            self.history.record_batch(prefix + "_loss", loss)
            self.history.record_batch(prefix + "_batch_size", len(batch[0]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
            count += 1
        self.history.record(prefix + "_batch_count", count)
        if training and not count:
            raise ValueError(
                f"{type(self).__name__} got no batch to train on: give more samples than one batch "
                "holds, or leave iterator_train__drop_last out."
            )
        if training:
            if not all(bool(p.isfinite().all()) for p in self.module_.parameters()):
                self._diverged(f"the weights of {type(self).__name__} became infinite or NaN")
            self._keep_state()

    def _augmented(self, batch):
        x, y = (part.to(self.device_) for part in batch)
        box = getattr(getattr(self, "attack_", None), "bounds_", None)
        return augmented(x, self.augment, box), y

    def _keep_state(self):
        self.good_state_ = copy_state(self.module_)

    def _diverged(self, what):
        epoch = len(self.history)
        self.module_.load_state_dict(self.good_state_)
        self._initialize_optimizer()  # its moments are no numbers, either
        self.history.pop()
        kept = f"the weights after epoch {epoch - 1}" if epoch > 1 else "the initial weights"
        raise TrainingDivergedError(
            f"{what} in epoch {epoch}; {kept} are kept. "
            f"Lower lr (now {self.lr:g}), scale the features, or weaken the penalty or attack."
        )

    def _get_param_names(self):
        return [name for name in super()._get_param_names() if not name.startswith("_")]

    def set_params(self, **params):
        """Set parameters; those of the data loading act without rebuilding the module."""
        self._keep(
            {
                k: params.pop(k)
                for k in list(params)
                if k.split("__")[0] in self.params_without_reinit()
            }
        )
        again = "callbacks" in params and self.initialized_
        if again:
            check_callbacks(params["callbacks"])
        self._keep({k: params.pop(k) for k in list(params) if k == "callbacks"})
        if not self.initialized_:
            super().set_params(**params)
            return self
        # skorch hands arguments to the optimiser at hand, and would not know them in a new fit.
        self._keep({k: v for k, v in params.items() if k.split("__")[0] == "optimizer"})
        another = params.pop("optimizer", None) is not None
        with device_given(self) if "device" not in params else nullcontext(), torch_seed(0):
            if any(name == "lr" or name.startswith("optimizer__") for name in params):
                forget_schedule(self)
            super().set_params(**params)
            if another:
                self._initialize_optimizer()
            if again:
                self._initialize_callbacks()
        return self

    def __setattr__(self, name, value):
        """Set an attribute; a transform may be a torch module, and is not to be trained."""
        if name == "augment":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def _keep(self, params):
        for name, value in params.items():
            setattr(self, name, value)
            if "__" in name:
                self._params_to_validate.add(name)

    def params_without_reinit(self):
        return _LIVE

    def __setstate__(self, state):
        wanted = state["device"]
        auto = wanted in ("auto", None)
        super().__setstate__({**state, "device": str(resolve_device(wanted)) if auto else wanted})
        if auto:
            self.device = wanted

    __repr__ = BaseEstimator.__repr__
