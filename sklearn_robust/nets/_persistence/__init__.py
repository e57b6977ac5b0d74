"""Nets on disk: files, checkpoints, and the state that a fit goes on from."""
