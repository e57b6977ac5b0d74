"""The record of a run: operations, modules, and a model that stays as it is."""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_robust.differentiable import as_module
from sklearn_robust.spectral._trace import trace_of
from tests.spectral.models import Shortcut, Twice, randomized


def traced(module, *shape):
    return trace_of(as_module(module), torch.zeros(2, *shape, dtype=torch.float64))


def test_each_run_of_a_module_has_a_name_and_a_shape():
    trace = traced(randomized(Twice()), 2, 4, 4)
    calls = {call.name: call.shape for call in trace.calls}
    assert calls == {
        "model": (2, 2, 4, 4), "conv": (2, 2, 4, 4), "conv:2": (2, 2, 2, 2), "last": (2, 8),
    }  # fmt: skip
    assert trace.nodes[trace.output].call.name == "last"


def test_a_node_knows_what_it_reads_and_who_reads_it():
    trace = traced(randomized(Shortcut()), 2, 6, 6)
    (total,) = (n for n, node in enumerate(trace.nodes) if node.op == "add")
    stem, branch = trace.nodes[total].inputs
    assert [trace.nodes[stem].call.name, trace.nodes[branch].call.name] == ["stem", "conv"]
    assert len(trace.consumers()[stem]) == 2
    assert trace.n_rows == 2 and trace.nodes[0].op == "input"


def test_a_result_in_place_replaces_the_one_before():
    class InPlace(nn.Linear):
        def forward(self, x):
            z = super().forward(x)
            F.relu_(z)
            return z

    trace = traced(InPlace(3, 2).double(), 3)
    assert trace.nodes[trace.output].op == "relu_"


def test_a_model_that_ignores_its_input_has_no_output_node():
    class Constant(nn.Linear):
        def forward(self, x):
            return self.weight[:, :2]

    assert traced(Constant(3, 2).double(), 3).output is None


def test_the_model_keeps_no_hooks_and_its_modules_are_not_those_of_the_trace():
    model = as_module(randomized(Twice()))
    trace = trace_of(model, torch.zeros(2, 2, 4, 4, dtype=torch.float64))
    own = set(model.modules())
    assert not any(call.module in own for call in trace.calls)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in own)
