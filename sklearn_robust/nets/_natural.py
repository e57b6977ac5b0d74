"""Ordinary training."""

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
        Seed of weights, shuffling, dropout and attacks. The same integer gives the same bits on
        the same machine; None is another seed every time. No global generator is read or moved.
    train_split : callable, default=None
        skorch's validation split, such as ``skorch.dataset.ValidSplit(5)``; None trains on
        all samples.
    iterator_train__shuffle : bool, default=True
        Whether to shuffle the samples every epoch.
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
    MinMaxNet : Trains on worst-case samples.
    JacobianRegNet : Penalises the gradient of the decision function.

    Notes
    -----
    Training with a keyboard interrupt ends early and keeps what was trained.

    Examples
    --------
    >>> from sklearn_robust import NaturalNet
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(300, random_state=0)
    >>> net = NaturalNet(lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(self, module="auto", **kwargs):
        super().__init__(module, **kwargs)
