"""skorch's side of a net: components, devices, datasets and batches."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from skorch import NeuralNetClassifier
from skorch.callbacks import EpochTimer, PassthroughScoring, PrintLog
from skorch.utils import is_dataset
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ... import _validation as check
from ..._random import torch_seed
from ...differentiable._fast.copying import copy_module
from ...modules import auto_module
from .batching import Batches, JoinedLast, as_rows
from .callbacks import AveragesWeights, HoldsOut, check_callbacks
from .criterion import criterion_in_float32, criterion_params, in_float32
from .datasets import coded, is_coded, seeded_split
from .device import device_given, resolve_device
from .fit_state import FitState
from .parameters import (
    CRITERION,
    LOADER,
    MODULE,
    OPTIMIZER,
    MovesWeights,
    unfit,
)
from .progress import EpochBar
from .recipes import recipe_given
from .schedules import forget_schedule

__all__ = ["SkorchAdapter"]

# Parameters that can be set on a fitted net without rebuilding its module.
_WITHOUT_REINIT = ("iterator_train", "iterator_valid", "dataset")


class SkorchAdapter(NeuralNetClassifier):
    """skorch's classifier with its defaults, devices and datasets adapted to this library.

    What it overrides, and why: the module is built from the data's shape; ``device="auto"`` is
    resolved where skorch reads ``device`` literally; batches are index slices; parameters of the
    data loading and of attacks can be set on a fitted net.
    """

    # Known once a fit has seen its data.
    labels_: NDArray
    input_shape_: tuple[int, ...] | None
    extremes_: NDArray | None  # least and greatest value of each feature
    attack_: Any = None
    criterion_: Any
    callbacks_: list[tuple[str, Any]]
    _fit_state: FitState | None = None  # set while fit runs

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        callbacks: list[tuple[str, Any]] = [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
        ]
        level = self.verbose if isinstance(self.verbose, numbers.Integral) else 0
        if level:
            callbacks.append(("progress", EpochBar() if level == 1 else PrintLog()))
        return callbacks

    @property
    def fit_state(self) -> FitState:
        """State of the call of fit that is running."""
        if self._fit_state is None:
            raise RuntimeError(f"this {type(self).__name__} is not training: call fit.")
        return self._fit_state

    # -- components -------------------------------------------------------------------------

    def initialize(self) -> SkorchAdapter:
        """Build module, criterion, optimiser and attack for the data seen in fit."""
        with recipe_given(self), device_given(self):
            return super().initialize()

    def load_params(self, *args: Any, **kwargs: Any) -> None:
        """Read weights, optimiser and history that skorch wrote; see skorch's ``load_params``."""
        with device_given(self):
            super().load_params(*args, **kwargs)

    def initialize_module(self) -> SkorchAdapter:
        """Build the module: from the data's shape, a class, or a copy of an instance."""
        kwargs = in_float32(self.get_params_for("module"))
        if isinstance(self.module, nn.Module) and not kwargs:
            self.module_ = copy_module(self.module)
            return self
        if "labels_" not in vars(self):
            raise NotFittedError(
                f"{type(self).__name__} builds its module for data, and has seen none: type "
                "net.fit(X, y), or take a trained one by from_module or load_net."
            )
        if isinstance(self.module, str):
            check.check_choice("module", self.module, ["auto"])
            shape = self.input_shape_ or ()  # known where labels are
            self.module_ = auto_module(shape, len(self.labels_), **kwargs)
            return self
        if not callable(self.module) or self.module is type:
            raise ValueError(f"module is {check.shown(self.module)}; give {MODULE}.")
        factory = type(self.module) if isinstance(self.module, nn.Module) else self.module
        known = {"input_shape": self.input_shape_, "n_classes": len(self.labels_)}
        accepted = inspect.signature(factory).parameters
        given = {name: value for name, value in known.items() if name in accepted}
        self.module_ = factory(**{**given, **kwargs})
        if not isinstance(self.module_, nn.Module):
            raise unfit("module", self.module, self.module_, MODULE)
        return self

    def initialize_criterion(self) -> SkorchAdapter:
        """Build the criterion; anything else than a loss is refused."""
        params = self.get_params_for("criterion")
        if params:
            params = criterion_params(params, self.criterion, vars(self).get("labels_"))
        try:
            made = self.initialized_instance(self.criterion, params)
            self.criterion_ = made if params else criterion_in_float32(made)
        except (TypeError, ValueError) as error:
            raise check.cannot_use("criterion", self.criterion, error, CRITERION) from error
        if not callable(self.criterion_) or isinstance(self.criterion_, type):
            raise unfit("criterion", self.criterion, self.criterion_, CRITERION)
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> SkorchAdapter:
        """Build the optimiser; what moves no weights is refused."""
        if next(self.module_.parameters(), None) is None:  # a program, quantised, or a formula
            self.optimizer_ = None
            return self
        try:
            super().initialize_optimizer(*args, **kwargs)
        except (TypeError, ValueError, RuntimeError) as error:
            raise check.cannot_use("optimizer", self.optimizer, error, OPTIMIZER) from error
        if not isinstance(self.optimizer_, MovesWeights):
            raise unfit("optimizer", self.optimizer, self.optimizer_, OPTIMIZER)
        return self

    def get_params_for_optimizer(
        self, prefix: str, named_parameters: Any
    ) -> tuple[tuple, dict[str, Any]]:
        """skorch's, with torch's fused kernels where they do all that the plain ones do."""
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        # SGD's take no sparse gradients and, with momentum, no weights that join late.
        if self.optimizer in (torch.optim.Adam, torch.optim.AdamW):
            weights = [weight for group in args[0] for weight in group["params"]]
            own = {"fused", "foreach", "differentiable"} & set(kwargs)
            if not own and all([weight.is_floating_point() for weight in weights]):
                kwargs["fused"] = True
        return args, kwargs

    def initialize_callbacks(self) -> SkorchAdapter:
        """Build the callbacks; those that average come first, since others judge the averages."""
        super().initialize_callbacks()
        averaging: list[tuple[str, Any]] = []
        others: list[tuple[str, Any]] = []
        for name, callback in self.callbacks_:
            first = isinstance(callback, AveragesWeights) and callback.averages
            (averaging if first else others).append((name, callback))
        self.callbacks_ = averaging + others
        return self

    # -- data -------------------------------------------------------------------------------

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        """Pass on the dataset that fit made; skorch's scorers may bring arrays."""
        return X if is_dataset(X) else super().get_dataset(X, y)

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        """Split off validation rows when ``train_split`` asks for them, or take those it brings."""
        split = self.train_split or self._split_of_callbacks()
        if not split:
            return X, None
        split = seeded_split(split, self.fit_state.split_seed)
        try:
            train, valid = split(X, X.codes, **fit_params)
        except ValueError as error:
            raise ValueError(
                f"{type(self).__name__} cannot hold samples out ({error}): raise the share of "
                "train_split, or the callback's validation_fraction, or give more samples of "
                "each class."
            ) from error
        return train, valid if valid is None or is_coded(valid) else coded(self, valid)

    def _split_of_callbacks(self) -> Callable | None:
        """Find the validation split that a callback needs, where the net has none of its own."""
        for _, callback in self.callbacks_:
            if isinstance(callback, HoldsOut) and (split := callback.train_split) is not None:
                return split
        return None

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Batches by index slices where the data are arrays, else skorch's loader."""
        rows = as_rows(dataset)
        prefix = "iterator_train" if training else "iterator_valid"
        asked = set(self.get_params_for(prefix)) - {"shuffle"}
        if training and self.iterator_train__shuffle and asked & {"batch_sampler", "sampler"}:
            raise ValueError(
                "a sampler decides the order of the samples, and so does shuffling: give "
                "iterator_train__shuffle=False beside it."
            )
        factory = self.iterator_train if training else self.iterator_valid
        if rows is None or asked or factory is not DataLoader:
            try:
                loader = super().get_iterator(dataset, training)
            except TypeError as error:
                raise check.cannot_use(prefix, factory, error, LOADER) from error
            return JoinedLast(loader) if training or is_coded(dataset) else loader
        shuffle = training and self.iterator_train__shuffle
        generator = self.fit_state.shuffler if shuffle else None
        return Batches(rows, self.batch_size, self.device_, generator)

    def infer(self, x: Any, **fit_params: Any) -> Tensor:
        """Logits of a batch from any device."""
        return self.compute_logits(torch.as_tensor(x).to(self.device_))

    @property
    def device_(self) -> torch.device:
        """Device that holds the module."""
        for weight in self.module_.parameters():
            return weight.device
        return resolve_device(self.device)

    # -- parameters -------------------------------------------------------------------------

    def _get_param_names(self) -> list[str]:
        return [name for name in super()._get_param_names() if not name.startswith("_")]

    def set_params(self, **params: Any) -> SkorchAdapter:
        """Set parameters; those of the data loading act without rebuilding the module."""
        at_once = self.params_without_reinit()
        self._keep({k: params.pop(k) for k in list(params) if k.split("__")[0] in at_once})
        again = "callbacks" in params and self.initialized_
        if again:
            check_callbacks(params["callbacks"])
        self._keep({k: params.pop(k) for k in list(params) if k == "callbacks"})
        if not self.initialized_:
            super().set_params(**params)
            return self
        # skorch passes arguments to the optimiser at hand, and would not know them in a new fit.
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

    def _check_settable_attr(self, name: str, value: Any) -> None:
        if name != "augment":  # a transform may be a torch module, and is not trained
            super()._check_settable_attr(name, value)

    def _register_attribute(self, name: str, *args: Any, **kwargs: Any) -> None:
        if name != "augment":
            super()._register_attribute(name, *args, **kwargs)

    def _keep(self, params: dict[str, Any]) -> None:
        for name, value in params.items():
            setattr(self, name, value)
            if "__" in name:
                self._params_to_validate.add(name)

    def params_without_reinit(self) -> tuple[str, ...]:
        """Names of parameters that can be set on a fitted net without rebuilding its module."""
        return _WITHOUT_REINIT

    # -- copies -----------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """State for pickle and copy, without what lives only while fit runs."""
        state = super().__getstate__()
        for name in ("_fit_state", "_replay_cache"):
            state.pop(name, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        wanted = state["device"]
        auto = wanted in ("auto", None)
        super().__setstate__({**state, "device": str(resolve_device(wanted)) if auto else wanted})
        if auto:
            self.device = wanted

    __repr__ = BaseEstimator.__repr__
