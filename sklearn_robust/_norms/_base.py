"""Base of all norms: what each can do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from .._functional import flat_norm
from ._box import Box
from ._noise import Noise, column
from ._registry import get_norm, norm_names

if TYPE_CHECKING:
    from typing import Self

__all__ = ["UNSAID", "Norm"]

UNSAID = "not said"  # None says that a norm has no dual


class Norm:
    """Norm; an instance is its ball ``{d : ||d / eps|| <= 1}`` of perturbations.

    With one eps the ball is ``||d|| <= eps``. With one eps per feature it is stretched along the
    axes, and a feature whose eps is 0 cannot move.

    A subclass says ``name``, ``order`` and ``dual``, writes ``project``, and is made known by
    :func:`register_norm`. The other methods have defaults that suit any norm of an order of at
    least 1; ``sample`` and ``steepest_step`` are worth writing too.

    Parameters
    ----------
    eps : tensor
        Radius, 0-d or broadcastable to a sample; infinite for no limit.

    Attributes
    ----------
    name : str
        What users type for ``norm``.
    aliases : tuple
        What means the same, such as ``np.inf``.
    order : float
        Order of ``torch.linalg.vector_norm``; 0 counts the features that change.
    dual : str or None
        Name of the dual norm; None for a norm without one.
    needs_box : bool
        Whether a ball without bounds of the data has no limits.
    eps : tensor
        Radius.
    free : bool tensor
        Features that can move.
    inverse : tensor
        1 / eps, and 0 where that is infinite.
    radius : float
        Largest eps of any feature.

    See Also
    --------
    register_norm : Makes a norm known.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.attacks import Norm
    >>> class SumNorm(Norm):
    ...     name, order, dual = "sum", 1, "linf"
    >>> SumNorm(torch.tensor(2.0)).size(torch.tensor([[1.0, 3.0]]))
    tensor([2.])
    """

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[Any, ...]] = ()
    order: ClassVar[float] = math.nan
    dual: ClassVar[str | None] = UNSAID
    needs_box: ClassVar[bool] = False

    def __init__(self, eps: torch.Tensor) -> None:
        self.eps = eps
        self.free = eps > 0
        self.inverse = torch.where(self.free, 1 / eps, torch.zeros_like(eps))
        self.radius = float(eps.max())
        self.all_free = bool(self.free.all())

    # -- the norm itself --------------------------------------------------------------------

    @classmethod
    def check_eps(cls, eps: Any, shape: Sequence[int] | None) -> None:
        """Raise if a radius of numbers means nothing in this norm.

        Parameters
        ----------
        eps : float or array
            Radius, at least 0, or infinite for no limit.
        shape : tuple or None
            Shape of a sample, if it is known.
        """

    @classmethod
    def length(cls, v: torch.Tensor, dim: int | None = None) -> torch.Tensor:
        """Norm of each sample of ``v``, shape (n,), or along one axis."""
        if dim is None:
            return flat_norm(v, cls.order)
        return torch.linalg.vector_norm(v, cls.order, dim=dim)

    @classmethod
    def dual_length(cls, v: torch.Tensor, dim: int | None = None) -> torch.Tensor:
        """Dual norm of each sample of ``v``: what a linear function gains over the distance 1."""
        return cls.dual_class().length(v, dim)

    @classmethod
    def dual_class(cls) -> type[Norm]:
        """Return the dual norm, or raise for a norm without one."""
        if cls.dual is None:
            raise ValueError(
                f"norm is {cls.name!r}, which has no dual norm, and one is needed here: choose "
                f"one of {norm_names(with_dual=True)}."
            )
        return get_norm(cls.dual)

    @classmethod
    def distance(cls, X_adv: NDArray[Any], X: NDArray[Any]) -> NDArray[np.float64]:
        """Distance of each sample of an array from its clean one, float64, shape (n,)."""
        gap = (X_adv.astype(np.float64) - X).reshape(len(X), -1)
        return np.linalg.norm(gap, cls.order, axis=1)

    @classmethod
    def length_of_ones(cls, n_features: int) -> float:
        """Norm of ``n_features`` ones: the diagonal of a cube of edge 1."""
        return float(n_features ** (1 / cls.order)) if cls.order else float(n_features)

    @classmethod
    def covering_radius(cls, spread: float, n_features: int) -> float:
        """Radius of a ball around any point of a cube of edge ``spread`` that holds the cube."""
        return spread * cls.length_of_ones(n_features) if cls.order else float(n_features)

    @classmethod
    def euclidean_square(cls, n_features: int) -> float:
        """Largest squared Euclidean length in the ball of radius 1."""
        return float(n_features ** (1 - 2 / cls.order)) if cls.order > 2 else 1.0

    @classmethod
    def unit_directions(cls, v: torch.Tensor) -> torch.Tensor:
        """Scale each sample of ``v`` to length 1; zeros stay as they are."""
        size = column(cls.length(v), v)
        return v / torch.where(size > 0, size, 1)

    @classmethod
    def steepest_direction(cls, grad: torch.Tensor) -> torch.Tensor:
        """Find unit perturbations along which a function of gradient ``grad`` rises most."""
        return cls(torch.ones((), dtype=grad.dtype, device=grad.device)).steepest_step(grad, 1.0)

    @classmethod
    def random_direction(cls, noise: Noise, x: torch.Tensor, stream: int) -> torch.Tensor:
        """Random perturbations of length 1."""
        return cls.unit_directions(noise.normal(x, stream))

    # -- the ball ---------------------------------------------------------------------------

    def to(self, x: torch.Tensor) -> Self:
        """Return the ball in the dtype and on the device of ``x``."""
        return type(self)(self.eps.to(x))

    def unit(self) -> Self:
        """Return the ball of the same shape whose ``size`` is in the units of the input."""
        if self.radius in (0, torch.inf):
            return type(self)(self.free.to(self.eps))
        return type(self)(self.eps / self.radius)

    def scaled(self, factor: float) -> Self:
        """Return the ball of ``factor`` times the radius."""
        return type(self)(factor * self.eps)

    def size(self, d: torch.Tensor) -> torch.Tensor:
        """Relative size of each perturbation: 1 on the surface of the ball, shape (n,)."""
        return self.length(d * self.inverse)

    def dual_norm(self, grad: torch.Tensor) -> torch.Tensor:
        """Most that a linear function of gradient ``grad`` gains in the ball, shape (n,)."""
        return self.dual_length(self.eps * grad)

    def only_free(self, d: torch.Tensor) -> torch.Tensor:
        """Perturbations with 0 in the features that cannot move."""
        return d if self.all_free else d * self.free

    def sample(self, noise: Noise, x: torch.Tensor, stream: int) -> torch.Tensor:
        """Random perturbations of the ball, shape of ``x``.

        Parameters
        ----------
        noise : object
            Has ``uniform(x, stream)`` in (0, 1), ``normal(x, stream)``, both of the shape of
            ``x``, and ``scalar(x, stream)``, one uniform number per row.
        x : tensor of shape (n, ...)
            Clean samples.
        stream : int
            Number of the draw; another number, other random numbers.
        """
        direction = self.only_free(noise.normal(x, stream))
        size = column(self.size(self.eps * direction), x).clamp_min(1e-30)
        return self.eps * direction / size * noise.scalar(x, stream + (1 << 16))

    def sample_start(self, noise: Noise, x: torch.Tensor, stream: int) -> torch.Tensor:
        """Random perturbations that a search begins with."""
        return self.sample(noise, x, stream)

    def project(self, d: torch.Tensor, slack: torch.Tensor | None = None) -> torch.Tensor:
        """Nearest perturbations inside the ball.

        Parameters
        ----------
        d : tensor of shape (n, ...)
            Perturbations.
        slack : tensor of shape (n, ...), optional
            How far each feature may go before it leaves the box of the data. A norm may
            ignore it: the result is clamped to the box afterwards.
        """
        raise NotImplementedError(f"{type(self).__name__} must define project(d, slack=None).")

    def steepest_step(
        self, grad: torch.Tensor, step: float | torch.Tensor, slack: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Perturbations of relative size ``step`` that gain much along ``grad``.

        Parameters
        ----------
        grad : tensor of shape (n, ...)
            Gradients.
        step : float or tensor that broadcasts over the samples
            Relative size of the step.
        slack : tensor of shape (n, ...), optional
            How far each feature may go in the direction of its gradient.
        """
        v = self.only_free(grad)
        tiny = torch.finfo(v.dtype).tiny
        v = v / column(v.flatten(1).abs().amax(1), v).clamp_min(tiny)
        return step * v / column(self.size(v), v).clamp_min(tiny)

    def ascent_step(
        self, x_adv: torch.Tensor, grad: torch.Tensor, step: float | torch.Tensor, box: Box
    ) -> torch.Tensor:
        """Step from ``x_adv`` of relative size ``step`` that gains most along ``grad``."""
        return self.steepest_step(grad, step, box.slack(x_adv, grad))

    def confine(self, d: torch.Tensor, x: torch.Tensor, box: Box) -> torch.Tensor:
        """Points of the box near ``x + d`` that lie in the ball around ``x``."""
        return box.clamp(x + self.project(d))

    def smallest_step(
        self, grad: torch.Tensor, gain: torch.Tensor, slack: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Smallest perturbations by which a linear function of gradient ``grad`` gains ``gain``.

        Parameters
        ----------
        grad : tensor of shape (n, ...)
            Gradients; their signs also say which way each feature goes.
        gain : tensor of shape (n,)
            What to gain, at least 0.
        slack : tensor of shape (n, ...), optional
            How far each feature may go that way. Where the gain is out of reach, all go so far.
        """
        raise NotImplementedError(f"{type(self).__name__} must define smallest_step.")

    def project_exact(self, x_adv: torch.Tensor, x: torch.Tensor, box: Box) -> torch.Tensor:
        """Points of ball and box nearest to ``x_adv``, exact after rounding to x's dtype.

        Rounding goes toward ``x``, so no coordinate is farther from it than before, and with
        it no norm of the difference.
        """
        wide = x.double()
        d = self.to(wide).project(x_adv.double() - wide)
        inside = box.clamp(wide + d)
        exact = inside.to(x.dtype)
        over = (exact.double() - wide).abs() > torch.minimum(d.abs(), (inside - wide).abs())
        return torch.where(over, torch.nextafter(exact, x), exact)
