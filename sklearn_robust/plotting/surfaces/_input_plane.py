"""A plane through one sample in input space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import Bunch

from ... import _functional as F
from ... import _validation as check
from ..._norms import Box, get_norm
from ..._random import RowNoise, seed_of
from ..._tables import moving_place
from ...attacks import WorstCase, auto_batch_size
from ...metrics._boundary import crossing
from ...metrics._directions import DIRECTIONS, check_direction, direction_tensor, unit
from ...metrics._indicator_input import IndicatorInput
from .._display import check_index

__all__ = ["InputPlane", "compute_planes"]

_LABELS = {
    "cw": "C&W",
    "ce": "cross-entropy",
    "ce_ll": "least likely class",
    "random": "random",
    "pca": "principal",
}
_PARALLEL = 0.95  # cosine from which two directions count as parallel
_N_SCAN = 64


def direction_label(direction: Any) -> str:
    """Return the name of a direction in a figure."""
    return _LABELS.get(direction, direction) if isinstance(direction, str) else "given"


class InputPlane:
    """Points ``x + i other + j direction`` around one sample.

    Parameters
    ----------
    estimator : fitted classifier
        Model to look at, or an opened one.
    X, y : arrays
        Samples and labels.
    index : int
        Position of the sample.
    direction, other : str or array
        Directions of the second and of the first coordinate.
    norm : {"linf", "l2", "l1"}
        Unit of length.
    attack : attack or None
        Attack whose path is drawn, and whose principal directions "pca" means.
    random_state : int, RandomState or None
        Seed of random directions, and of the attack unless it has one.
    """

    def __init__(
        self,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        index: int,
        direction: str | ArrayLike,
        other: str | ArrayLike,
        norm: str,
        attack: Any,
        random_state: int | np.random.RandomState | None,
    ) -> None:
        self.norm = check.check_norm(norm)
        probe = IndicatorInput(estimator, X, y)
        self.index = check_index(index, len(probe.X))
        self.extent = float(np.ptp(probe.X)) or 1.0
        bounds = None if attack is None else check.check_bounds(attack.bounds, probe.X)
        self.probe = probe = probe.take(slice(self.index, self.index + 1))
        module = probe.model.module
        self.classes = module.classes_
        self.x = module.tensor(probe.X)
        self.logits = module.fused
        self.y = torch.as_tensor(probe.codes, device=self.x.device)
        seed = seed_of(random_state)
        self.noise = RowNoise(seed, self.x)
        self.steps = None if attack is None else self._follow(attack, bounds, seed)
        self.beta = self._direction("direction", direction)
        self.alpha = self._direction("other", other, stream=1)
        for stream in range(2, 100):  # in few dimensions, random signs are often the same
            if not (isinstance(other, str) and other == "random" and self._parallel()):
                break
            self.alpha = self._direction("other", other, stream)
        if self._parallel():
            raise ValueError(
                f"direction and other are parallel at sample {self.index} and span no plane: "
                "choose other='random', or data of more than one feature."
            )

    def _parallel(self) -> bool:
        a, b = (v.double().flatten() for v in (self.alpha, self.beta))
        return bool((a @ b).abs() > _PARALLEL * a.norm() * b.norm())

    def _direction(self, role: str, direction: Any, stream: int = 0) -> torch.Tensor:
        if isinstance(direction, str) and direction == "pca":
            return self._principal(role)
        table = self.probe.model.table
        if isinstance(direction, str) and direction not in DIRECTIONS and table is not None:
            direction = 1.0 * (np.arange(len(table.names)) == moving_place(direction, table, role))
        if isinstance(direction, str):
            check.check_choice(role, direction, (*DIRECTIONS, "pca"))
        given = check_direction(direction, self.probe.X)
        with torch.enable_grad():
            d = direction_tensor(
                given, self.probe, self.x, self.y, slice(0, 1), self.norm, self.noise, stream
            )
        if table is not None and table.still.any():  # categories have no distance
            d = unit(torch.where(torch.as_tensor(table.still), 0.0, d), self.norm)
        if not bool(d.any()):
            raise ValueError(
                f"The gradient behind {role}={direction!r} is zero at sample {self.index}, so that "
                "it has no direction: choose 'random', or give an array."
            )
        return d

    def _principal(self, role: str) -> torch.Tensor:
        """First principal direction of the attack's steps, or the second for ``other``."""
        if self.steps is None:
            raise ValueError(
                f"{role}='pca' is a principal direction of an attack's path: give an attack, "
                "such as trajectory=PGD(eps=0.1)."
            )
        steps = self.steps.double().flatten(1)
        _, size, axes = torch.linalg.svd(steps, full_matrices=False)
        rank = 0 if role == "direction" else 1
        if rank >= len(size) or size[rank] <= 1e-6 * size[0] or not size[0]:
            raise ValueError(
                f"{role}='pca' needs an attack that leaves the sample"
                + (" on a path that is not straight: choose other='random'." if rank else ".")
            )
        axis = axes[rank] * torch.sign(axes[rank] @ steps[-1] + 1e-300)
        return unit(axis.to(self.x).view_as(self.x), self.norm)

    def _follow(self, attack: Any, bounds: Any, seed: int) -> torch.Tensor:
        """Perturbations on the attack's path, (n_steps, *sample_shape)."""
        _check_one_path(attack)
        attack = clone(attack).set_params(bounds=bounds)
        if attack.get_params().get("random_state", 0) is None:
            attack.set_params(random_state=seed)
        points: list[torch.Tensor] = []
        x_adv = attack.perturb(
            self.probe.logits, self.x, self.y, observe=lambda *seen: points.append(seen[-1].clone())
        )
        return torch.cat([*points, x_adv]).detach() - self.x

    # -- arrays -----------------------------------------------------------------------------

    def crossings(self, max_distance: float) -> NDArray[Any]:
        """Distances at which the margin becomes zero along both coordinates, inf beyond, (2,)."""
        box = Box(None, self.x)
        found = [
            crossing(self.logits, self.x, self.y, d, max_distance, _N_SCAN, box)
            for d in (self.alpha, self.beta)
        ]
        return torch.cat(found).cpu().numpy()

    def suitable_radius(self) -> float:
        """Return a radius that shows the boundary along ``direction``, if it is near."""
        distance = self.crossings(self.extent)[1]
        if self.steps is not None:
            longest = float(get_norm(self.norm).length(self.steps.double()).max())
            distance = max(distance, longest) if np.isfinite(distance) else longest
        return float(2 * distance) if 0 < distance < np.inf else self.extent / 2

    def grid(self, radius: float, resolution: int, batch_size: int | None) -> dict[str, Any]:
        """Coordinates and margin, loss and predicted code on a grid, each (n, n)."""
        line = np.linspace(-radius, radius, resolution)
        xx0, xx1 = np.meshgrid(line, line)
        places = torch.as_tensor(np.stack([xx0.ravel(), xx1.ravel()], 1)).to(self.x)
        many = auto_batch_size(self.probe.n_features, self.x.device)
        size = batch_size or 1 << (many.bit_length() - 1)  # convolutions like powers of two
        parts = [
            self._values(*places[start : start + size].T) for start in range(0, len(places), size)
        ]
        names = ("margin", "loss", "predicted")
        columns = (
            torch.cat(part).cpu().numpy().reshape(xx0.shape) for part in zip(*parts, strict=True)
        )
        return {"xx0": xx0, "xx1": xx1, **dict(zip(names, columns, strict=True))}

    @torch.inference_mode()
    def _values(self, i: torch.Tensor, j: torch.Tensor) -> tuple[torch.Tensor, ...]:
        shape = (-1, *[1] * (self.x.ndim - 1))
        z = self.logits(self.x + i.view(shape) * self.alpha + j.view(shape) * self.beta)
        y = self.y.expand(len(z))
        return F.margin(z, y), F.cross_entropy(z, y), z.argmax(1)

    def trajectory(self) -> Bunch | None:
        """Path of the attack: coordinates in the plane, distance from it, true margins."""
        if self.steps is None:
            return None
        steps = self.steps.double().flatten(1)
        axes = torch.stack([self.alpha, self.beta]).double().flatten(1)
        places = torch.linalg.solve(axes @ axes.T, axes @ steps.T).T
        off = get_norm(self.norm).length(steps - places @ axes)
        with torch.no_grad():
            margin = F.margin(self.logits(self.x + self.steps), self.y.expand(len(steps)))
        return Bunch(
            coordinates=places.cpu().numpy(),
            off_plane=off.cpu().numpy(),
            margin=margin.cpu().numpy(),
        )


def compute_planes(
    estimators: Mapping[str, Any],
    X: ArrayLike,
    y: ArrayLike,
    *,
    index: int = 0,
    direction: str | ArrayLike = "cw",
    other: str | ArrayLike = "random",
    norm: str = "linf",
    radius: float | None = None,
    grid_resolution: int = 51,
    trajectory: Any = None,
    batch_size: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> list[dict[str, Any]]:
    """Return the arrays of several estimators, with one radius and the same random directions."""
    check.check_count("grid_resolution", grid_resolution, low=3)
    if radius is not None:
        check.check_number("radius", radius, strict=True, high=1e18)
    if batch_size is not None:
        check.check_count("batch_size", batch_size)
    options: dict[str, Any] = {"index": index, "direction": direction, "other": other, "norm": norm}
    attack = None if trajectory is None else check.check_attack(trajectory)
    options |= {"attack": attack, "random_state": seed_of(random_state)}
    planes = {name: InputPlane(model, X, y, **options) for name, model in estimators.items()}
    radius = radius or max(plane.suitable_radius() for plane in planes.values())
    found = []
    for name, plane in planes.items():
        arrays = plane.grid(radius, grid_resolution, batch_size)
        classes = plane.classes
        arrays["predicted"] = classes[arrays["predicted"]]
        arrays |= {
            "target": classes[int(plane.y[0])],
            "directions": tuple(map(direction_label, (other, direction))),
            "norm": plane.norm,
            "boundary_distances": tuple(plane.crossings(radius).tolist()),
            "trajectory": plane.trajectory(),
            "name": name,
            "vectors": torch.cat([plane.alpha, plane.beta]).cpu().numpy(),
        }
        found.append(arrays)
    return found


def _check_one_path(attack: Any) -> None:
    """Raise unless an attack follows one path, step by step, along gradients."""
    params = attack.get_params(deep=False)
    runs = [name for name in ("n_restarts", "n_searches") if params.get(name, 1) > 1]
    if isinstance(attack, WorstCase) or not attack.needs_gradient or runs:
        cure = f"with {runs[0]}=1" if runs else "such as PGD or DeepFool"
        raise ValueError(
            f"trajectory={attack!r} is not one path along gradients: give an attack that is, "
            f"{cure}."
        )
