"""Ordinary training."""

from __future__ import annotations

from typing import Any

from torch import nn

from ._base import BaseNet

__all__ = ["NaturalNet"]


class NaturalNet(BaseNet):
    """Neural network trained on the clean samples alone.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        Returns logits (n, n_classes). "auto" builds an MLP for flat samples, the papers'
        MNIST net for one-channel images and their CIFAR-10 net for several channels. A class is
        called with ``input_shape`` and ``n_classes`` if it takes them, and with ``module__...``;
        an instance is copied, so that a second fit starts where the first one did.
    criterion : torch criterion class, default=CrossEntropyLoss
        Loss of the logits, averaged over the batch.
    optimizer : torch optimiser class, default=Adam
        Its arguments are ``optimizer__...``.
    lr : float, default=1e-3
        Learning rate.
    max_epochs : int, default=30
        Passes over the data.
    batch_size : int, default=64
        Samples a step; -1 takes all.
    device : str, default="auto"
        "auto" takes a GPU if there is one; "cpu", "cuda" and "cuda:1" say which.
    random_state : int, RandomState or None, default=None
        Seed of weights, shuffling, dropout and attacks. The same integer gives the same weights on
        the same machine; None draws another seed every time. The global generators are neither used
        nor changed.
    train_split : callable, default=None
        skorch's validation split, such as ``skorch.dataset.ValidSplit(5)``; None trains on
        all samples.
    iterator_train__shuffle : bool, default=True
        Whether to shuffle the samples every epoch.
    augment : {"crop-flip"} or callable, default=None
        Random change of each sample of a batch before any attack. "crop-flip" shifts images by up
        to an eighth of their sides and mirrors every other one; an instance of a class of
        ``torchvision.transforms.v2``, or any callable of one sample, is called sample by sample.
    lr_schedule : {"cyclic", "cosine"} or list of (int, float), default=None
        Factor of ``lr`` during one call of ``fit``. "cyclic" rises from 0 to 1 and falls to 0, and
        "cosine" falls from 1 to 0 along half a wave. A list holds pairs (first epoch, factor):
        ``[(31, 0.1), (61, 0.01)]`` keeps the factor 1 for thirty epochs. None leaves the rate to
        ``lr`` and skorch's ``LRScheduler``.
    recipe : {"fast-cifar", "gairat-resnet18", "trades-wrn"}, default=None
        Deprecated: type ``Net(**recipe_params(name))``, with
        :func:`sklearn_robust.nets.recipe_params`.
    init_from : path or FrozenEstimator, default=None
        Weights to begin ``fit`` with: a file of ``net.save``, or ``FrozenEstimator(net)``, of the
        same labels and the same architecture.
    amp : bool, default=False
        Whether training steps on a GPU run their forward passes in bfloat16. Weights,
        perturbations and their projection stay float32, as do losses that are differentiated
        twice, and predictions. On a CPU it does nothing, with a warning.
    checkpoint : path, default=None
        Folder that keeps the state of training after every epoch. A ``fit`` that was killed goes
        on from there when it is called again, and on a CPU ends with the weights of an unbroken
        one; one that ended is read back, if ``random_state`` is a number. Each combination of
        data, parameters, code and versions has a subfolder, so that the fits of a search may share
        a folder; a subfolder given here itself must be that of this fit. Your own code counts
        without its comments, docstrings, layout and import path. ``partial_fit`` and warm
        starts write none.
    verbose : int, default=0
        1 shows a progress bar, 2 skorch's table.
    **kwargs
        skorch's other parameters: ``callbacks``, ``warm_start``, ``module__...`` and so on.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained module.
    classes_ : array of shape (n_classes,)
        Labels.
    input_shape_ : tuple
        Shape of one sample.
    history : list
        Losses and seconds of every epoch.
    n_iter_ : int
        Epochs trained.

    See Also
    --------
    MinMaxNet : Trains on adversarial examples.
    JacobianRegNet : Penalises the gradient of the decision function.

    Notes
    -----
    Ctrl-C ends training early and keeps what was trained.

    Examples
    --------
    >>> from sklearn_robust import NaturalNet
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(300, random_state=0)
    >>> net = NaturalNet(lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(self, module: str | type[nn.Module] | nn.Module = "auto", **kwargs: Any) -> None:
        super().__init__(module, **kwargs)
