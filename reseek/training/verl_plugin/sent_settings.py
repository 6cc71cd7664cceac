"""A training run's settings on their way to the workers: whole, as one JSON string in verl's configuration.

verl hands its configuration to every process, and passes on what it does not read. The launch writes the settings there
once; the trainer and the agent loops read them here, and read none of our groups from the configuration itself.
"""

from functools import lru_cache
from typing import Any

from omegaconf import DictConfig, OmegaConf

from reseek.config.settings import TrainSettings

_GROUP, _KEY = "reseek", "settings"


def sent(config: DictConfig, settings: TrainSettings) -> dict[str, Any]:
    """What the workers get: verl's own groups of `config`, resolved, and `settings`."""
    resolved = OmegaConf.to_container(config, resolve=True)
    assert isinstance(resolved, dict)
    verls = {str(group): values for group, values in resolved.items() if group not in TrainSettings.model_fields}
    # OmegaConf reads "${" in a string as an interpolation; in JSON a dollar sign has a second spelling.
    return {**verls, _GROUP: {_KEY: settings.model_dump_json().replace("$", "\\u0024")}}


def settings_of(config: DictConfig) -> TrainSettings:
    """The settings in a worker's configuration. The same object for the same settings."""
    return _read(config[_GROUP][_KEY])


@lru_cache(maxsize=4)
def _read(text: str) -> TrainSettings:
    return TrainSettings.model_validate_json(text)
