"""The typed settings of a command: one class each for training, imitation and evaluation, loaded from Hydra's output.

Every key of a group is documented where it is defined: in the module of this package that is named after it (`corpus`
and `world` in `search`; `cluster` and `watch` in `run`). `conf/train.yaml` maps these values to verl's keys by
interpolation.
"""

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf

from reseek.config.agent import AgentConfig
from reseek.config.algo import AlgoSettings
from reseek.config.evaluation import EvaluationSettings
from reseek.config.oracle import OracleConfig
from reseek.config.policy import PolicySettings
from reseek.config.questions import QuestionSettings
from reseek.config.rewards import RewardConfig
from reseek.config.run import ClusterSettings, RunSettings, WatchSettings
from reseek.config.search import CorpusSettings, SearchSettings, WorldSettings
from reseek.config.section import Section, load_section
from reseek.config.sft import ImitationSettings
from reseek.errors import InputError


class Stage(Enum):
    """`stage`: what `reseek train` does."""

    RL = "rl"
    """Reinforcement learning (`algo`)."""
    SFT = "sft"
    """Imitation of episodes (`sft`), usually before it."""


class Settings(Section):
    """The groups that every command reads; a command's own class adds its groups."""

    policy: PolicySettings
    questions: QuestionSettings
    corpus: CorpusSettings
    search: SearchSettings
    agent: AgentConfig
    rewards: RewardConfig
    oracle: OracleConfig
    world: WorldSettings
    cluster: ClusterSettings
    run: RunSettings

    @property
    def cache(self) -> Path:
        return Path(self.run.cache)


class EvalSettings(Settings):
    """The settings of `reseek eval`."""

    evaluation: EvaluationSettings


class TrainSettings(Settings):
    """The settings of `reseek train`."""

    algo: AlgoSettings
    watch: WatchSettings = WatchSettings()


class SftSettings(Settings):
    """The settings of `reseek sft`."""

    sft: ImitationSettings

    @property
    def playing(self) -> EvalSettings:
        """The settings under which the episodes to imitate are played: those of an evaluation by `sft`'s engine."""
        sft = self.sft
        asked = EvaluationSettings(engine=sft.engine, temperature=sft.temperature, concurrency=sft.concurrency)
        common = {name: getattr(self, name) for name in Settings.model_fields}
        return EvalSettings(**common, evaluation=asked)


def stage_of(config: DictConfig) -> Stage:
    """The `stage` of a composed configuration. Raises InputError for an unknown one."""
    try:
        return Stage(config.stage)
    except ValueError:
        raise InputError(f"stage={config.stage}: must be rl or sft") from None


_STAGE_OF_GROUP = {"sft": Stage.SFT, "algo": Stage.RL}


def check_overrides(stage: Stage, overrides: Sequence[str]) -> None:
    """Raises InputError for an override of a group that `stage` does not read."""
    for override in overrides:
        group = re.split(r"[.=]", override.lstrip("+~"), maxsplit=1)[0]
        reader = _STAGE_OF_GROUP.get(group, stage)
        if reader is not stage:
            raise InputError(f"{override}: is read with stage={reader.value}, not with stage={stage.value}")


S = TypeVar("S", bound=Settings)


def load_settings(config: DictConfig, command: type[S]) -> S:
    """The settings of `command` out of a composed configuration, whose other groups (verl's, say) are ignored. Raises
    InputError naming the key that is wrong."""
    sections: dict[str, Any] = {}
    for name, field in command.model_fields.items():
        values = OmegaConf.select(config, name)
        if values is None:
            if field.is_required():
                raise InputError(f"{name}: the configuration has no such group")
            continue
        missing = OmegaConf.missing_keys(values)
        if missing:
            raise InputError(f"{sorted(missing)[0]}: needs a value")
        assert isinstance(field.annotation, type)
        sections[name] = load_section(field.annotation, OmegaConf.to_container(values, resolve=True), name)
    return command(**sections)
