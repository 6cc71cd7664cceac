"""`make setup` and what it installs beside the lock. Standard library only: it runs before anything is installed."""
