"""Observers of a training run: progress, timing, collapse, exactness. They never change what is trained."""
