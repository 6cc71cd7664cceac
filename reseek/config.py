"""The typed configuration of an agent's episodes and of what they are rewarded for.

Every key of the groups `agent`, `rewards` and `oracle` is documented here, where it is defined; `conf/` only gives
values. Unknown keys are refused. Knows nothing of Hydra, verl or files: what runs where stands in `reseek.training`.
"""

from enum import Enum
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reseek.errors import InputError, first_problem
from reseek.methods import Method
from reseek.prompts import Prompt


class ContextPolicy(Enum):
    """What a No does to the context (DESIGN 3.4)."""

    DROP = "drop"
    """The observation is replaced by a short stub; the policy's own words stay."""
    STRICT = "strict"
    """The context becomes what it was before the SEARCH; only the budget moves."""
    KEEP = "keep"
    """Nothing: the verdict is rewarded, the observation stays."""


class TurnUnit(Enum):
    """What a turn of the budget is (DESIGN 3.5)."""

    SEARCH = "search"
    """One SEARCH with its JUDGE; when the budget is spent one answer-only call follows."""
    ACTION = "action"
    """One SEARCH or one ANSWER; JUDGE is free; no answer call follows."""


class Aggregate(Enum):
    """How an episode's verdict rewards become one number (DESIGN 3.8)."""

    SUM = "sum"
    """Their sum (the paper's): can be farmed by useless searches rightly judged No."""
    MEAN = "mean"
    """Their sum by the number of labelled verdicts."""
    CAPPED = "capped"
    """Their sum, clipped to +-cap."""


class AnswerMetric(Enum):
    """How an answer is compared with the gold answers, both normalised (reseek/reward.py)."""

    EXACT_MATCH = "exact_match"
    """1 if it equals one of them, else 0 (the paper's)."""
    F1 = "f1"
    """The best token-level F1 against one of them."""
    COVER = "cover"
    """1 if it contains one of them, else 0: long answers are not punished."""


class Section(BaseModel):
    """A configuration group: typed, immutable, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AgentConfig(Section):
    """`agent`: one episode's form and budgets. Token counts are of the policy's own tokenizer."""

    method: Method = Field(Method.RESEEK, description="how a question is worked on: see conf/method")
    prompt: Prompt = Field(Prompt.FULL, description="instruction style of the user turn: full or bare")
    context: ContextPolicy = Field(ContextPolicy.DROP, description="what a No does to the context")
    max_turns: int = Field(4, ge=0, description="T, the turn budget")
    turn_unit: TurnUnit = Field(TurnUnit.SEARCH, description="what one turn is")
    top_k: int = Field(3, ge=1, description="passages per observation")
    prompt_tokens: int = Field(2048, ge=1, description="the user turn may hold this many tokens")
    call_tokens: int = Field(500, ge=1, description="one policy call samples at most this many")
    observation_tokens: int = Field(500, ge=1, description="an observation's passages are cut here")
    response_tokens: int = Field(4500, ge=1, description="everything after the user turn, in the longest context")
    deadline_s: float | None = Field(None, gt=0, description="wall-clock seconds an episode may take; null: no limit")

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
                f"context={self.context.value} means nothing to method={method.value}, which never judges: choose it "
                f"by the group, method={method.value}, or set context=keep"
            )
        return self

    @property
    def least_response_tokens(self) -> int:
        """What the turn budget needs at the least: a full observation a turn, and room for one call."""
        return self.max_turns * self.observation_tokens + self.call_tokens


class RewardConfig(Section):
    """`rewards`: what an episode is worth, as a sum of terms (reseek/terms.py). Defaults are the paper's."""

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


class OracleName(Enum):
    """Which oracle labels observations."""

    LITERAL = "literal"
    """Good iff an alias of the gold answer stands in the observation, at token boundaries."""
    SUPPORTING = "supporting"
    """Good iff a gold passage's title is among the observation's; no label where none is known."""
    BI_ENCODER = "bi_encoder"
    """Cosine similarity of the two sides of a pair (`oracle.pair`) by a sentence-transformers model."""
    CROSS_ENCODER = "cross_encoder"
    """A reranker's probability that the two sides of a pair belong together, in this process."""
    REMOTE = "remote"
    """A reranker's, in a service."""


class PairForm(Enum):
    """What the observation is compared with."""

    ANSWER = "answer"
    """A gold answer alone (the paper's)."""
    QUESTION_ANSWER = "question_answer"
    """The question and a gold answer."""


class Unit(Enum):
    """What is scored of an observation."""

    WHOLE = "whole"
    """Its whole text, as the policy saw it (the paper's)."""
    PASSAGE = "passage"
    """Each of its passages, title and text; the best one counts."""


class RemoteApi(Enum):
    """Which of the scoring services' requests is spoken."""

    VLLM_SCORE = "vllm_score"
    """vLLM's POST /score: many pairs a request."""
    VLLM_RERANK = "vllm_rerank"
    """vLLM's (and Jina's, Cohere's) POST /rerank: one query, many documents a request."""
    TEI_RERANK = "tei_rerank"
    """Text Embeddings Inference's POST /rerank."""


class OracleConfig(Section):
    """`oracle`: who says which verdict was right. A key that the named oracle does not read must be left alone."""

    name: OracleName = Field(OracleName.LITERAL, description="literal, supporting, bi_encoder, cross_encoder or remote")
    threshold: float = Field(0.7, ge=0, le=1, description="good iff score > threshold")
    calibration: str | None = Field(
        None, description="card.json of `python -m reseek.oracle.calibrate`: its error rate is logged with the run"
    )
    flip: float = Field(
        0.0, ge=0, le=1, description="share of labels turned round at random: a control, and studies of label noise"
    )
    most_failed: float = Field(
        0.2, ge=0, le=1, description="training stops where scoring failed for more than this share of a step's sessions"
    )
    model: str | None = Field(
        None, description="a model folder or hub id; remote: its name there; bi_encoder: null is the embedded MiniLM"
    )
    pair: PairForm = Field(PairForm.ANSWER, description="what the observation is compared with")
    unit: Unit = Field(Unit.WHOLE, description="whole, or passage: the best one counts")
    window_tokens: int | None = Field(
        None, ge=8, description="longer texts are scored in windows of so many tokens; null: what the model takes"
    )
    window_overlap: int = Field(64, ge=0, description="tokens that two neighbouring windows share")
    batch_size: int = Field(32, ge=1, description="pairs in one request, or one forward pass (a CPU: 4)")
    cache: str | None = Field(
        None, description="file of known scores, kept across runs, shared by processes; on a local disk; null: none"
    )
    shared: bool = Field(False, description="training: one oracle per node instead of one per agent worker")
    device: str | None = Field(None, description="cpu, cuda or cuda:N; null: a GPU where the process sees one")
    dtype: str = Field("float32", pattern="^(float32|bfloat16|float16)$", description="of the model's weights")
    urls: tuple[str, ...] = Field((), description="remote: replicas, such as [http://127.0.0.1:8001]")
    api: RemoteApi = Field(RemoteApi.VLLM_SCORE, description="remote: vllm_score, vllm_rerank or tei_rerank")
    tokenizer: str | None = Field(
        None, description="remote: folder or hub id, to count tokens with; null: 2 characters are taken for a token"
    )
    timeout_s: float = Field(30.0, gt=0, description="remote: seconds for one request to one replica")
    patience_s: float = Field(300.0, gt=0, description="remote: seconds of trying before a scoring fails")

    @model_validator(mode="after")
    def _keys_fit_the_name(self) -> "OracleConfig":
        for key in sorted(self.model_fields_set - _EVERY_ORACLE - _KEYS_OF[self.name]):
            if getattr(self, key) != type(self).model_fields[key].default:
                readers = ", ".join(name.value for name in OracleName if key in _KEYS_OF[name])
                raise ValueError(f"{key} is read by {readers}, not by {self.name.value}; leave it out")
        if self.name is OracleName.CROSS_ENCODER and self.model is None:
            raise ValueError("model is needed with name=cross_encoder: a model folder or a hub id")
        if self.name is OracleName.REMOTE and not self.urls:
            raise ValueError("urls is needed with name=remote: addresses such as [http://127.0.0.1:8001]")
        if self.name is OracleName.REMOTE and self.window_tokens is None:
            raise ValueError("window_tokens is needed with name=remote: how many tokens of text the service takes")
        if self.name is OracleName.REMOTE and self.model is None:
            raise ValueError("model is needed with name=remote: what the service calls it; known scores are kept by it")
        if self.window_tokens is not None and self.window_overlap >= self.window_tokens:
            raise ValueError(f"window_overlap must be less than window_tokens = {self.window_tokens}")
        return self

    @property
    def labelling(self) -> "OracleConfig":
        """These values without those that can't change a verdict (where the model runs, how it is asked)."""
        return self.model_copy(update={key: type(self).model_fields[key].default for key in _NO_VERDICT})


_EVERY_ORACLE = frozenset({"name", "threshold", "calibration", "flip", "most_failed"})
_OF_PAIRS = frozenset({"model", "pair", "unit", "window_tokens", "window_overlap", "batch_size", "cache", "shared"})
_KEYS_OF: dict[OracleName, frozenset[str]] = {
    OracleName.LITERAL: frozenset(),
    OracleName.SUPPORTING: frozenset(),
    OracleName.BI_ENCODER: _OF_PAIRS | {"device", "dtype"},
    OracleName.CROSS_ENCODER: _OF_PAIRS | {"device", "dtype"},
    OracleName.REMOTE: _OF_PAIRS | {"urls", "api", "tokenizer", "timeout_s", "patience_s"},
}
_NO_VERDICT = frozenset(
    {"calibration", "most_failed", "batch_size", "cache", "shared", "device", "urls", "api", "timeout_s", "patience_s"}
)


S = TypeVar("S", bound=Section)


def load_section(section: type[S], values: dict[str, Any], group: str) -> S:
    """`values` as a typed section. Raises InputError naming `group.key`, what is wrong with it and, for an unknown
    key, the known ones."""
    try:
        return section.model_validate(values)
    except ValidationError as error:
        problem = first_problem(error)
        unknown = sorted(set(values) - set(section.model_fields))
        if unknown:
            raise InputError(
                f"{group}.{unknown[0]}: no such key; known: {', '.join(sorted(section.model_fields))}"
            ) from None
        separator = "" if problem.startswith("Value error") else "."
        raise InputError(f"{group}{separator}{': ' if not separator else ''}{problem}") from None
