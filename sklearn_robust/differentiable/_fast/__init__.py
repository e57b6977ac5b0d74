"""Copies of modules that compute the same in less time."""
