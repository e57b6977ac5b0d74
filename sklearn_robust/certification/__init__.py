"""Certification: proofs that no perturbation changes a class, beside what attacks find."""

# They fill the registry:
from . import _gaussian, _linear, _neighbors, _networks, _trees  # noqa: F401
from ._bounds import robust_bounds
from ._problem import Certificate, Problem, Radii
from ._radius import certified_radius, minimal_distance
from ._registry import register_certifier
from ._scorer import CertifiedScorer, certified_score, make_certified_scorer
from ._smoothing import SmoothedClassifier

__all__ = [
    "Certificate",
    "CertifiedScorer",
    "Problem",
    "Radii",
    "SmoothedClassifier",
    "certified_radius",
    "certified_score",
    "make_certified_scorer",
    "minimal_distance",
    "register_certifier",
    "robust_bounds",
]
