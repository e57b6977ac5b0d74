"""One way of calling the attacks of all libraries: arrays in, adversarial arrays out.

The tables leave out a library that is not installed or does not have an attack.
"""

import contextlib
import importlib
import io
import warnings

import numpy as np
import torch
from torch import nn

from sklearn_robust import attacks as ours

__all__ = ["ATTACKS", "LIBRARIES", "attack_of", "autoattack", "fooled", "quiet"]

LIBRARIES = ("sklearn_robust", "torchattacks", "foolbox", "ART")
_MODULES = {"foolbox": "foolbox", "torchattacks": "torchattacks", "ART": "art.attacks.evasion"}

# Attack: norm, parameters, and its name in each library.
ATTACKS = {
    "FGSM": ("linf", {}, "FGSM", "LinfFastGradientAttack", "FastGradientMethod"),
    "BIM-10": ("linf", {"steps": 10}, "BIM", "LinfBasicIterativeAttack", "BasicIterativeMethod"),
    "PGD-40": ("linf", {"steps": 40}, "PGD", "LinfPGD", "ProjectedGradientDescentPyTorch"),
    "MI-FGSM-10": ("linf", {"steps": 10}, "MIFGSM", None, "MomentumIterativeMethod"),
    "PGD-40 l2": ("l2", {"steps": 40}, "PGDL2", "L2PGD", "ProjectedGradientDescentPyTorch"),
    "APGD-CE-100": ("linf", {"steps": 100}, "APGD", None, "AutoProjectedGradientDescent"),
    "DeepFool-50 l2": ("l2", {"steps": 50}, "DeepFool", "L2DeepFoolAttack", "DeepFool"),
    "C&W-50 l2": ("l2", {"steps": 50}, "CW", "L2CarliniWagnerAttack", "CarliniL2Method"),
    "Square-1000": ("linf", {"steps": 1000}, "Square", None, "SquareAttack"),
}
_OURS = {"PGDL2": "PGD", "CW": "CarliniWagner"}
_N_SEARCHES = 6  # of the constant in C&W, where a library searches it
_OVERSHOOT = 0.02


@contextlib.contextmanager
def quiet():
    """Without the prints, bars and warnings of the libraries."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def fooled(subject, X_adv, eps, norm):
    """Which samples lie within the radius and are classified wrongly."""
    gap = (X_adv.astype(float) - subject.X).reshape(len(X_adv), -1)
    size = np.linalg.norm(gap, {"linf": np.inf, "l2": 2}[norm], axis=1)
    clean = subject.net.predict(subject.X) != subject.y
    return clean | ((subject.net.predict(X_adv) != subject.y) & (size <= eps * (1 + 1e-5)))


def _module(subject):
    return subject.net.module_.eval()


def attack_of(library, name, subject, eps):
    """A function of no arguments that returns the adversarial samples; None if there is none."""
    norm, settings, *names = ATTACKS[name]
    called = dict(zip(LIBRARIES[1:], names, strict=True))[library] if library in _MODULES else None
    if library == "sklearn_robust":
        return _ours(_OURS.get(names[0], names[0]), norm, settings, subject, eps)
    if called is None:
        return None
    try:
        attacks = importlib.import_module(_MODULES[library])
    except ImportError:
        return None
    make = {"torchattacks": _torchattacks, "foolbox": _foolbox, "ART": _art}[library]
    return make(attacks, called, norm, settings, subject, eps)


def _ours(called, norm, settings, subject, eps):
    params = {"norm": norm, "eps": None if called in ("DeepFool", "CarliniWagner") else eps}
    if "steps" in settings:
        params["max_iter"] = settings["steps"]
    if called in ("BIM", "MIFGSM", "PGD"):
        params["step_size"] = _step(eps, settings)
    if called in ("PGD", "APGD", "Square"):
        params["random_state"] = 0
    if called == "DeepFool":
        params["overshoot"] = _OVERSHOOT
    if called == "CarliniWagner":
        params["n_searches"] = _N_SEARCHES
    if called == "FGSM":
        params.pop("max_iter", None)
    attack = getattr(ours, called)(bounds=(0, 1), **params)
    verdict = params["eps"] is not None  # fooled samples leave
    if verdict:
        return lambda: attack.evaluate(subject.net, subject.X, subject.y).X_adv
    return lambda: attack.generate(subject.net, subject.X, subject.y)


def _step(eps, settings):
    """Length of a step: a quarter of the radius for ten, a thirtieth for forty."""
    return eps * {10: 1 / 4, 40: 1 / 30}[settings["steps"]]


def _torchattacks(attacks, called, norm, settings, subject, eps):
    params = dict(settings)
    if called not in ("DeepFool", "CW"):
        params["eps"] = eps
    if called in ("BIM", "MIFGSM", "PGD", "PGDL2"):
        params["alpha"] = _step(eps, settings)
    if called == "Square":
        params["n_queries"] = params.pop("steps")
    attack = getattr(attacks, called)(_module(subject), **params)
    X, y = torch.from_numpy(subject.X), torch.from_numpy(subject.y)
    return lambda: attack(X, y).detach().numpy()


def _foolbox(foolbox, called, norm, settings, subject, eps):
    params = dict(settings)
    free = called in ("L2DeepFoolAttack", "L2CarliniWagnerAttack")
    if called in ("LinfBasicIterativeAttack", "LinfPGD", "L2PGD"):
        params["abs_stepsize"] = _step(eps, settings)
    if called == "L2CarliniWagnerAttack":
        params |= {"binary_search_steps": _N_SEARCHES, "initial_const": 1.0}
    attack = getattr(foolbox.attacks, called)(**params)
    model = foolbox.PyTorchModel(_module(subject), bounds=(0, 1), device="cpu")
    X, y = torch.from_numpy(subject.X), torch.from_numpy(subject.y)
    radius = None if free else eps
    return lambda: attack(model, X, y, epsilons=radius)[1 if radius else 0].detach().numpy()


def _art(attacks, called, norm, settings, subject, eps):
    from art.estimators.classification import PyTorchClassifier

    model = PyTorchClassifier(
        _module(subject),
        loss=nn.CrossEntropyLoss(),
        input_shape=subject.X.shape[1:],
        nb_classes=10,
        clip_values=(0, 1),
        device_type="cpu",
    )
    params = {"batch_size": len(subject.X)}
    if "steps" in settings:
        params["max_iter"] = settings["steps"]
    if called not in ("DeepFool", "CarliniL2Method"):
        params["eps"] = eps
    if called in ("FastGradientMethod", "ProjectedGradientDescentPyTorch"):
        params["norm"] = {"linf": np.inf, "l2": 2}[norm]
    if settings.get("steps") in (10, 40):
        params["eps_step"] = _step(eps, settings)
    if called == "ProjectedGradientDescentPyTorch":
        params["num_random_init"] = 1
    if called == "AutoProjectedGradientDescent":
        params |= {"loss_type": "cross_entropy", "nb_random_init": 1, "eps_step": 2 * eps}
    if called == "DeepFool":
        params["epsilon"] = _OVERSHOOT
    if called == "CarliniL2Method":
        params |= {"binary_search_steps": _N_SEARCHES, "initial_const": 1.0}
    if called != "FastGradientMethod":
        params["verbose"] = False
    attack = getattr(attacks, called)(model, **params)
    return lambda: attack.generate(subject.X, subject.y)


def autoattack(subject):
    """The reference AutoAttack, standard, or None where it is not installed."""
    try:
        from pyautoattack import AutoAttack
    except ImportError:
        return None
    X, y = torch.from_numpy(subject.X), torch.from_numpy(subject.y)
    attack = AutoAttack(_module(subject), norm="Linf", eps=subject.eps, seed=0, device="cpu")
    attack.verbose = False
    return lambda: attack.run_standard_evaluation(X, y, batch_size=250)[0].numpy()
