"""Base of all nets that attack their own batches."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor, nn

from .. import _validation as check
from .._random import StreamNoise
from ..attacks import WorstCase
from ..attacks._base import BaseAttack
from ..attacks._minimum_norm import MinimumNormAttack
from ..differentiable import frozen
from ._base import BaseNet
from ._engine.fused_logits import fused_logits
from ._engine.renamed import honour_old_name
from ._engine.replay import replayable

__all__ = ["AdversarialNet"]

_NOISE = 0x9E3779B9  # keeps the attack's stream apart from the shuffler's


class AdversarialNet(BaseNet):
    """Base of nets that train on adversarial examples; the attack is a component.

    A subclass writes :meth:`batch_loss` and gets adversarial examples from :meth:`perturb`. The
    attack is a class or an instance, and its parameters are ``attack__eps`` and so on. Besides the
    hooks of :class:`BaseNet` there are :meth:`attack_defaults` and :meth:`initialize_attack`.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    eps_warm_up : float, default=1
        Epochs over which the attack's eps grows linearly from 0; 0 starts with the full ball.
        Large balls need it: with eps = 0.3 on MNIST a net that meets the full ball at once stays
        at chance for long.
    attack_mode : {"eval", "train"}, default="eval"
        Mode of the module while a batch is attacked in training. "train", the way of FastAT's and
        of some other released code, normalises by the batch's own statistics and drops units out;
        running statistics stay as they are in both.
    **kwargs
        Shared parameters.

    Attributes
    ----------
    attack_ : attack
        The attack with its parameters and the box of the training data; None if it is switched
        off.
    attack_parameter : str
        Class attribute: the name of the constructor's parameter that holds the attack, "attack".
    attack_optional : bool
        Class attribute: whether None switches the attack off; False.

    See Also
    --------
    BaseNet : Base of all nets.
    MinMaxNet : Trains on adversarial examples alone.

    Examples
    --------
    >>> from sklearn_robust.attacks import PGD
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.nets import AdversarialNet
    >>> class SmoothedNet(AdversarialNet):
    ...     def __init__(self, module="auto", *, attack=PGD, **kwargs):
    ...         super().__init__(module, **kwargs)
    ...         self.attack = attack
    ...
    ...     def batch_loss(self, x, y):
    ...         halfway = (x + self.perturb(x, y)) / 2
    ...         return super().batch_loss(halfway, y)
    >>> X, y = load_moons(200, random_state=0)
    >>> net = SmoothedNet(attack__eps=0.02, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    attack_parameter = "attack"
    attack_optional = False
    attack_: Any = None
    prefixes_ = [*BaseNet.prefixes_, "attack"]

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        eps_warm_up: float = 1,
        attack_mode: str = "eval",
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.eps_warm_up = eps_warm_up
        self.attack_mode = attack_mode

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        honour_old_name(cls, "craft", "perturb")

    # -- hooks ------------------------------------------------------------------------------

    def attack_defaults(self) -> dict[str, Any]:
        """Parameters of the attack that differ from its own defaults, unless they are set."""
        return {}

    def perturb(self, x: Tensor, y: Tensor, *, observe: Callable | None = None) -> Tensor:
        """Find adversarial examples of a batch against the net as it is now.

        Parameters
        ----------
        x : tensor of shape (n, ...)
            Clean samples.
        y : tensor of shape (n,), int64
            Class codes.
        observe : callable, optional
            As for ``attack.perturb``; a bool tensor that it returns says which of ``rows`` stop.

        Returns
        -------
        x_adv : tensor of shape (n, ...)
            Found in eval mode, or in fit in ``attack_mode``: neither BatchNorm's running statistics
            nor any gradient move.
        """
        return self._search(self.current_attack(), x, y, observe)

    def warm_up_epochs(self) -> float:
        """Epochs over which eps grows."""
        return self.eps_warm_up

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        check.check_number("eps_warm_up", self.warm_up_epochs())
        check.check_choice("attack_mode", self.attack_mode, ["eval", "train"])

    def check_whole_fit(self) -> None:
        """Warn if training would end before the warm-up of eps does."""
        super().check_whole_fit()
        check.check_count("max_epochs", self.max_epochs)
        n_epochs = check.check_number("eps_warm_up", self.warm_up_epochs())
        if n_epochs > self.max_epochs:
            warnings.warn(
                f"eps_warm_up is {n_epochs:g} epochs and max_epochs {self.max_epochs}: "
                f"training ends at {self.max_epochs / n_epochs:.0%} of the attack's eps. "
                "Give fewer, or train on with partial_fit.",
                stacklevel=3,
            )

    def begin_training(self, seed: int) -> None:
        """Prepare the attack, by the parameters and the box of the data as they are now."""
        super().begin_training(seed)
        state = self.fit_state
        if not state.from_scratch:  # else it was made a moment ago
            self.initialize_attack()
        generator = torch.Generator(device=state.device)
        state.noise = StreamNoise(generator.manual_seed(seed ^ _NOISE))

    # -- the component ----------------------------------------------------------------------

    def initialize_module(self) -> AdversarialNet:
        """Build the module, and the attack that will search around each batch."""
        super().initialize_module()
        return self.initialize_attack()

    def initialize_attack(self) -> AdversarialNet:
        """Set ``attack_``, with the box of the whole training data; extend it to check more."""
        name = self.attack_parameter
        given, kwargs = getattr(self, name), self.get_params_for(name)
        if given is None and self.attack_optional and not kwargs:
            self.attack_ = None
            return self
        if not _is_attack(given):
            raise ValueError(
                f"{name} is {given!r}"
                + (f" and {sorted(kwargs)} is set for it" if kwargs else "")
                + f"; give an attack class or instance, such as {name}=PGD."
            )
        attack = self._make_attack(given, kwargs)
        if attack.targeted:
            raise ValueError(
                f"{name} is targeted, but training has no targets; use targeted=False."
            )
        attack.check_parameters()
        self.attack_ = attack
        extremes = vars(self).get("extremes_")
        if extremes is not None:
            attack.bounds_ = check.check_bounds(attack.bounds, extremes)
        return self

    def _make_attack(self, given: Any, kwargs: dict[str, Any]) -> Any:
        """Build the attack; what is at its class's default takes the net's default."""
        factory = given if isinstance(given, type) else type(given)
        defaults = self.attack_defaults()
        usual = inspect.signature(factory).parameters if defaults else {}
        for name, value in defaults.items():
            if name not in usual:
                raise ValueError(
                    f"{type(self).__name__} sets {name}={value!r} on its attack, which "
                    f"{factory.__name__} does not have; give {self.attack_parameter}=PGD, for "
                    "example."
                )
            if isinstance(given, type) or getattr(given, name) == usual[name].default:
                kwargs = {name: value, **kwargs}
        return given(**kwargs) if isinstance(given, type) else clone(given).set_params(**kwargs)

    @replayable
    def _search(self, attack: Any, x: Tensor, y: Tensor, observe: Callable | None = None) -> Tensor:
        noise = None if self._fit_state is None else self._fit_state.noise
        # In its own fit a net lends its module; at other times threads may share it.
        net = self if self._fit_state is not None else self._frozen()
        if self.attack_mode == "train" and net is self:
            with _as_in_training(net.module_):
                return attack.perturb(net.compute_logits, x, y, observe=observe, noise=noise)
        with frozen(net.module_):
            logits = fused_logits(net, attack)
            return attack.perturb(logits, x, y, observe=observe, noise=noise)

    def current_attack(self) -> Any:
        """Return the attack, with a smaller radius while eps warms up."""
        share = self.share_of_eps()
        return self.attack_ if share >= 1 else _weaker(self.attack_, share)

    def share_of_eps(self) -> float:
        """Share of eps that is reached, 1 or more after the warm-up and outside ``fit``."""
        state, n_epochs = self._fit_state, self.warm_up_epochs()
        return 1.0 if state is None or not n_epochs else state.progress / n_epochs

    def _box(self) -> Any:
        return None if self.attack_ is None else self.attack_.bounds_

    # -- parameters -------------------------------------------------------------------------

    def params_without_reinit(self) -> tuple[str, ...]:
        """Names of parameters that can be set on a fitted net without rebuilding its module."""
        return (*super().params_without_reinit(), self.attack_parameter)

    def set_params(self, **params: Any) -> AdversarialNet:
        """Set parameters; those of the attack act at once, also on a fitted net."""
        super().set_params(**params)
        if self.initialized_ and any(k.split("__")[0] == self.attack_parameter for k in params):
            self.initialize_attack()
        return self


honour_old_name(AdversarialNet, "craft", "perturb")


@contextmanager
def _as_in_training(module: nn.Module) -> Iterator[None]:
    """Context in which a module has no gradients, keeps its mode, and moves no buffer for good."""
    modes = [(part, part.training) for part in module.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    with frozen(module):
        for part, mode in modes:
            part.training = mode
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, value in buffers:
                    buffer.copy_(value)


def _is_attack(given: object) -> bool:
    cls = given if isinstance(given, type) else type(given)
    return issubclass(cls, BaseAttack)


def _weaker(attack: Any, share: float) -> Any:
    """Copy of an attack with a share of its radius; what has no radius stays as it is."""
    weaker = copy.copy(attack)
    if isinstance(attack, WorstCase) and "eps" not in attack._given() and attack.attacks:
        weaker.attacks = [_weaker(member, share) for member in attack._chosen()]
        return weaker
    if attack.eps is None and isinstance(attack, MinimumNormAttack):
        return attack
    weaker.eps = share * np.asarray(8 / 255 if attack.eps is None else attack.eps)
    step_size = vars(attack).get("step_size")  # not every attack has one
    if step_size is not None:
        weaker.step_size = max(share, 1e-9) * step_size
    return weaker
