"""`rewards`: what an episode is worth, as a sum of terms."""

from enum import Enum

from pydantic import Field

from reseek.config.section import Chosen, Section


class Aggregate(Enum):
    """How an episode's verdict rewards become one number (docs/method.md, "Reward")."""

    SUM = "sum"
    """Their sum (the paper's): can be farmed by useless searches rightly judged No."""
    MEAN = "mean"
    """Their sum by the number of labelled verdicts."""
    CAPPED = "capped"
    """Their sum, clipped to +-cap."""


class AnswerMetric(Enum):
    """How an answer is compared with the gold answers, both normalised (reseek/rewards/reward.py)."""

    EXACT_MATCH = "exact_match"
    """1 if it equals one of them, else 0 (the paper's)."""
    F1 = "f1"
    """The best token-level F1 against one of them."""
    COVER = "cover"
    """1 if it contains one of them, else 0: long answers are not punished."""


class RewardConfig(Section):
    """`rewards`: what an episode is worth, as a sum of terms (reseek/rewards/terms.py). Defaults are the paper's."""

    answer: float = Field(1.0, description="+ answer x answer_metric")
    answer_metric: AnswerMetric = Field(AnswerMetric.EXACT_MATCH, description="exact_match (paper), f1 or cover")
    match: float = Field(0.3, description="for a verdict that agrees with the oracle")
    wrong_yes: float = Field(-0.3, description="for a Yes where the oracle says bad")
    wrong_no: float = Field(-0.3, description="for a No where the oracle says good")
    aggregate: Aggregate = Field(Aggregate.SUM, description="sum (paper), mean or capped")
    cap: float = Field(0.3, ge=0, description="bound of `capped`")
    format: float = Field(0.0, ge=0, description="+ format for an episode without a flaw: terms.Format")
    search_cost: float = Field(0.0, ge=0, description="- search_cost x searches")
    action_penalty: float = Field(0.0, ge=0, description="- action_penalty x calls without a legal action")
    terms: tuple[Chosen, ...] = Field((), description="further terms, each {name, options} (docs/extending.md)")
