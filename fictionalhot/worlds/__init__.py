"""Generated worlds: a small one for quick starts and tests, a large one for scale."""
