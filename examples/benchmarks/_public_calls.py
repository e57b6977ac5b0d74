"""Public calls as functions of (net, X, y); ``count_structure.py`` counts the models they open."""

import matplotlib

matplotlib.use("Agg")

from sklearn_robust import clustering, metrics, plotting, spectral
from sklearn_robust.attacks import PGD

ATTACK = PGD(eps=0.1, max_iter=3, random_state=0)

SCORES = {
    "robust_score": lambda *data: metrics.robust_score(*data, attack=ATTACK),
    "prediction_stability": lambda *data: metrics.prediction_stability(*data, attack=ATTACK),
    "make_robust_scorer": metrics.make_robust_scorer(ATTACK),
    "robustness_curve, 4 eps": lambda *data: metrics.robustness_curve(
        *data, eps=[0, 0.05, 0.1, 0.2], attack=ATTACK
    ),
    "robustness_report": lambda *data: metrics.robustness_report(*data, attack=ATTACK),
    "make_regularization_scorer": spectral.make_regularization_scorer(ATTACK),
    "attack.generate": ATTACK.generate,
    "attack.evaluate": ATTACK.evaluate,
}
INDICATORS = {
    "decision_margin": metrics.decision_margin,
    "input_jacobian": metrics.input_jacobian,
    "jacobian_norm": metrics.jacobian_norm,
    "jacobian_sparsity": metrics.jacobian_sparsity,
    "hessian_eigvals": lambda *data: metrics.hessian_eigvals(*data, of="loss"),
    "hessian_norm": lambda *data: metrics.hessian_norm(*data, of="loss"),
    "taylor_bound": lambda *data: metrics.taylor_bound(*data, eps=0.1),
    "taylor_radius": metrics.taylor_radius,
    "boundary_distance": lambda *data: metrics.boundary_distance(*data, max_distance=1),
    "prediction_divergence": lambda *data: metrics.prediction_divergence(*data, eps=0.1),
    "robustness_indicator": metrics.robustness_indicator,
    "make_indicator_scorer": metrics.make_indicator_scorer("taylor_radius"),
    "layer_spectra": lambda net, X, y: spectral.layer_spectra(net),
    "margin_report": spectral.margin_report,
    "feature_change_report": lambda *data: spectral.feature_change_report(*data, attack=ATTACK),
    "class_weight_matrix": lambda net, X, y: clustering.class_weight_matrix(net, X),
    "feature_distance_matrix": clustering.feature_distance_matrix,
    "LinearizedClustering.fit": lambda net, X, y: clustering.LinearizedClustering(net).fit(X),
}
PLANE = {"index": 0, "grid_resolution": 5, "radius": 0.1, "random_state": 0}
DISPLAYS = {
    "DecisionSurface": lambda *data: plotting.DecisionSurfaceDisplay.from_estimator(*data, **PLANE),
    "LossSurface": lambda *data: plotting.LossSurfaceDisplay.from_estimator(
        *data, grid_resolution=5, random_state=0
    ),
    "Jacobian": lambda *data: plotting.JacobianDisplay.from_estimator(*data),
    "HessianSpectrum": lambda *data: plotting.HessianSpectrumDisplay.from_estimator(
        *data, of="loss"
    ),
    "RobustnessCurve": lambda *data: plotting.RobustnessCurveDisplay.from_estimator(
        *data, eps=[0, 0.05, 0.1], attack=ATTACK
    ),
    "Margin": lambda *data: plotting.MarginDisplay.from_estimator(*data),
    "LayerSpectrum": lambda net, X, y: plotting.LayerSpectrumDisplay.from_estimator(net),
    "FeatureChange": lambda *data: plotting.FeatureChangeDisplay.from_estimator(
        *data, attack=ATTACK, n_directions=2
    ),
    "ClassDendrogram": lambda net, X, y: plotting.ClassDendrogramDisplay.from_estimator(net),
    "Geometry": lambda *data: plotting.GeometryDisplay.from_estimator(*data, classes=(0, 1)),
}
