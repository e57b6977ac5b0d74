"""Cost of the class weights of a linearised network, relative to backward passes through it.

Run with ``python examples/benchmarks/bench_clustering.py``. The networks have random weights, ten
classes and 32 x 32 pixels. The script uses one torch thread and prints medians of process time over
interleaved rounds.
"""

import torch
from _timing import print_table, ratios

from sklearn_robust.clustering import class_weight_matrix, linearize
from sklearn_robust.modules import CIFARConvNet, PreActResNet18

SHAPE = (3, 32, 32)


def backward_passes(network):
    """One forward pass of one image, and the gradient of each of ten logits in its pixels."""
    x = torch.zeros(1, *SHAPE, requires_grad=True)

    def run():
        z = network(x)
        for logit in z[0]:
            torch.autograd.grad(logit, x, retain_graph=True)

    return run


def both_passes(network):
    """A forward and a backward pass for each of ten classes."""
    x = torch.zeros(1, *SHAPE, requires_grad=True)

    def run():
        for number in range(10):
            torch.autograd.grad(network(x)[0, number], x)

    return run


def weights_cost():
    """Class weights, a check of affinity included, against plain gradients."""
    for factory in (CIFARConvNet, PreActResNet18):
        torch.manual_seed(0)
        network = factory(SHAPE, 10).eval().requires_grad_(False)
        ways = {
            "ten backward passes": backward_passes(network),
            "ten forward and backward passes": both_passes(network),
            "linearize, check, one output": lambda f=network: linearize(f)(torch.zeros(1, *SHAPE)),
            "class_weight_matrix": lambda f=network: class_weight_matrix(f, input_shape=SHAPE),
        }
        rows = ratios(ways, n_rounds=5)
        print_table(f"{factory.__name__}, 10 classes, one image", rows, {"class_weight_matrix": 3})


if __name__ == "__main__":
    torch.set_num_threads(1)
    weights_cost()
