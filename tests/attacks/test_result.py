"""Results of batches: which points are kept, and how parts are put together."""

import torch

from sklearn_robust.attacks._result import AttackResult


def result(fooled, loss, has_gradient):
    n = len(fooled)
    return AttackResult(
        x_adv=torch.zeros(n, 1),
        fooled=torch.tensor(fooled),
        loss=torch.tensor(loss, dtype=torch.float64),
        n_queries=torch.ones(n, dtype=torch.int64),
        has_gradient=torch.tensor(has_gradient),
    )


def test_success_is_kept_before_a_larger_loss():
    kept = result([True, False, False], [0.0, 5.0, 5.0], [0, 0, 0])
    rows, found = torch.arange(3), torch.tensor([False, True, False])
    kept.record(rows, torch.ones(3, 1), torch.tensor([9.0, 1.0, 5.0]), found)
    assert kept.x_adv.flatten().tolist() == [0, 1, 1]
    assert kept.fooled.tolist() == [True, True, False]
    assert kept.loss.tolist() == [0, 1, 5]


def test_a_later_attack_replaces_its_rows_and_adds_its_queries():
    kept = result([False, False, False], [0.0, 1.0, 2.0], [1, -1, -1])
    kept.update(torch.tensor([0, 2]), result([True, False], [7.0, 8.0], [-1, -1]))
    assert kept.fooled.tolist() == [True, False, False]
    assert kept.loss.tolist() == [7, 1, 8]
    assert kept.n_queries.tolist() == [2, 1, 2]
    assert kept.has_gradient.tolist() == [1, -1, -1]


def test_parts_are_joined_in_their_order():
    joined = AttackResult.join([result([True], [1.0], [0]), result([False], [2.0], [1])])
    assert joined.fooled.tolist() == [True, False]
    assert joined.loss.tolist() == [1, 2]
    assert joined.has_gradient.tolist() == [0, 1]
