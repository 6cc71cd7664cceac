"""How fast an evaluation is against its engine alone, and how fluid its viewer with ten thousand episodes.

`python -m benchmarks.evaluate --help` says what is measured. Knows nothing of training or answers' worth.
"""
