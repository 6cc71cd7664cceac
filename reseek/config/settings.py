"""The typed settings of a run: which model, questions, corpus, search, algorithm and machines.

Every key of a group is documented where it is defined: in the module of this package that is named after it (`corpus`
and `world` in `search`; `cluster` and `watch` in `run`), those of the method itself in `reseek.config.agent`. Knows
nothing of verl: `conf/train.yaml` maps these values to verl's keys by interpolation. """

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

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
from reseek.config.sft import SftSettings
from reseek.errors import InputError


class Stage(Enum):
    """`stage`: what `python train.py` does."""

    RL = "rl"
    """Reinforcement learning (`algo`)."""
    SFT = "sft"
    """Imitation of episodes (`sft`), usually before it."""


class Settings(Section):
    """All groups of a run, typed. `algo`, `sft` and `evaluation` are None where the command has no such group."""

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
    watch: WatchSettings = WatchSettings()
    algo: AlgoSettings | None = None
    sft: SftSettings | None = None
    evaluation: EvaluationSettings | None = None

    @property
    def cache(self) -> Path:
        return Path(self.run.cache)


def stage_of(config: DictConfig) -> Stage:
    """The `stage` of a composed configuration. Raises InputError for an unknown one."""
    try:
        return Stage(config.stage)
    except ValueError:
        raise InputError(f"stage={config.stage}: is rl or sft") from None


_STAGE_OF_GROUP = {"sft": Stage.SFT, "algo": Stage.RL}


def check_overrides(stage: Stage, overrides: Sequence[str]) -> None:
    """Raises InputError for an override of a group that `stage` does not read."""
    for override in overrides:
        group = re.split(r"[.=]", override.lstrip("+~"), maxsplit=1)[0]
        reader = _STAGE_OF_GROUP.get(group, stage)
        if reader is not stage:
            raise InputError(f"{override}: is read with stage={reader.value}, not with stage={stage.value}")


def load_settings(config: DictConfig) -> Settings:
    """The typed settings of a composed configuration. Raises InputError naming the key that is wrong."""
    sections: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        kind = next(t for t in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(t, type))
        values = OmegaConf.select(config, name)
        if values is None:
            if field.is_required():
                raise InputError(f"{name}: the configuration has no such group")
            continue
        missing = OmegaConf.missing_keys(values)
        if missing:
            raise InputError(f"{sorted(missing)[0]}: needs a value")
        sections[name] = load_section(kind, OmegaConf.to_container(values, resolve=True), name)
    return Settings(**sections)
