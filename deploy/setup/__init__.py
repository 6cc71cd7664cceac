"""`make setup`: the virtual environment of a checkout. It runs before anything is installed: standard library only."""
