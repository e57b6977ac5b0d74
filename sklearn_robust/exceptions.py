"""Warnings and errors that users may want to catch by name."""

__all__ = [
    "BlackBoxWarning",
    "CatastrophicOverfittingWarning",
    "NotBoundableError",
    "NotDifferentiableError",
    "NotLinearizableError",
    "StopTraining",
    "TrainingDivergedError",
    "UnitsWarning",
    "ZeroGradientWarning",
]


class NotBoundableError(ValueError):
    """A network holds an operation for which no bounds are known; the message names it."""


class NotDifferentiableError(TypeError):
    """An estimator, or a step of a pipeline, cannot be differentiated."""


class NotLinearizableError(ValueError):
    """A network is not affine after its non-linear parts are removed."""


class StopTraining(KeyboardInterrupt):
    """Raised by a callback to end training early; ``fit`` returns the net as it is then.

    A fit with a checkpoint has ended then, and does not resume.

    Examples
    --------
    >>> from sklearn_robust import NaturalNet
    >>> from sklearn_robust.callbacks import StopTraining, TrainingCallback
    >>> class Once(TrainingCallback):
    ...     def on_epoch_end(self, net, **kwargs):
    ...         raise StopTraining
    >>> NaturalNet(callbacks=[Once()], batch_size=2).fit([[0.0], [1.0]], [0, 1]).n_iter_
    1
    """


class BlackBoxWarning(UserWarning):
    """A black-box attack scored a model without a gradient; the score is an upper bound."""


class CatastrophicOverfittingWarning(UserWarning):
    """One-step adversarial training collapsed and was ended with earlier weights."""


class ZeroGradientWarning(UserWarning):
    """The gradient of an attack's loss is exactly zero at samples, which it could not move."""


class UnitsWarning(UserWarning):
    """A radius is tiny in the units of the data: nobody gave it, or it is meant for others."""


class TrainingDivergedError(FloatingPointError):
    """The training loss became NaN or infinite; the last good weights are kept."""
