"""Imitation before reinforcement: episodes become training rows by the same segments as in RL."""
