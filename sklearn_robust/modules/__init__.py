"""Networks in plain torch: from a batch of samples in [0, 1] to logits."""

from ._auto import auto_module
from ._cifar import CIFARConvNet
from ._mlp import MLP
from ._mnist import MNISTConvNet
from ._preact_resnet import PreActResNet18
from ._wide_resnet import WideResNet

__all__ = [
    "CIFARConvNet",
    "MLP",
    "MNISTConvNet",
    "PreActResNet18",
    "WideResNet",
    "auto_module",
]
