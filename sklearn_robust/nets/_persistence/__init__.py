"""Nets on disk: files, checkpoints, and the state that a fit resumes from."""
