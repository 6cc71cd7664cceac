"""The typed configuration: one module per Hydra group, one settings class per command."""
