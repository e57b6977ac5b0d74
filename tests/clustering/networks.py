"""Networks to linearise: every way to write one, and those that cannot be."""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_robust.modules import CIFARConvNet, MNISTConvNet, PreActResNet18, WideResNet

IMAGE = (2, 8, 8)


def settled(network, seed=0):
    """The network with random statistics and scales in BatchNorm, in eval mode."""
    generator = torch.Generator().manual_seed(seed)

    def between(low, high, like):
        return low + (high - low) * torch.rand(like.shape, generator=generator)

    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.copy_(between(-1, 1, part.running_mean))
            part.running_var.copy_(between(0.5, 2, part.running_var))
            part.weight.data.copy_(between(0.5, 2, part.weight))
            part.bias.data.copy_(between(-1, 1, part.bias))
    return network.eval()


class Calls(nn.Module):
    """Non-linear parts as functions, methods and in-place calls; it writes on its input, too."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        x += 1
        x = F.relu(self.first(x), inplace=True)
        x = F.max_pool2d(F.dropout(x), 3, stride=2, padding=1)
        buffer = torch.zeros_like(x)
        buffer[:, 1:] = x[:, 1:].clone().tanh_()
        return self.last(F.gelu(buffer - x.clamp(0, 1)).mean((2, 3)))


class Branches(nn.Module):
    """Branches that are concatenated, strided shortcuts, weights shaped by activations."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 3, 3, 2, padding=1), nn.Conv2d(2, 3, 1, 2)
        self.norm, self.act = nn.BatchNorm2d(6), nn.SiLU()
        self.weight = nn.Parameter(torch.randn(3, 96))

    def forward(self, x):
        x = self.act(self.norm(torch.cat([self.a(x), self.b(x)], 1)))
        return F.softmax(F.linear(x.flatten(1), F.softplus(self.weight)), dim=1)


class Slices(nn.Module):
    """Features that are written into slices of a tensor which is there before them."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.last = nn.Linear(128, 3), nn.Linear(128, 3), nn.Linear(6, 3)

    def forward(self, x):
        out = torch.zeros(len(x), 6, dtype=x.dtype)
        out[:, :3].copy_(self.a(x.flatten(1)))
        out[:, 3:].add_(self.b(x.flatten(1)))
        return self.last(F.relu(out))


class Normed(nn.Module):
    """A residual block with the activation after the sum, and a hidden layer with BatchNorm1d."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(2, 2, 3, padding=1, bias=False),
            nn.BatchNorm2d(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(2, 2, 3, padding=1, bias=False),
            nn.BatchNorm2d(2),
        )
        self.pool = nn.AdaptiveMaxPool2d(2)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(8, 8), nn.BatchNorm1d(8), nn.PReLU(), nn.Linear(8, 3)
        )

    def forward(self, x):
        return self.head(self.pool(torch.relu(x + self.block(x))))


def networks():
    """Linearisable networks of images, by name; built anew on every call."""
    torch.manual_seed(0)
    made = {
        "calls": Calls(),
        "branches": Branches(),
        "slices": Slices(),
        "residual": Normed(),
        "max-pool, ceil": nn.Sequential(
            nn.Conv2d(2, 4, 3),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Flatten(),
            nn.Linear(36, 3),
            nn.LogSoftmax(1),
        ),
        "avg-pool": nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.ELU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 3)
        ),
        "CIFARConvNet": CIFARConvNet(IMAGE, 4, channels=(4, 4, 8)),
        "CIFARConvNet without BN": CIFARConvNet(IMAGE, 4, channels=(4, 4, 8), batch_norm=False),
        "MNISTConvNet": MNISTConvNet(IMAGE, 4, channels=(4, 4), kernel_size=3, hidden=8),
        "PreActResNet18": PreActResNet18(IMAGE, 4, channels=(4, 4, 8, 8)),
        "WideResNet": WideResNet(IMAGE, 4, depth=8, widen_factor=1),
    }
    return {name: settled(network) for name, network in made.items()}


LINEARIZABLE = sorted(networks())


class Head(nn.Module):
    """Something before three logits of six features."""

    def __init__(self):
        super().__init__()
        self.inner, self.last = nn.Linear(6, 6), nn.Linear(6, 3)


class Gate(Head):
    def forward(self, x):
        return self.last(x * torch.sigmoid(self.inner(x)))


class Recurrent(Head):
    def __init__(self):
        super().__init__()
        self.inner = nn.LSTM(2, 6, batch_first=True)

    def forward(self, x):
        return self.last(self.inner(x.unflatten(1, (3, 2)))[0][:, -1])


class Attention(Head):
    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(2, 1, batch_first=True)

    def forward(self, x):
        x = x.unflatten(1, (3, 2))
        return self.last(self.inner(x, x, x)[0].flatten(1))


class OwnAttention(Head):
    def forward(self, x):
        x = x.unflatten(1, (3, 2))
        return self.last(F.scaled_dot_product_attention(x, x, x).flatten(1))


class Direction(Head):
    def forward(self, x):
        return self.last(x / x.norm(dim=1, keepdim=True))


class Square(Head):
    def forward(self, x):
        return self.last(self.inner(x) ** 2)


class Reciprocal(Head):
    def forward(self, x):
        return self.last(1 / x)


class Mask(Head):
    def forward(self, x):
        return self.last(torch.where(x > 0, x, 0.1 * x))


class Step(Head):
    def forward(self, x):
        return self.last(x) + 100 * (x[:, :3] > 0)


class Centred(Head):
    def forward(self, x):
        with torch.no_grad():
            mean = x.mean(1, keepdim=True)
        return self.last(x - mean)


class StraightThrough(Head):
    def forward(self, x):
        return self.last(x + (torch.round(x) - x).detach())


class Fork(Head):
    def forward(self, x):
        return self.last(self.inner(x) if (x > 0).any() else x)


class Reading(Head):
    def forward(self, x):
        return self.last(self.inner(x)) * x.sum().item()


class Deaf(Head):
    def forward(self, x):
        return self.last(0 * x)


class Detached(Head):
    def forward(self, x):
        return self.last(x.detach())


class Batchwise(Head):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(6, track_running_stats=False)

    def forward(self, x):
        return self.last(self.norm(x))


class Dilated(Head):
    def forward(self, x):
        return self.last(F.pad(F.max_pool1d(x[:, None], 2, dilation=2)[:, 0], (0, 3)))


class Places(Head):
    def forward(self, x):
        pooled, places = F.max_pool1d(x[:, None], 2, return_indices=True)
        return self.last(F.max_unpool1d(pooled, places, 2)[:, 0])


class Random(Head):
    def forward(self, x):
        return self.last(F.fractional_max_pool2d(x.view(-1, 1, 2, 3), 1, (2, 3)).flatten(1))


class Refined(Head):
    """Rounding to tenths, which is lost in the sum over one large input."""

    def forward(self, x):
        return self.last(torch.round(10 * x) / 10 - x.detach() + x)


class AnyWidth(nn.Module):
    """Six logits of rows of any width."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.last = nn.Linear(8, 6)

    def forward(self, x):
        return self.last(F.adaptive_avg_pool1d(x[:, None], 8)[:, 0])


def points(n=2, shape=IMAGE, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, *shape, generator=generator, dtype=torch.float64)


# Networks that cannot be linearised, and what the message must say.
REFUSED = {
    Gate: "not affine, because of mul",
    Recurrent: "because of lstm",
    Attention: "because of multi_head_attention_forward",
    OwnAttention: "because of scaled_dot_product_attention",
    Direction: "because of div, norm",
    Square: "because of pow",
    Reciprocal: "because of rdiv",
    Mask: "because of gt, where",
    Step: "because of gt",
    Centred: "not affine, because of its own code",
    StraightThrough: "because of detach, round",
    Refined: "because of detach, round",
    Fork: "depends on the data .__bool__",
    Reading: "depends on the data .item",
    Deaf: "constant",
    Detached: "constant",
    Batchwise: "batch_norm='drop'",
    Dilated: "dilation",
    Places: "places of the maxima",
    Random: "fractional_max_pool2d pools windows of random sizes",
}
