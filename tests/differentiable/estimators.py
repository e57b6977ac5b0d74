"""Estimators that the tests of compositions share."""

from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

LINEAR = LogisticRegression(max_iter=2000)
MLP = MLPClassifier((5,), max_iter=3000, tol=1e-2, random_state=0)
SPREAD = make_pipeline(StandardScaler(), SVC(break_ties=True))


def columns(*transformers, **kwargs):
    kwargs = {"sparse_threshold": 0} | kwargs
    return ColumnTransformer([(f"part{k}", *t) for k, t in enumerate(transformers)], **kwargs)


VOTERS = [("linear", LINEAR), ("mlp", MLP), ("bayes", GaussianNB())]
