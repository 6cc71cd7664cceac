"""Playing questions: engines, the runner, episode records and their statistics."""
