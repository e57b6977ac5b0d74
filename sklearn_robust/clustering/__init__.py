"""What classes have in common: linearised networks and the clusters of their class weights."""

from ._class_clustering import ClassClustering
from ._features import feature_distance_matrix
from ._linearize import linearize
from ._linearized_clustering import LinearizedClustering
from ._loss import ClusterLoss
from ._scorer import make_clustering_scorer
from ._superclass import SuperclassClassifier
from ._weights import class_weight_matrix, weight_correlation

__all__ = [
    "ClassClustering",
    "ClusterLoss",
    "LinearizedClustering",
    "SuperclassClassifier",
    "class_weight_matrix",
    "feature_distance_matrix",
    "linearize",
    "make_clustering_scorer",
    "weight_correlation",
]
