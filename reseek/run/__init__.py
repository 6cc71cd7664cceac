"""The life of a run: folder, claim, processes, environment variables, preparation and checks."""
