"""The worst case of several attacks."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sklearn_robust.attacks import FAB, FGSM, PGD, DeepFool, WorstCase
from tests.attacks.models import curved, lengths, linear, predicted, samples


class TestWorstCase:
    def members(self):
        return [FGSM(loss="margin"), PGD(max_iter=5), PGD(max_iter=5, loss="dlr"), DeepFool()]

    def test_no_sample_withstands_that_a_member_fools(self):
        model, x = curved(width=40), samples(80)
        y = predicted(model, x)
        cascade = WorstCase(self.members(), eps=0.25, norm="linf", random_state=0)
        withstood = cascade.robust_mask(model, x, y)
        assert 0 < withstood.sum() < len(x)
        for member in self.members():
            member.set_params(eps=0.25, norm="linf", random_state=0)
            assert (withstood <= member.robust_mask(model, x, y)).all(), member

    def test_samples_that_are_fooled_are_not_shown_to_the_next(self):
        model, x = linear(2), samples(60)
        y = predicted(model, x).numpy()
        X = x.float().numpy()
        first = FGSM(eps=0.3).evaluate(model, X, y)
        both = WorstCase([FGSM(), PGD(max_iter=7)], eps=0.3).evaluate(model, X, y)
        assert 0 < first.fooled.sum() < len(x)
        assert np.array_equal(both.fooled, first.fooled)
        assert both.n_queries[first.fooled].max() < 7 < both.n_queries[~first.fooled].min()

    def test_verdict_and_evaluation_agree(self):
        model, x = curved(width=40), samples(80)
        y = predicted(model, x)
        cascade = WorstCase(eps=0.2, random_state=0)
        result = cascade.evaluate(model, x.float().numpy(), y.numpy())
        assert np.array_equal(
            ~result.fooled, cascade.robust_mask(model, x.float().double(), y).numpy()
        )

    def test_settings_of_the_cascade_hold_for_all_members(self):
        model, x = curved(), samples()
        y = predicted(model, x)
        cascade = WorstCase([FGSM(eps=9.0), PGD(eps=9.0)], eps=0.1, norm="l2", random_state=0)
        x_adv = cascade.perturb(model, x, y)
        assert lengths(x_adv, x, "l2").max() <= 0.1

    def test_clean_errors_are_no_successes_of_an_attack(self):
        model, x = linear(3), samples(30)
        wrong = (predicted(model, x) + 1) % 3
        result = WorstCase(eps=0.0).evaluate(model, x.float().numpy(), wrong.numpy())
        assert result.fooled.all() and (result.distance == 0).all()
        assert (result.n_queries == 1).all()

    @pytest.mark.parametrize(
        ("attacks", "match"),
        [
            ([], "empty"),
            ([PGD(), PGD(targeted=True)], "targeted"),
            ([PGD(), FAB()], "FAB in a cascade needs a radius"),
            ([PGD(loss="unknown")], "loss is 'unknown'"),
        ],
    )
    def test_what_cannot_be_a_cascade_is_refused(self, attacks, match):
        with pytest.raises(ValueError, match=match):
            WorstCase(attacks).perturb(linear(), samples(), torch.zeros(12, dtype=torch.int64))


def test_members_of_a_cascade_share_its_box():
    X, y = np.random.default_rng(0).random((20, 4)), [0, 1] * 10
    model = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match="PGD has bounds=None, .* share one box: .*WorstCase"):
        WorstCase([PGD(bounds=None)]).evaluate(model, X, y)
    WorstCase([PGD(bounds=None)], bounds=None, random_state=0).evaluate(model, X, y)
