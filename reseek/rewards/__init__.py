"""Rewards: answer metrics, reward terms, and the scoring of an episode."""
