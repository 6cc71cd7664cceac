"""The verl adapter: agent loop, dataset, trainer and the CPU platform."""
