"""`agent`: the form and the budgets of an episode."""

from enum import Enum
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from reseek.agent.methods import Method
from reseek.config.section import Section
from reseek.registry import CONTEXTS


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

    method: Method = Field(Method.RESEEK, description="how a question is worked on: see conf/method")
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
    def _action_needs_a_turn(self) -> "AgentConfig":
        if self.turn_unit is TurnUnit.ACTION and self.max_turns == 0:
            raise ValueError("max_turns must be at least 1 with turn_unit=action, where the answer costs a turn")
        return self

    @model_validator(mode="after")
    def _method_fixes(self) -> "AgentConfig":
        """What a method has no use for must not stand in the conditions of its results."""
        method, fixed = self.method, self.method.fixed_turns
        if fixed is not None and (self.max_turns != fixed or self.turn_unit is not TurnUnit.SEARCH):
            raise ValueError(
                f"max_turns={self.max_turns} (turn_unit={self.turn_unit.value}) means nothing to method={method.value}:"
                f" choose it by the group, method={method.value}, or set max_turns={fixed} and turn_unit=search"
            )
        if not method.judges and self.context is not ContextPolicy.KEEP:
            raise ValueError(
                f"context={context_name(self.context)} means nothing to method={method.value}, which never judges: "
                f"choose it by the group, method={method.value}, or set context=keep"
            )
        return self

    @property
    def least_response_tokens(self) -> int:
        """What the turn budget needs at the least: a full observation a turn, and room for one call."""
        return self.max_turns * self.observation_tokens + self.call_tokens
