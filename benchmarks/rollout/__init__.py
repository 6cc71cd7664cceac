"""How fast episodes run: one at a time against a turn at a time, and against what the engine alone can do.

`python -m benchmarks.rollout --help` says what is measured. Knows nothing of training, rewards or answers' worth.
"""
