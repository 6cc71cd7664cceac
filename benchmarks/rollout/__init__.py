"""The benchmark of rollouts: asynchronous episodes against turn-synchronous ones, and against the engine's limit.

`python -m benchmarks.rollout --help` says what is measured.
"""
