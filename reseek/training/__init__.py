"""The verl plug-in: agent loop, trainer, data, CPU platform, launch.

verl is extended by its registries, entry points and class names in configuration; what had to be patched stands in
`patches`. Episodes, rewards and segments come from the pure rooms: nothing of the method is decided here.
"""
