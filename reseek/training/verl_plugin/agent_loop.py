"""The agent loop that verl runs: one episode per session, one output per segment.

Invariant: what verl trains is exactly `segments(trajectory)`: prompt ids, response ids, mask and rollout
log-probabilities are taken from there unchanged. An episode whose search or scoring failed gives no output: the
session does not exist for training.
"""

import logging
from dataclasses import replace
from typing import Any
from uuid import uuid4

from omegaconf import OmegaConf
from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopOutput

from reseek.agent.episode import Episode, EpisodeTexts, StopReason
from reseek.config.agent import AgentConfig
from reseek.config.oracle import OracleConfig
from reseek.config.rewards import RewardConfig
from reseek.config.search import SearchSettings
from reseek.errors import InputError, ScoringFailed, one_line
from reseek.oracle.actor import oracle_for
from reseek.policy import Sample
from reseek.questions.record import Question
from reseek.rewards.reward import Reward
from reseek.rollout.environment import Environment
from reseek.rollout.records import record_of
from reseek.rollout.stats import EpisodeStats
from reseek.search.making import configured_search
from reseek.training.credit.token_positions import segment_credits
from reseek.training.monitor.reports import report_unscored
from reseek.training.monitor.waiting_times import TimedOracle, TimedPolicy, TimedSearch, Waits
from reseek.training.verl_plugin.call_seeds import Stream

_log = logging.getLogger(__name__)

STATS_PREFIX = "episode/"
"""Before the names of our counts in `reward_extra_info`, where verl keeps names of its own (`reward`)."""
CREDIT_FIELD = "reseek_credit"
"""In an output's extra fields: what was earned and where it stands (`positions.segment_credits`)."""
RECORD_FIELD = "reseek_record"
"""In an output's extra fields: the episode's record as JSON, once a session; "" without `run.record_every`."""
WAITS_FIELD = "reseek_waits"
"""In an output's extra fields: what its session waited for (`waits.Waits.done`)."""


class _Environments:
    """The environment of this worker process, made once: one retriever (one JVM), one oracle. Resolving the
    configuration takes about 10 ms, which no episode should pay. Its policy is replaced in each session."""

    config: Any = None
    environment: Environment | None = None

    @classmethod
    def of(cls, config, tokenizer) -> Environment:
        if cls.environment is None or cls.config is not config:
            plain = OmegaConf.to_container(_sections(config), resolve=True)
            cls.config, cls.environment = config, _environment(plain, tokenizer)
        return cls.environment


def _sections(config) -> Any:
    return OmegaConf.create(
        {
            "agent": config.agent,
            "rewards": config.rewards,
            "oracle": config.oracle,
            "search": config.search,
            "index": config.corpus.index,
            "seed": config.run.seed,
        }
    )


def _environment(plain: Any, tokenizer) -> Environment:
    oracle_config = OracleConfig.model_validate(plain["oracle"])
    return Environment(
        policy=None,  # type: ignore[arg-type]  # each session brings its own
        search=configured_search(SearchSettings.model_validate(plain["search"]), plain["index"], plain["seed"]),
        oracle=oracle_for(oracle_config),
        texts=EpisodeTexts.of(tokenizer),
        agent=AgentConfig.model_validate(plain["agent"]),
        oracle_config=oracle_config,
        rewards=RewardConfig.model_validate(plain["rewards"]),
        # Whatever it is: verl would log it and train on the sessions that are left, without saying so.
        tolerated=(Exception,),
    )


class VerlPolicy:
    """verl's rollout server as a policy. All calls of an episode carry one request id, so that they reach the replica
    that holds the episode's prefix; each is sampled with its own seed of the episode's `stream`."""

    def __init__(self, server, sampling: dict[str, Any], stream: Stream) -> None:
        self.server = server
        self.sampling = sampling
        self.stream = stream
        self.calls = 0
        self.request_id = uuid4().hex
        self.weight_versions: list[int] = []

    async def sample(self, context_ids, *, stop, max_tokens) -> Sample:
        output = await self.server.generate(
            request_id=self.request_id,
            prompt_ids=list(context_ids),
            sampling_params={
                **self.sampling,
                "stop": list(stop),
                "include_stop_str_in_output": True,
                "skip_special_tokens": False,
                "max_tokens": max_tokens,
                "seed": self.stream.seed(self.calls),
            },
        )
        self.calls += 1
        version = output.extra_fields.get("max_global_steps", output.extra_fields.get("global_steps"))
        if version is not None:
            self.weight_versions.append(version)
        ids = tuple(output.token_ids)
        return Sample(ids, tuple(output.log_probs) if output.log_probs else None)


class ReSeekAgentLoop(AgentLoopBase):
    """Registered under the name `reseek` by conf/agent_loop.yaml; verl makes one per session."""

    def __init__(self, trainer_config, server_manager, tokenizer, **_kwargs) -> None:
        # Not super().__init__: it builds a chat-template machinery per session (60 ms each, measured on a CPU) which an
        # episode, appending raw tokens, has no use for.
        self.config = trainer_config.config
        self.server_manager = server_manager
        self.tokenizer = tokenizer

    async def run(  # type: ignore[override]  # verl takes a list as well: one output a segment
        self, sampling_params: dict[str, Any], **kwargs
    ) -> list[AgentLoopOutput]:
        question = Question.model_validate_json(kwargs["question"])
        shared = _Environments.of(self.config, self.tokenizer)
        place = int(kwargs["global_steps"]), int(kwargs["index"]), int(kwargs["session_id"])
        policy, waits = VerlPolicy(self.server_manager, sampling_params, Stream(self.config.run.seed, *place)), Waits()
        environment = replace(
            shared,
            policy=TimedPolicy(policy, waits),
            search=TimedSearch(shared.search, waits),
            oracle=TimedOracle(shared.oracle, waits),
        )
        played = await environment.play(question)
        waits.scored(played.scoring_seconds)
        if played.episode.stop is StopReason.FAILED:
            _log.error("question %s: the search failed: %s", question.id, played.episode.error)
            return []
        if played.failure is not None:
            cause = one_line(str(played.failure))
            if not isinstance(played.failure, (ScoringFailed, InputError)):
                cause = f"{type(played.failure).__name__}: {cause}"
            _log.error("question %s: the scoring failed: %s", question.id, cause, exc_info=played.failure)
            await report_unscored(cause)
            return []
        assert played.reward is not None
        record = self._record(question, played.episode, played.reward)
        return outputs_of(played.episode, played.reward, policy.weight_versions, waits.done(), record)

    def _record(self, question: Question, episode: Episode, reward: Reward) -> str:
        if not self.config.run.record_every:
            return ""
        made = record_of(
            episode, reward, question, set_name="train", conditions="", answer_rank=None, answer_depth=0
        )
        return made.model_dump_json()


def outputs_of(
    episode: Episode, reward: Reward, weight_versions: list[int], waits: dict[str, float], record: str = ""
) -> list[AgentLoopOutput]:
    """One output per segment. Rewards travel in a field of our own, with their positions: verl knows one number a row
    and would copy the last row's to the others."""
    stats = {f"{STATS_PREFIX}{key}": value for key, value in EpisodeStats.of(episode, reward).as_dict().items()}
    prompt_length = episode.trajectory.prompt_length
    versions = {
        "min_global_steps": min(weight_versions, default=0),
        "max_global_steps": max(weight_versions, default=0),
    }
    rows = episode.segments
    outputs = []
    for segment, credit in zip(rows, segment_credits(episode, reward, rows), strict=True):
        outputs.append(
            AgentLoopOutput(
                prompt_ids=list(segment.ids[:prompt_length]),
                response_ids=list(segment.ids[prompt_length:]),
                response_mask=list(segment.mask[prompt_length:]),
                response_logprobs=None if segment.logprobs is None else list(segment.logprobs[prompt_length:]),
                multi_modal_data={},
                reward_score=reward.total,
                num_turns=len(episode.calls),
                metrics={"generate_sequences": episode.seconds},
                extra_fields={
                    **versions,
                    "turn_scores": [],
                    "tool_rewards": [],
                    CREDIT_FIELD: credit,
                    WAITS_FIELD: waits,
                    RECORD_FIELD: record if not outputs else "",
                    "reward_extra_info": {"acc": reward.exact_match, **stats},  # verl reports `acc` as its headline
                },
            )
        )
    return outputs
