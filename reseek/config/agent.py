"""`agent`: the form and the budgets of an episode."""

from enum import Enum
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from reseek.config.section import Section
from reseek.registry import CONTEXTS, METHODS


class Prompt(Enum):
    """Instruction styles (`agent.prompt`)."""

    FULL = "full"
    """The method's instructions, for an instruction-tuned model."""
    BARE = "bare"
    """The question alone: for a model that learnt the form from demonstrations (micro)."""


class ContextPolicy(Enum):
    """What a No does to the context (docs/method.md, "Context after a verdict")."""

    DROP = "drop"
    """The observation is replaced by a short stub; the policy's own words stay."""
    STRICT = "strict"
    """The context becomes what it was before the SEARCH; only the budget moves."""
    KEEP = "keep"
    """Nothing: the verdict is rewarded, the observation stays."""


Context = Annotated[ContextPolicy | str, Field(union_mode="left_to_right")]
"""One of ours, or the import path of a class."""


def context_name(context: ContextPolicy | str) -> str:
    """The name or import path by which a context policy is chosen."""
    return context.value if isinstance(context, ContextPolicy) else context


class TurnUnit(Enum):
    """What one turn of the budget is (docs/method.md, "Turn budget")."""

    SEARCH = "search"
    """One SEARCH with its JUDGE; when the budget is spent one answer-only call follows."""
    ACTION = "action"
    """One SEARCH or one ANSWER; JUDGE is free; no answer call follows."""


class AgentConfig(Section):
    """`agent`: one episode's form and budgets. Token counts are of the policy's own tokenizer."""

    method: str = Field(
        "reseek",
        description="how a question is worked on: a built-in method (docs/evaluation.md), or package.module:Name",
    )
    method_options: dict[str, Any] = Field(default_factory=dict, description="the method's settings, where it has any")
    protocol: str = Field(
        "reseek", description="the environment's texts: reseek, or a YAML file of your own (docs/extending.md)"
    )
    prompt: Prompt = Field(Prompt.FULL, description="instruction style of the user turn: full or bare")
    context: Context = Field(
        ContextPolicy.DROP, description="what a No does to the context: drop, strict, keep, or package.module:Name"
    )
    context_options: dict[str, Any] = Field(
        default_factory=dict, description="settings of a context policy given by its import path"
    )
    max_turns: int = Field(4, ge=0, description="T, the turn budget")
    turn_unit: TurnUnit = Field(TurnUnit.SEARCH, description="what one turn is")
    top_k: int = Field(3, ge=1, description="passages per observation")
    prompt_tokens: int = Field(2048, ge=1, description="the user turn may hold this many tokens")
    call_tokens: int = Field(500, ge=1, description="one policy call samples at most this many")
    observation_tokens: int = Field(500, ge=1, description="an observation's passages are cut here")
    response_tokens: int = Field(4500, ge=1, description="everything after the user turn, in the longest context")
    deadline_s: float | None = Field(None, gt=0, description="wall-clock seconds an episode may take; null: no limit")

    @field_validator("context")
    @classmethod
    def _context_is_known(cls, context: ContextPolicy | str) -> ContextPolicy | str:
        if isinstance(context, str) and not CONTEXTS.is_path(context):
            CONTEXTS.checked(context)
        return context

    @model_validator(mode="after")
    def _options_are_of_a_path(self) -> "AgentConfig":
        # A question's own `context` may be another than this one: what a built-in one has no use for is seen only here.
        if self.context_options and not CONTEXTS.is_path(context_name(self.context)):
            raise ValueError(
                f"context_options: context={context_name(self.context)} has none, "
                f"{', '.join(self.context_options)} given; a context policy given by its import path may have some"
            )
        return self

    @field_validator("method")
    @classmethod
    def _method_is_known(cls, method: str) -> str:
        return method if METHODS.is_path(method) else METHODS.checked(method)

    @model_validator(mode="after")
    def _action_needs_a_turn(self) -> "AgentConfig":
        if self.turn_unit is TurnUnit.ACTION and self.max_turns == 0:
            raise ValueError("max_turns must be at least 1 with turn_unit=action, where the answer costs a turn")
        return self

    @model_validator(mode="after")
    def _method_fixes(self) -> "AgentConfig":
        if not METHODS.is_path(self.method) and (wrong := self.unused_by_method()):
            raise ValueError(wrong)
        return self

    def unused_by_method(self) -> str | None:
        """Which setting means nothing to the method: it must not be part of the conditions of its results. The class
        of a method that is given by its import path is imported for it."""
        method, name = METHODS.find(self.method), self.method
        group = f"choose it by the group, method={name}, or " if not METHODS.is_path(name) else ""
        fixed = method.fixed_turns
        if fixed is not None and (self.max_turns != fixed or self.turn_unit is not TurnUnit.SEARCH):
            return (
                f"max_turns={self.max_turns} (turn_unit={self.turn_unit.value}) means nothing to method={name}: "
                f"{group}set agent.max_turns={fixed} and agent.turn_unit=search"
            )
        if not method.judges() and self.context is not ContextPolicy.KEEP:
            return (
                f"context={context_name(self.context)} means nothing to method={name}, which never judges: "
                f"{group}set agent.context=keep"
            )
        return None

    @property
    def least_response_tokens(self) -> int:
        """What the turn budget needs at the least: a full observation a turn, and room for one call."""
        return self.max_turns * self.observation_tokens + self.call_tokens
