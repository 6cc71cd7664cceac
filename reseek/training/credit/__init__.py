"""Credit assignment: advantages of sessions and verdicts, and their positions in the training rows."""
