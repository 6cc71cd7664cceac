"""The benchmark of training tokens: tokens fed to the model against the minimum (forks, padding, synthetic rows)."""
