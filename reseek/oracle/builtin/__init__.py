"""Built-in oracles: each module registers one or more (`reseek.registry.ORACLES`)."""
