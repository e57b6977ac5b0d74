"""What all nets that attack their own batches share."""

import copy
import inspect
import warnings

import numpy as np
import torch
from sklearn.base import clone

from .. import _validation as check
from .._random import StreamNoise
from ..attacks import WorstCase
from ..attacks._minimum_norm import MinimumNormAttack
from ..differentiable import frozen
from ._base import BaseNet
from ._engine.fused_logits import fused_logits
from ._engine.replay import replayable

__all__ = ["AdversarialNet"]

_NOISE = 0x9E3779B9  # keeps the attack's stream apart from the shuffler's


class AdversarialNet(BaseNet):
    """Net with an attack as a component: a class or an instance, and ``attack__...``.

    A subclass may rename the component by ``_component``, let None switch it off, and say by
    ``_attack_defaults`` what parameters of the attack are unless they are set.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    eps_warm_up : float, default=1
        Epochs over which the attack's eps grows linearly from 0; 0 starts with the full ball.
        Large balls need it: with eps = 0.3 on MNIST a net that meets the full ball at once stays
        at chance for long.
    **kwargs
        Shared parameters.
    """

    _component = "attack"
    _attack_optional = False
    prefixes_ = [*BaseNet.prefixes_, "attack"]

    def __init__(self, module="auto", *, eps_warm_up=1, **kwargs):
        super().__init__(module, **kwargs)
        self.eps_warm_up = eps_warm_up

    def _check_parameters(self):
        super()._check_parameters()
        check.check_number("eps_warm_up", self.eps_warm_up)

    def _check_whole_fit(self):
        super()._check_whole_fit()
        check.check_number("eps_warm_up", self.eps_warm_up)
        check.check_count("max_epochs", self.max_epochs)
        if self.eps_warm_up > self.max_epochs:
            warnings.warn(
                f"eps_warm_up is {self.eps_warm_up:g} epochs and max_epochs {self.max_epochs}: "
                f"training ends at {self.max_epochs / self.eps_warm_up:.0%} of the attack's eps. "
                "Give fewer, or train on with partial_fit.",
                stacklevel=3,
            )

    def initialize_module(self):
        """Build the module, and the attack that will search around each batch."""
        super().initialize_module()
        return self.initialize_attack()

    def initialize_attack(self):
        """Set ``attack_``, with the box of the whole training data."""
        given, kwargs = getattr(self, self._component), self.get_params_for(self._component)
        if given is None and self._attack_optional and not kwargs:
            self.attack_ = None
            return self
        if not hasattr(given, "perturb"):
            raise ValueError(
                f"{self._component} is {given!r}"
                + (f" and {sorted(kwargs)} is set for it" if kwargs else "")
                + f"; give an attack class or instance, {self._component}=PGD, say."
            )
        attack = self._make_attack(given, kwargs)
        if getattr(attack, "targeted", False):
            raise ValueError(
                f"{self._component} is targeted, but training has no targets; use targeted=False."
            )
        attack.check_parameters()
        self.attack_ = attack
        self._set_box()
        return self

    def _make_attack(self, given, kwargs):
        """Build the attack; what is at its class's default takes the net's default."""
        factory = given if isinstance(given, type) else type(given)
        usual = inspect.signature(factory).parameters
        for name, value in self._attack_defaults().items():
            if name not in usual:
                raise ValueError(
                    f"{type(self).__name__} sets {name}={value!r} on its attack, which "
                    f"{factory.__name__} does not have; give {self._component}=PGD, say."
                )
            if isinstance(given, type) or getattr(given, name) == usual[name].default:
                kwargs = {name: value, **kwargs}
        return given(**kwargs) if isinstance(given, type) else clone(given).set_params(**kwargs)

    def _attack_defaults(self):
        return {}

    def _set_box(self):
        """Give the attack the box of all the training data, known once some were seen."""
        if self.extremes_ is not None:
            self.attack_.bounds_ = check.check_bounds(self.attack_.bounds, self.extremes_)

    def _begin_training(self, seed):
        self.initialize_attack()  # by parameters and box as they are now
        generator = torch.Generator(device=self.device_)
        self.noise_ = StreamNoise(generator.manual_seed(seed ^ _NOISE))

    def craft(self, x, y, *, observe=None):
        """Adversarial examples of a batch against the net as it is now.

        Parameters
        ----------
        x : tensor of shape (n, *input_shape_)
            Clean samples.
        y : tensor of shape (n,), int64
            Class codes.
        observe : callable, optional
            As for ``attack.perturb``; a bool tensor that it returns says which of ``rows`` stop.

        Returns
        -------
        x_adv : tensor of shape (n, *input_shape_)
            Crafted in eval mode: neither BatchNorm's statistics nor any gradient move.
        """
        return self._search(self._attack_now(), x, y, observe)

    @replayable
    def _search(self, attack, x, y, observe=None):
        with frozen(self.module_):
            logits = fused_logits(self, attack)
            noise = getattr(self, "noise_", None)
            return attack.perturb(logits, x, y, observe=observe, noise=noise)

    def _attack_now(self):
        """Return the attack, with less than its radius while that warms up."""
        progress = getattr(self, "progress_", np.inf)  # outside fit all is warm
        share = progress / self.eps_warm_up if self.eps_warm_up else 1
        if share >= 1:
            return self.attack_
        return _weaker(self.attack_, share)

    def params_without_reinit(self):
        return (*super().params_without_reinit(), self._component)

    def set_params(self, **params):
        """Set parameters; those of the attack act at once, also on a fitted net."""
        super().set_params(**params)
        if self.initialized_ and any(k.split("__")[0] == self._component for k in params):
            self.initialize_attack()
        return self


def _weaker(attack, share):
    """Copy of an attack with a share of its radius; what has no radius stays as it is."""
    weaker = copy.copy(attack)
    if isinstance(attack, WorstCase) and "eps" not in attack._given() and attack.attacks:
        weaker.attacks = [_weaker(member, share) for member in attack._chosen()]
        return weaker
    if attack.eps is None and isinstance(attack, MinimumNormAttack):
        return attack
    weaker.eps = share * np.asarray(8 / 255 if attack.eps is None else attack.eps)
    if getattr(weaker, "step_size", None) is not None:
        weaker.step_size = max(share, 1e-9) * weaker.step_size
    return weaker
