"""Random modules of more than forty layer types, with the twists that real code has."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

__all__ = ["LAYERS", "OUTPUTS", "TWISTS", "Recipe", "RandomModule", "random_recipe"]

N_CLASSES = 3
SHAPES = {"row": (8,), "image": (2, 6, 6), "sequence": (5, 4)}


class Function(nn.Module):
    """A step that is a function of the tensor, with a weight if it needs one."""

    def __init__(self, function, *weights):
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList([nn.Parameter(w) for w in weights])

    def forward(self, x):
        return self.function(x, *(w.to(x.dtype) for w in self.weights))


class Last(nn.Module):
    """The first of several outputs, as of recurrent layers and attention."""

    def __init__(self, layer, n_inputs=1):
        super().__init__()
        self.layer, self.n_inputs = layer, n_inputs

    def forward(self, x):
        return self.layer(*[x] * self.n_inputs)[0]


class OwnState(nn.Module):
    """A recurrent layer that makes its own zero state in ``forward``."""

    def __init__(self, width):
        super().__init__()
        self.layer = nn.GRU(width, 4, batch_first=True)

    def forward(self, x):
        return self.layer(x, torch.zeros(1, len(x), 4))[0]


class Residual(nn.Module):
    """A layer and its shortcut."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return x + self.layer(x)


class ComplexWeights(nn.Module):
    """Multiplication of the spectrum along the last axis by complex weights."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width // 2 + 1, dtype=torch.cfloat))

    def forward(self, x):
        return torch.fft.irfft(torch.fft.rfft(x) * self.weight, n=x.shape[-1])


def _pruned(width):
    layer = nn.Linear(width, 6)
    prune.random_unstructured(layer, "weight", amount=0.3)
    return layer


def _matrix(shape):
    return torch.randn(6, shape[-1]) / 2


def _square(x, weight):
    return F.bilinear(x, x, weight)


def _conv(shape, **options):
    return nn.Conv2d(shape[0], 4, 3, padding=1, **options)


def _block(convolution):
    return nn.Sequential(convolution, nn.BatchNorm2d(4), nn.ReLU(True))


def _heads(width):
    return Last(nn.MultiheadAttention(width, 2, batch_first=True), 3)


def _encoder(width):
    return nn.TransformerEncoderLayer(width, 2, 8, dropout=0.1, batch_first=True)


def _hidden(width):
    return nn.Sequential(nn.Linear(width, width), nn.Tanh())


def _attend(x):
    return F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None])[:, 0]


# name: (kinds of tensor it takes, maker of the layer from the shape of one sample). Where a layer
# does not fit the shape it fails on a trial input, and is left out.
ANY = ("row", "image", "sequence")
LAYERS = {
    "Linear": (("row", "sequence"), lambda s: nn.Linear(s[-1], 6)),
    "Linear without bias": (("row", "sequence"), lambda s: nn.Linear(s[-1], 5, bias=False)),
    "Bilinear": (("row",), lambda s: Function(_square, torch.randn(6, s[-1], s[-1]) / 4)),
    "functional linear": (("row", "sequence"), lambda s: Function(F.linear, _matrix(s))),
    "matmul": (("row", "sequence"), lambda s: Function(torch.matmul, torch.randn(s[-1], 6) / 2)),
    "einsum": (("row",), lambda s: Function(partial(torch.einsum, "bi,oi->bo"), _matrix(s))),
    "spectral norm": (("row",), lambda s: parametrizations.spectral_norm(nn.Linear(s[-1], 6))),
    "weight norm": (("row",), lambda s: parametrizations.weight_norm(nn.Linear(s[-1], 6))),
    "orthogonal": (("row",), lambda s: parametrizations.orthogonal(nn.Linear(s[-1], 6))),
    "pruned": (("row",), lambda s: _pruned(s[-1])),
    "ReLU": (ANY, lambda s: nn.ReLU()),
    "ReLU in place": (ANY, lambda s: nn.ReLU(inplace=True)),
    "relu_": (ANY, lambda s: Function(torch.relu_)),
    "LeakyReLU": (ANY, lambda s: nn.LeakyReLU(0.1)),
    "ELU": (ANY, lambda s: nn.ELU()),
    "SELU": (ANY, lambda s: nn.SELU()),
    "CELU": (ANY, lambda s: nn.CELU()),
    "GELU": (ANY, lambda s: nn.GELU()),
    "SiLU": (ANY, lambda s: nn.SiLU()),
    "Mish": (ANY, lambda s: nn.Mish()),
    "Softplus": (ANY, lambda s: nn.Softplus()),
    "Softsign": (ANY, lambda s: nn.Softsign()),
    "Tanh": (ANY, lambda s: nn.Tanh()),
    "Sigmoid": (ANY, lambda s: nn.Sigmoid()),
    "Hardtanh in place": (ANY, lambda s: nn.Hardtanh(inplace=True)),
    "Hardswish": (ANY, lambda s: nn.Hardswish()),
    "Hardsigmoid": (ANY, lambda s: nn.Hardsigmoid()),
    "LogSigmoid": (ANY, lambda s: nn.LogSigmoid()),
    "PReLU": (ANY, lambda s: nn.PReLU()),
    "RReLU": (ANY, lambda s: nn.RReLU()),
    "GLU": (("row", "image"), lambda s: nn.GLU(1)),
    "Softmax": (ANY, lambda s: nn.Softmax(1)),
    "LogSoftmax": (ANY, lambda s: nn.LogSoftmax(-1)),
    "Dropout": (ANY, lambda s: nn.Dropout(0.4)),
    "LayerNorm": (ANY, lambda s: nn.LayerNorm(s[-1])),
    "RMSNorm": (ANY, lambda s: nn.RMSNorm(s[-1])),
    "BatchNorm1d": (("row",), lambda s: nn.BatchNorm1d(s[0])),
    "BatchNorm2d": (("image",), lambda s: nn.BatchNorm2d(s[0])),
    "InstanceNorm2d": (("image",), lambda s: nn.InstanceNorm2d(s[0], affine=True)),
    "GroupNorm": (("image", "row"), lambda s: nn.GroupNorm(2, s[0])),
    "LocalResponseNorm": (("image",), lambda s: nn.LocalResponseNorm(2)),
    "Conv2d": (("image",), lambda s: nn.Conv2d(s[0], 4, 3, padding=1)),
    "Conv2d, strided": (("image",), lambda s: nn.Conv2d(s[0], 4, 3, stride=2, padding=1)),
    "Conv2d, grouped": (("image",), lambda s: nn.Conv2d(s[0], 4, 3, groups=2)),
    "Conv2d, reflected": (("image",), lambda s: _conv(s, padding_mode="reflect")),
    "Conv2d, dilated": (("image",), lambda s: nn.Conv2d(s[0], 4, 3, dilation=2, padding=2)),
    "functional conv2d": (("image",), lambda s: Function(F.conv2d, torch.randn(4, s[0], 3, 3) / 3)),
    "ConvTranspose2d": (("image",), lambda s: nn.ConvTranspose2d(s[0], 4, 3, padding=1)),
    "convolution and BatchNorm": (("image",), lambda s: _block(_conv(s, bias=False))),
    "MaxPool2d": (("image",), lambda s: nn.MaxPool2d(2)),
    "AvgPool2d": (("image",), lambda s: nn.AvgPool2d(2)),
    "AdaptiveAvgPool2d": (("image",), lambda s: nn.AdaptiveAvgPool2d(2)),
    "AdaptiveMaxPool2d": (("image",), lambda s: nn.AdaptiveMaxPool2d(2)),
    "LPPool2d": (("image",), lambda s: nn.LPPool2d(2, 2)),
    "PixelShuffle": (("image",), lambda s: nn.PixelShuffle(2)),
    "PixelUnshuffle": (("image",), lambda s: nn.PixelUnshuffle(2)),
    "ChannelShuffle": (("image",), lambda s: nn.ChannelShuffle(2)),
    "Upsample": (("image",), lambda s: nn.Upsample(scale_factor=2, mode="bilinear")),
    "ReflectionPad2d": (("image",), lambda s: nn.ReflectionPad2d(1)),
    "ZeroPad2d": (("image",), lambda s: nn.ZeroPad2d(1)),
    "LSTM": (("sequence",), lambda s: Last(nn.LSTM(s[-1], 4, batch_first=True))),
    "GRU": (("sequence",), lambda s: Last(nn.GRU(s[-1], 4, batch_first=True))),
    "RNN": (("sequence",), lambda s: Last(nn.RNN(s[-1], 4, batch_first=True))),
    "GRU, own state": (("sequence",), lambda s: OwnState(s[-1])),
    "MultiheadAttention": (("sequence",), lambda s: _heads(s[-1])),
    "dot-product attention": (("sequence",), lambda s: Function(_attend)),
    "TransformerEncoderLayer": (("sequence",), lambda s: _encoder(s[-1])),
    "Conv1d": (("sequence",), lambda s: nn.Conv1d(s[0], 4, 3, padding=1)),
    "MaxPool1d": (("sequence",), lambda s: nn.MaxPool1d(2)),
    "complex weights": (ANY, lambda s: ComplexWeights(s[-1])),
    "cumsum": (ANY, lambda s: Function(lambda x: x.cumsum(-1))),
    "sort": (ANY, lambda s: Function(lambda x: x.sort(-1).values)),
    "chunk and cat": (ANY, lambda s: Function(lambda x: torch.cat(x.chunk(2, -1)[::-1], -1))),
    "residual": (("row", "sequence"), lambda s: Residual(_hidden(s[-1]))),
    "residual convolution": (("image",), lambda s: Residual(nn.Conv2d(s[0], s[0], 3, padding=1))),
    "addition in place": (ANY, lambda s: Function(lambda x: x.mul(2).sub_(0.5))),
    "masked fill": (ANY, lambda s: Function(lambda x: x.masked_fill(x < -1, 0.0))),
    "clamp": (ANY, lambda s: Function(lambda x: x.clamp(-0.8, 0.8))),
    "abs": (ANY, lambda s: Function(torch.abs)),
    "positions": (ANY, lambda s: Function(lambda x: x + torch.linspace(0, 1, x.shape[-1]))),
}  # fmt: skip

# What real code does besides.
TWISTS = (
    "in place on the input",
    "float64 weights",
    "float16 weights",
    "bfloat16 weights",
    "float16 inside",
    "mixed weights",
    "frozen weights",
    "shared weights",
    "detached shortcut",
    "no gradient",
    "batch mean",
    "batch norm without statistics",
    "counts its calls",
    "keeps its last output",
    "train stays on",
    "hooks",
    "module-level state",
)
FLATTEN = ("flatten", "view", "reshape", "mean")
OUTPUTS = ("tensor", "tuple", "list", "dict", "attribute")
CHEAP = {"float16 weights": torch.float16, "bfloat16 weights": torch.bfloat16}

SEEN = {"calls": 0}  # the state of "module-level state"


@dataclass(frozen=True)
class Recipe:
    """What makes a random module, and nothing else does.

    Parameters
    ----------
    kind : {"row", "image", "sequence"}
        Of the samples.
    layers : tuple of str
        Names in ``LAYERS``; those that do not fit the shape are left out.
    twists : frozenset of str
        Names in ``TWISTS``.
    flatten, output : str
        How the head is reached, and how the logits are returned.
    seed : int
        Of the weights and the samples.
    """

    kind: str
    layers: tuple
    twists: frozenset = frozenset()
    flatten: str = "flatten"
    output: str = "tensor"
    seed: int = 0

    def build(self):
        torch.manual_seed(self.seed)
        return RandomModule(self).eval()

    def samples(self, n=6):
        rng = np.random.default_rng(self.seed)
        return rng.uniform(-1, 1, (n, *SHAPES[self.kind])).astype(np.float32)


@dataclass
class Output:
    """An output with a field for the logits, as Hugging Face has."""

    logits: torch.Tensor
    loss: object = None


class RandomModule(nn.Module):
    """A module by a recipe."""

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.steps, self.used = recipe, nn.ModuleList(), []
        shape, x = SHAPES[recipe.kind], torch.rand(2, *SHAPES[recipe.kind])
        for name in recipe.layers:
            x = self._append(name, x) if recipe.kind in LAYERS[name][0] else x
        if "batch norm without statistics" in recipe.twists and x.ndim > 2:
            self.steps.append(nn.BatchNorm1d(x.shape[1], track_running_stats=False).eval())
            self.steps[-1] = _OnFlat(self.steps[-1])
        elif "batch norm without statistics" in recipe.twists:
            self.steps.append(nn.BatchNorm1d(x.shape[1], track_running_stats=False))
        width = x.flatten(2).mean(2).shape[1] if self._pools(x) else x[0].numel()
        self.head = nn.Linear(width, N_CLASSES)
        nn.init.normal_(self.head.weight, std=2 / width**0.5)
        self._twist(shape)

    def _append(self, name, x):
        try:
            layer = LAYERS[name][1](tuple(x.shape[1:])).eval()
            with torch.no_grad():
                out = layer(x.clone())
        except (RuntimeError, ValueError, TypeError, AssertionError, IndexError):
            return x
        good = out.ndim == x.ndim and len(out) == len(x) and 2 <= out[0].numel() <= 600
        if not good or not bool(torch.isfinite(out).all()):
            return x
        self.steps.append(layer)
        self.used.append(name)
        return out

    def _pools(self, x):
        return self.recipe.flatten == "mean" and x.ndim > 2

    def _twist(self, shape):
        twists = self.recipe.twists
        if "shared weights" in twists:
            self.tied = nn.Linear(N_CLASSES, N_CLASSES)
            self.again = self.tied
        if "counts its calls" in twists:
            self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        if "frozen weights" in twists:
            for weight in list(self.parameters())[::2]:
                weight.requires_grad_(False)
        if "float64 weights" in twists:
            self.double()
        if "mixed weights" in twists:
            self.head.double()
        for twist, dtype in CHEAP.items():
            if twist in twists:
                self.to(dtype)
        if "hooks" in twists:
            self.head.register_forward_hook(lambda module, given, out: out * 1.5)

    def train(self, mode=True):
        super().train(mode)
        if "train stays on" in self.recipe.twists:
            self.training = True  # of this module alone, which looks at it nowhere
        return self

    def forward(self, x):
        twists = self.recipe.twists
        if "in place on the input" in twists:
            x = x.sub_(0.1).mul_(1.1)
        x = self._to_weights(x)
        if "no gradient" in twists:
            with torch.no_grad():
                h = self._body(x)
        else:
            h = self._body(x)
        if "batch mean" in twists:
            h = h - h.mean(0, keepdim=True)
        return self._returned(self._logits(h))

    def _to_weights(self, x):
        for step in self.steps:
            for weight in step.parameters():
                if weight.is_floating_point():
                    return x.to(weight.dtype)
        return x

    def _body(self, x):
        for step in self.steps:
            out = step(x)
            detached = "detached shortcut" in self.recipe.twists and out.shape == x.shape
            x = out + x.detach() if detached else out
        if "float16 inside" in self.recipe.twists:
            x = x.half().to(x.dtype)
        return x

    def _logits(self, h):
        if self._pools(h):
            h = h.flatten(2).mean(2)
        elif self.recipe.flatten == "view":
            h = h.view(h.size(0), -1)
        elif self.recipe.flatten == "reshape":
            h = h.reshape(len(h), -1)
        else:
            h = torch.flatten(h, 1)
        z = self.head(h.to(self.head.weight.dtype))
        if "shared weights" in self.recipe.twists:
            z = self.again(torch.tanh(self.tied(z)))
        if "counts its calls" in self.recipe.twists:
            self.calls += 1
        if "module-level state" in self.recipe.twists:
            SEEN["calls"] += 1
        if "keeps its last output" in self.recipe.twists:
            self.last = z
        return z

    def _returned(self, z):
        kinds = {
            "tensor": z,
            "tuple": (z, None),
            "list": [z],
            "dict": {"logits": z, "features": z * 0},
            "attribute": Output(z),
        }
        return kinds[self.recipe.output]


class _OnFlat(nn.Module):
    """A layer of channels on samples of any rank."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x.flatten(2)).reshape(x.shape)


def random_recipe(rng, twisted=0.7):
    """Draw a recipe.

    Parameters
    ----------
    rng : numpy Generator
        Source.
    twisted : float
        Share of recipes with a twist.
    """
    kind = str(rng.choice(list(SHAPES)))
    fitting = [name for name, (kinds, _) in LAYERS.items() if kind in kinds]
    layers = tuple(str(name) for name in rng.choice(fitting, int(rng.integers(1, 6))))
    n_twists = int(rng.integers(1, 3)) if rng.random() < twisted else 0
    twists = frozenset(str(t) for t in rng.choice(TWISTS, n_twists, replace=False))
    flatten = str(rng.choice(FLATTEN))
    output = str(rng.choice(OUTPUTS, p=[0.6, 0.1, 0.1, 0.1, 0.1]))
    return Recipe(kind, layers, twists, flatten, output, int(rng.integers(2**31)))
