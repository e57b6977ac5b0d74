"""Displays: arrays kept on an object, drawn on request."""

__all__: list[str] = []
