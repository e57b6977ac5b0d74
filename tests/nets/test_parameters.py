"""No parameter of a net is without effect on what it learns."""

import inspect

import pytest
import torch
from skorch.dataset import ValidSplit

from sklearn_robust import (
    AdvTrainNet,
    CertifiedNet,
    ClusterRegNet,
    CURENet,
    FastATNet,
    FATNet,
    FreeATNet,
    GAIRATNet,
    JacobianRegNet,
    LLRNet,
    MARTNet,
    MinMaxNet,
    NaturalNet,
    SpectralRegNet,
    TRADESNet,
)
from sklearn_robust.attacks import BIM, FGSM, PGD
from tests.cases import NETS, Normalised, blobs, named, quick, same_weights

X, Y = blobs(60, labels=(0, 1, 2))

NORMALISED = {"module": Normalised, "module__n_classes": 3}
# Net, the setting in which a parameter counts, and another value of it than its default.
EFFECTS = [
    *(
        (net, {"attack__eps": 0.3}, {"eps_warm_up": 0})
        for net in (AdvTrainNet, FATNet, FastATNet, FreeATNet, GAIRATNet, MARTNet)
    ),
    *((net, {"attack__eps": 0.3}, {"eps_warm_up": 0}) for net in (MinMaxNet, TRADESNet)),
    *(
        (net, {**NORMALISED, "attack__eps": 0.3}, {"attack_mode": "train"})
        for net in (AdvTrainNet, FastATNet, GAIRATNet, MARTNet, MinMaxNet, TRADESNet)
    ),
    (ClusterRegNet, {**NORMALISED, "attack": PGD, "attack__eps": 0.3}, {"attack_mode": "train"}),
    (JacobianRegNet, {**NORMALISED, "adversarial": FGSM(eps=0.3)}, {"attack_mode": "train"}),
    (GAIRATNet, {"burn_in": 0, "base": "trades"}, {"weighted_term": "both"}),
    (AdvTrainNet, {}, {"adv_weight": 0.9}),
    (AdvTrainNet, {"attack__eps": 0.3}, {"attack": PGD}),
    (CertifiedNet, {"attack__eps": 0.3, "ibp_weight": 0.5}, {"attack": BIM}),
    (CertifiedNet, {"attack__eps": 0.3}, {"eps_warm_up": 0}),
    (CertifiedNet, {}, {"ibp_weight": 0.5}),
    (CertifiedNet, {}, {"ibp_init": False}),
    (CertifiedNet, {**NORMALISED, "attack__eps": 0.3, "ibp_weight": 0.5}, {"attack_mode": "train"}),
    (CertifiedNet, {"eps_warm_up": 2}, {"tightness": 10}),
    (ClusterRegNet, {"burn_in": 0}, {"superclasses": [0, 1, 1]}),
    (ClusterRegNet, {"burn_in": 0}, {"n_clusters": 1}),
    (ClusterRegNet, {"burn_in": 0}, {"lam": 3.0}),
    (ClusterRegNet, {"superclasses": [0, 1, 1]}, {"average": "superclass"}),
    (ClusterRegNet, {}, {"attack": PGD}),
    (ClusterRegNet, {"attack": PGD, "attack__eps": 0.3}, {"eps_warm_up": 0}),
    (ClusterRegNet, {}, {"burn_in": 0.9}),
    (CURENet, {}, {"lam": 0.1}),
    (CURENet, {}, {"eps": 0.3}),
    (CURENet, {}, {"warm_up": 3}),
    (FATNet, {"attack__eps": 0.3}, {"attack": BIM}),
    (FATNet, {"attack__eps": 0.3}, {"tau": 3}),
    (FastATNet, {}, {"attack": FGSM(eps=0.3)}),
    (FastATNet, {}, {"variant": "n"}),
    (FastATNet, {"attack__eps": 0.3}, {"alpha": 0.4}),
    (FastATNet, {"variant": "n"}, {"noise": 1.0}),
    (FreeATNet, {}, {"attack": FGSM(eps=0.3)}),
    (FreeATNet, {}, {"m": 2}),
    (GAIRATNet, {"burn_in": 0, "attack__eps": 0.3}, {"attack": BIM}),
    (GAIRATNet, {"burn_in": 0}, {"base": "trades"}),
    (GAIRATNet, {"burn_in": 0, "attack__eps": 0.2}, {"weight_fn": "linear"}),
    (GAIRATNet, {"burn_in": 0, "attack__eps": 0.2}, {"lam": 1.0}),
    (GAIRATNet, {"attack__eps": 0.2}, {"burn_in": 0}),
    (GAIRATNet, {"burn_in": 0, "attack__eps": 1.5, "attack__bounds": None}, {"kappa": "first"}),
    (GAIRATNet, {"base": "fat", "attack__eps": 0.3}, {"tau": 3}),
    (GAIRATNet, {"base": "mart"}, {"beta": 1.0}),
    (JacobianRegNet, {}, {"lam": 0.1}),
    (JacobianRegNet, {"lam": 0.1}, {"jacobian_norm": "l2"}),
    (JacobianRegNet, {"lam": 0.1}, {"jacobian_target": "loss"}),
    (JacobianRegNet, {"lam": 0.1}, {"variant": "random_projection"}),
    (JacobianRegNet, {"lam": 0.1, "variant": "finite_difference"}, {"difference_step": 0.2}),
    (JacobianRegNet, {}, {"adversarial": FGSM(eps=0.3)}),
    (JacobianRegNet, {"adversarial": FGSM(eps=0.3)}, {"eps_warm_up": 0}),
    (JacobianRegNet, {"adversarial": FGSM(eps=0.3)}, {"adv_weight": 0.9}),
    (JacobianRegNet, {"lam": 0.1}, {"warm_up": 1}),
    (JacobianRegNet, {"lam": 0.1}, {"penalty_fraction": 0.5}),
    (JacobianRegNet, {"lam": 0.1}, {"penalty_dtype": "bfloat16"}),
    (MARTNet, {"attack__eps": 0.3}, {"attack": BIM}),
    (MARTNet, {}, {"beta": 1.0}),
    (MinMaxNet, {"attack__eps": 0.3}, {"attack": BIM}),
    (TRADESNet, {}, {"attack": PGD(loss="margin")}),
    (TRADESNet, {}, {"beta": 1.0}),
    # What all nets share:
    (NaturalNet, {}, {"criterion": torch.nn.MultiMarginLoss}),
    (NaturalNet, {}, {"criterion__label_smoothing": 0.2}),
    (NaturalNet, {}, {"optimizer": torch.optim.SGD}),
    (NaturalNet, {}, {"optimizer__weight_decay": 0.1}),
    (NaturalNet, {}, {"lr": 0.1}),
    (NaturalNet, {}, {"lr_schedule": "cosine"}),
    (NaturalNet, {}, {"max_epochs": 3}),
    (NaturalNet, {}, {"batch_size": 7}),
    (NaturalNet, {}, {"random_state": 1}),
    (LLRNet, {}, {"lam": 0.1}),
    (LLRNet, {}, {"mu": 0.1}),
    (LLRNet, {}, {"eps": 0.3}),
    (LLRNet, {}, {"n_steps": 1}),
    (SpectralRegNet, {}, {"penalty": "srip"}),
    (SpectralRegNet, {}, {"lam": 0.1}),
    (SpectralRegNet, {"penalty": "spectral_norm"}, {"cap": 0.1}),
    (SpectralRegNet, {"penalty": "srip"}, {"power_iterations": 1}),
    (SpectralRegNet, {}, {"attack": PGD}),
    (SpectralRegNet, {"attack": PGD, "attack__eps": 0.3}, {"eps_warm_up": 0}),
    (SpectralRegNet, {**NORMALISED, "attack": PGD, "attack__eps": 0.3}, {"attack_mode": "train"}),
    (NaturalNet, {}, {"train_split": ValidSplit(4)}),
    (NaturalNet, {}, {"iterator_train__shuffle": False}),
    (NaturalNet, {}, {"iterator_train__drop_last": True}),
    (NaturalNet, {}, {"augment": torch.Tensor.sqrt}),
]


@pytest.mark.filterwarnings("ignore:variant='finite_difference'", "ignore:burn_in=0.9 takes all")
@pytest.mark.parametrize(("net", "setting", "change"), EFFECTS, ids=named)
def test_every_parameter_changes_what_is_learnt(net, setting, change):
    before, after = (quick(net, **{**setting, **more}).fit(X, Y) for more in ({}, change))
    assert not same_weights(before, after)


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_the_table_holds_every_parameter_of_a_net(net):
    own = {
        name
        for name, parameter in inspect.signature(net).parameters.items()
        if name not in inspect.signature(NaturalNet).parameters
    }
    refused = {FreeATNet: "attack_mode='train' changes nothing", FATNet: "stops samples one by one"}
    if net in refused:
        with pytest.raises(ValueError, match=refused[net]):
            quick(net, attack_mode="train").fit(X, Y)
        own.remove("attack_mode")
    assert own <= {name for owner, _, change in EFFECTS if owner is net for name in change}
