"""Layers that the modules of estimators are made of."""
