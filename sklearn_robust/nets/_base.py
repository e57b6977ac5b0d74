"""Base of all nets: a skorch classifier that keeps scikit-learn's promises."""

import numpy as np
import torch
from skorch import NeuralNet, NeuralNetClassifier
from skorch.utils import is_dataset
from torch import nn

from .. import _validation as check
from ..attacks import auto_batch_size
from ..differentiable._fast.copying import frozen_twin
from ._engine import datasets as _data
from ._engine.datasets import is_coded
from ._engine.device import resolve_device
from ._engine.fit import Trainer
from ._engine.module_checks import check_dtype, check_shape, check_tensor
from ._engine.precision import forward_precision
from ._engine.recipes import recipe_given
from ._engine.replayed_outputs import ReplayedOutputs
from ._engine.signature import merge_signatures
from ._persistence import save_load as _io

__all__ = ["BaseNet"]

_SKORCHS_OWN = {"initialized_", "virtual_params_"}  # with which skorch copies a net


class BaseNet(Trainer):
    """Base of all nets. A subclass writes :meth:`batch_loss`, its training objective.

    See :class:`NaturalNet` for the parameters that all nets share.
    """

    def __init__(
        self,
        module="auto",
        *,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=30,
        batch_size=64,
        device="auto",
        random_state=None,
        train_split=None,
        iterator_train__shuffle=True,
        augment=None,
        lr_schedule=None,
        recipe=None,
        init_from=None,
        amp=False,
        checkpoint=None,
        verbose=0,
        **kwargs,
    ):
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

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            nets = [base for base in cls.__mro__[1:] if issubclass(base, BaseNet)]
            owners = [base for base in nets if "__init__" in base.__dict__]
            merge_signatures(cls, *owners, NeuralNetClassifier, NeuralNet)

    # -- what a subclass says ---------------------------------------------------------------

    def batch_loss(self, x, y):
        """Return the loss of a batch (a scalar with a graph) and its logits.

        Parameters
        ----------
        x : tensor of shape (n, *input_shape_)
            Samples on the device; the module is in training mode.
        y : tensor of shape (n,), int64
            Class codes.
        """
        z = self.compute_logits(x)
        return self.criterion_(z, y), z

    def compute_logits(self, x, *, precise=False):
        """Logits (n, n_classes) of a batch, float32, in whatever mode the module is.

        ``precise`` keeps mixed precision away, for losses that are differentiated twice.
        """
        try:
            with forward_precision(self, precise):
                z = self.module_(x)
        except RuntimeError as error:
            check_dtype(self.module_, x, error)
            raise
        z = z[0] if isinstance(z, (tuple, list)) else z
        check_tensor(z)
        return z.float() if z.dtype == torch.bfloat16 else z

    # -- fit --------------------------------------------------------------------------------

    def fit(self, X, y=None, **fit_params):
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
        again = not (self.warm_start and self.initialized_)
        if again:
            with recipe_given(self):
                self._check_whole_fit()
        return self._train(X, y, None, again, self.checkpoint if again else None)

    def partial_fit(self, X, y=None, classes=None, **fit_params):
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
        return self._train(X, y, classes, restart=not self.initialized_)

    # -- predict ----------------------------------------------------------------------------

    def decision_function(self, X):
        """Logits of the samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples of the shape seen in fit.

        Returns
        -------
        z : array of shape (n_samples, n_classes), or (n_samples,) when there are two classes
            Logits; for two classes their difference, positive for ``classes_[1]``.
        """
        z = self._logits(X)
        return z[:, 1] - z[:, 0] if z.shape[1] == 2 else z

    def predict_proba(self, X):
        """Softmax of the logits, shape (n_samples, n_classes)."""
        return torch.from_numpy(self._logits(X)).softmax(1).numpy()

    def predict(self, X):
        """Most likely label of each sample, shape (n_samples,)."""
        codes = self._logits(X).argmax(1)
        # skorch's callbacks hand over datasets or batches whose labels are codes, and compare.
        return codes if is_coded(X) or self._is_replayed() else self.classes_[codes]

    def __setattr__(self, name, value):
        if name == "forward_iter":  # skorch's scoring callbacks set it while they score
            value = ReplayedOutputs(self, value)
        super().__setattr__(name, value)

    def _is_replayed(self):
        """Whether a scoring callback of this thread has put outputs in place of forward passes."""
        replayed = vars(self).get("forward_iter")
        return replayed is not None and replayed.serves_this_thread()

    def _logits(self, X):
        self.check_is_fitted()
        if self._is_replayed():
            return torch.cat(list(self.forward_iter(X, device="cpu"))).numpy()
        X = _data.samples_of(X) if is_dataset(X) else X
        X = check.validate_samples(self, X, reset=False)
        check.check_sample_shape(X, self.input_shape_, type(self).__name__)
        return self._frozen()._forward_batches(X)

    def _frozen(self):
        """Copy of the net with a frozen twin of its module, which no other thread uses."""
        net = object.__new__(type(self))
        vars(net).update(vars(self), module_=frozen_twin(self.module_), amp_=False)
        return net

    def _forward_batches(self, X):
        """Logits (n, n_classes) of checked samples, in batches of the size that suits the device.

        For a frozen net alone.
        """
        device = self.device_
        size = auto_batch_size(X[0].size, device)
        with torch.inference_mode():
            parts = [
                self.compute_logits(torch.tensor(X[start : start + size], device=device))
                for start in range(0, len(X), size)
            ]
            z = torch.cat(parts).cpu().numpy()
        check_shape(z, len(X), len(self.classes_))
        return z

    @property
    def classes_(self):
        """Labels in the order of the logits' columns."""
        try:
            return self.labels_
        except AttributeError:
            raise AttributeError(f"this {type(self).__name__} is not fitted yet") from None

    @property
    def n_iter_(self):
        """Number of epochs trained."""
        if not self.initialized_:
            raise AttributeError(f"this {type(self).__name__} is not fitted yet")
        return max(len(self.history), 1)

    @property
    def device_(self):
        """Device that holds the module."""
        return next((p.device for p in self.module_.parameters()), resolve_device(self.device))

    # -- files ------------------------------------------------------------------------------

    @classmethod
    def from_module(cls, module, *, classes, **params):
        """Wrap a trained torch module as a fitted net.

        Parameters
        ----------
        module : torch.nn.Module
            Returns logits (n, n_classes); copied.
        classes : array-like of shape (n_classes,)
            Label of each column.
        **params
            Parameters of the net.

        Returns
        -------
        net : object
            Fitted net that accepts samples of any shape the module accepts.
        """
        return _io.revive(cls(module, **params), np.asarray(classes), None)

    def save(self, path):
        """Write parameters (JSON) and weights to one file; no pickle.

        Parameters
        ----------
        path : str or path-like
            File to write; :func:`sklearn_robust.load_net` reads it and says what stays behind.

        Raises
        ------
        TypeError
            If a parameter that predictions may depend on cannot be written as JSON.
        """
        self.check_is_fitted()
        _io.save_net(self, path)
