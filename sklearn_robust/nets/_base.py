"""Base of all nets: the public methods, and the hooks that a subclass writes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from skorch import NeuralNet, NeuralNetClassifier
from torch import Tensor, nn

from .. import _validation as check
from ..differentiable._any_dtype import check_callable, explain_fixed_batch
from ._engine.module_checks import check_dtype, refuse_output, uncompiled
from ._engine.precision import bfloat16_pass
from ._engine.predict import Predictor
from ._engine.preprocessed import with_preprocessing
from ._engine.recipes import recipe_given
from ._engine.signature import merge_signatures
from ._persistence import save_load as _io

__all__ = ["BaseNet"]

_SKORCHS_OWN = {"initialized_", "virtual_params_"}  # with which skorch copies a net


class BaseNet(Predictor):
    """Base of all nets; a subclass writes the training objective.

    A subclass writes :meth:`batch_loss`, and where it needs them the hooks
    :meth:`compute_logits`, :meth:`check_parameters`, :meth:`check_whole_fit` and
    :meth:`begin_training`. It takes ``module`` and ``**kwargs`` in its constructor and passes them
    on, so that all shared parameters, clones and searches work. ``net.save`` writes it and
    ``load_net(path, classes=[MyNet])`` reads it.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    **kwargs
        Shared parameters.

    See Also
    --------
    AdversarialNet : Base of nets that attack their own batches.
    NaturalNet : The net of this base alone.

    Notes
    -----
    While ``fit`` runs, ``self.history`` holds the losses so far (its length is the number of the
    epoch, from 1), and ``self.history.record_batch(name, value)`` adds to it.

    Examples
    --------
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.nets import BaseNet
    >>> class ConfidencePenaltyNet(BaseNet):
    ...     def __init__(self, module="auto", *, strength=0.1, **kwargs):
    ...         super().__init__(module, **kwargs)
    ...         self.strength = strength
    ...
    ...     def batch_loss(self, x, y):
    ...         loss, z = super().batch_loss(x, y)
    ...         return loss + self.strength * z.log_softmax(1).exp().square().sum(1).mean(), z
    >>> X, y = load_moons(200, random_state=0)
    >>> net = ConfidencePenaltyNet(lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        criterion: Any = nn.CrossEntropyLoss,
        optimizer: Any = torch.optim.Adam,
        lr: float = 1e-3,
        max_epochs: int = 30,
        batch_size: int = 64,
        device: Any = "auto",
        random_state: Any = None,
        train_split: Any = None,
        iterator_train__shuffle: bool = True,
        augment: Any = None,
        lr_schedule: Any = None,
        recipe: str | None = None,
        init_from: Any = None,
        amp: bool = False,
        checkpoint: str | os.PathLike | None = None,
        verbose: int = 0,
        **kwargs: Any,
    ) -> None:
        for name in {name for name in kwargs if name.endswith("_")} - _SKORCHS_OWN:
            raise TypeError(
                f"{type(self).__name__} got an unexpected argument {name!r}: no parameter ends in "
                "an underscore."
            )
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            device=device,
            train_split=train_split,
            verbose=verbose,
            **kwargs,
        )
        self.random_state = random_state
        self.iterator_train__shuffle = iterator_train__shuffle
        self.augment = augment
        self.lr_schedule = lr_schedule
        self.recipe = recipe
        self.init_from = init_from
        self.amp = amp
        self.checkpoint = checkpoint

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            nets = [base for base in cls.__mro__[1:] if issubclass(base, BaseNet)]
            owners = [base for base in nets if "__init__" in base.__dict__]
            merge_signatures(cls, *owners, NeuralNetClassifier, NeuralNet)

    # -- hooks ------------------------------------------------------------------------------

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch and its logits: the hook that every objective writes.

        Parameters
        ----------
        x : tensor of shape (n, ...)
            Samples on the device; the module is in training mode.
        y : tensor of shape (n,), int64
            Class codes.

        Returns
        -------
        loss : tensor of one number
            What to minimise, with a graph to the weights.
        z : tensor of shape (n, n_classes)
            Logits, from which the callbacks of skorch score the batch.
        """
        z = self.compute_logits(x)
        return self.criterion_(z, y), z

    def compute_logits(self, x: Tensor, *, precise: bool = False) -> Tensor:
        """Compute the logits of a batch, in whatever mode the module is.

        Parameters
        ----------
        x : tensor of shape (n, ...)
            Samples on the device.
        precise : bool, default=False
            Whether to stay in float32 under mixed precision, and to run a compiled module as it
            was, for losses that are differentiated twice.

        Returns
        -------
        z : tensor of shape (n, n_classes)
            Logits in the dtype of the weights, float32 under mixed precision.
        """
        state = self._fit_state
        x = x.clone()  # the module may write on its input
        try:
            if state is None or precise or not state.mixed_precision:
                z = (uncompiled(self.module_) if precise else self.module_)(x)
            else:
                with bfloat16_pass(self.device_):
                    z = self.module_(x)
        except RuntimeError as error:
            check_dtype(self.module_, x, error)
            raise
        except AssertionError as error:
            explain_fixed_batch(error)
            raise
        if type(z) is not torch.Tensor or z.ndim != 2:
            z = check.as_rows(z, len(x))
        if not isinstance(z, Tensor):
            refuse_output(z)
        return z.float() if z.dtype == torch.bfloat16 else z

    # -- fit --------------------------------------------------------------------------------

    def fit(self, X: Any, y: ArrayLike | None = None, **fit_params: Any) -> BaseNet:
        """Train from scratch (or go on, with ``warm_start=True``).

        Parameters
        ----------
        X : array-like of shape (n_samples, ...) or torch Dataset
            Samples: (n, features), (n, H, W) or (n, C, H, W). Cast to float32.
        y : array-like of shape (n_samples,), optional
            Labels of any type; not needed when X is a Dataset of (sample, label) pairs.

        Returns
        -------
        self : object
            The fitted net.

        Raises
        ------
        ValueError
            If data or parameters make no sense, or the folder given as ``checkpoint`` is that of
            another fit; the message says what differs or what to type.
        TrainingDivergedError
            If the loss becomes NaN or infinite; the last good weights are kept.
        """
        self._refuse(fit_params)
        if not isinstance(self.warm_start, bool):
            check.check_flag("warm_start", self.warm_start)
        again = not (self.warm_start and self.initialized_)
        with recipe_given(self, warn=True):
            if again:
                self.check_whole_fit()
            return self._train(X, y, None, again, self.checkpoint if again else None)

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        **fit_params: Any,
    ) -> BaseNet:
        """Train ``max_epochs`` more epochs on these data.

        Parameters
        ----------
        X, y
            As for :meth:`fit`.
        classes : array-like, optional
            All labels that may ever come; needed in the first call when ``y`` misses some.

        Returns
        -------
        self : object
            The net.
        """
        fit_params.pop("_routing_method", None)
        self._refuse(fit_params)
        with recipe_given(self, warn=True):
            return self._train(X, y, classes, restart=not self.initialized_)

    # -- files ------------------------------------------------------------------------------

    @classmethod
    def from_module(
        cls, module: nn.Module, *, classes: ArrayLike, preprocess: Any = None, **params: Any
    ) -> BaseNet:
        """Wrap a trained torch module as a fitted net.

        Parameters
        ----------
        module : torch.nn.Module
            Returns logits (n, n_classes); the net keeps a copy.
        classes : array-like of shape (n_classes,)
            Label of each column.
        preprocess : callable or (mean, std), default=None
            What happens to a batch of tensors before the module sees it, such as
            ``torchvision.transforms.Normalize(mean, std)``, or the mean and standard deviation of
            each channel. It becomes part of the net, so that X and eps are in raw pixels.
        **params
            Parameters of the net.

        Returns
        -------
        net : object
            Fitted net that accepts samples of any shape the module accepts.
        """
        module = with_preprocessing(module, preprocess)
        check_callable(module)
        return _io.revive(cls(module, **params), np.asarray(classes), None)

    def save(self, path: str | os.PathLike) -> None:
        """Write parameters (JSON) and weights to one file; no pickle.

        Parameters
        ----------
        path : str or path-like
            File to write; :func:`sklearn_robust.nets.load_net` reads it and says what stays behind.
            A net, module or attack class of your own is named in the file and given again there.

        Raises
        ------
        TypeError
            If a parameter that predictions may depend on cannot be written as JSON.
        """
        self.check_is_fitted()
        _io.save_net(self, path)
