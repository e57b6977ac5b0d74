"""Models whose layers, margins and features are known."""

import torch
from torch import nn
from torch.nn import functional as F


def randomized(module, seed=0):
    """The module in float64 with every weight and statistic drawn anew."""
    torch.manual_seed(seed)
    module = module.double()
    for p in module.parameters():
        p.data = torch.randn_like(p) * 0.4
    for name, b in module.named_buffers():
        if name.endswith("running_mean"):
            b.copy_(torch.randn_like(b))
        if name.endswith("running_var"):
            b.copy_(torch.rand_like(b) + 0.3)
    return module


class Shortcut(nn.Module):
    """A residual block before activation, with the sum of branch and shortcut."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.last = nn.Linear(3, 4)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.conv(F.relu(self.norm(x)))
        return self.last(x.mean((2, 3)))


class Functional(nn.Module):
    """No layer is a module."""

    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(3, 1, 3, 3))
        self.weight = nn.Parameter(torch.randn(4, 48))

    def forward(self, x):
        return F.linear(torch.relu(F.conv2d(x, self.kernel, padding=1)).flatten(1), self.weight)


class Twice(nn.Module):
    """One layer runs twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.last(F.relu_(self.conv(x)).flatten(1))


class Attention(nn.Module):
    """Attention and normalisation of each sample between linear layers."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.memory = nn.GRU(8, 8, batch_first=True)
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        x = self.norm(self.first(x))
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.last(self.memory(x)[0].mean(1))
