"""The benchmark of evaluation: its speed against the engine alone, and its viewer's with ten thousand episodes.

`python -m benchmarks.evaluate --help` says what is measured.
"""
