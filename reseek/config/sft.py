"""`sft`: which episodes are imitated, and how (docs/sft.md)."""

from enum import Enum

from pydantic import Field, model_validator

from reseek.config.section import Section


class EpisodeSource(Enum):
    """Where the episodes come from that are imitated."""

    SCRIPTED = "scripted"
    """An expert plays questions whose hops are known: the embedded world's, or a generated one's."""
    RECORDED = "recorded"
    """Files: `episodes/*.jsonl` of reseek eval or `rollouts/*.jsonl` of reseek train."""
    EXPERT = "expert"
    """An expert that knows the gold answers plays questions of any file over any corpus."""
    SAMPLED = "sampled"
    """The policy itself plays each question `samples` times (rejection sampling)."""


class TooLong(Enum):
    """What happens to a training row of more than `max_tokens` tokens. It is never cut."""

    REFUSE = "refuse"
    """The run does not start."""
    DROP = "drop"
    """The row is left out and counted."""


class ImitationSettings(Section):
    """`sft`: which episodes are imitated, and how (docs/sft.md)."""

    source: EpisodeSource = Field(EpisodeSource.SCRIPTED, description="scripted, recorded, expert or sampled")
    files: tuple[str, ...] = Field((), description="recorded: files of episodes or rollouts; a folder: its *.jsonl")
    carelessness: float = Field(
        0.4, ge=0, le=1, description="scripted, expert: how often the first query (of a hop) is poor"
    )
    laziness: float = Field(0.05, ge=0, le=1, description="scripted: how often the expert says Yes where No is right")
    yes_share: float | None = Field(
        0.5, ge=0, le=1, description="expert: share of Yes among the labels at each observation; null: what is played"
    )
    unanswerable_share: float = Field(
        0.1, ge=0, le=1, description="expert: most episodes that find nothing and train their last answer, a guess"
    )
    samples: int = Field(4, ge=1, description="sampled: episodes per question")
    engine: str = Field("vllm", pattern="^(vllm|transformers)$", description="sampled: what samples")
    temperature: float = Field(1.0, ge=0, description="sampled: of the policy")
    concurrency: int = Field(64, ge=1, description="scripted, expert, sampled: episodes under way at once")
    right: bool = Field(True, description="keep only episodes whose answer matches exactly")
    agreeing: bool = Field(False, description="keep only episodes whose labelled verdicts all agree with the oracle")
    most_per_question: int | None = Field(None, ge=1, description="most episodes kept of a question; null: all")
    max_tokens: int | None = Field(None, ge=2, description="longest training row; null: what `agent` allows a context")
    too_long: TooLong = Field(TooLong.REFUSE, description="refuse or drop: what happens to a longer row")
    validation_share: float = Field(0.05, ge=0, lt=1, description="share of questions kept back to measure the loss")
    epochs: int = Field(1, ge=1, description="passes over the rows")
    steps: int | None = Field(None, ge=1, description="optimiser steps, instead of `epochs`")
    learning_rate: float = Field(1e-5, ge=0, description="of the policy, after the warm-up")
    warmup_ratio: float = Field(0.05, ge=0, lt=1, description="share of steps in which the learning rate rises")
    weight_decay: float = Field(0.0, ge=0, description="of AdamW")
    batch_rows: int = Field(64, ge=1, description="rows per optimiser step, over all devices")
    device_rows: int = Field(8, ge=1, description="rows per forward pass and device")
    gradient_checkpointing: bool = Field(False, description="less memory, a third more time")
    shard: bool = Field(False, description="several devices: shard weights and optimiser over them (FSDP)")
    save_every: int = Field(-1, description="steps between checkpoints to resume from; -1: none")

    @model_validator(mode="after")
    def _files_are_for_recorded(self) -> "ImitationSettings":
        if self.source is EpisodeSource.RECORDED and not self.files:
            raise ValueError("files: needs files with source=recorded, such as sft.files=[RUN/episodes/test.jsonl]")
        if self.source is not EpisodeSource.RECORDED and self.files:
            raise ValueError("files: are read only with source=recorded")
        return self
