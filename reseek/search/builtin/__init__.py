"""Built-in search engines: each module registers one or more (`reseek.registry.ENGINES`)."""
