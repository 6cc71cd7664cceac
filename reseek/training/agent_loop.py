"""The agent loop that verl runs: one episode per session, one output per segment.

Invariant: what verl trains is exactly `segments(trajectory)`: prompt ids, response ids, mask and rollout
log-probabilities are taken from there unchanged. A FAILED episode gives no output: the session does not exist for
training. Knows nothing of advantages or of how verl batches.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import uuid4

from omegaconf import OmegaConf
from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopOutput

from reseek.config import AgentConfig, OracleConfig, RewardConfig
from reseek.context import segments
from reseek.episode import Episode, EpisodeTexts, StopReason, prompt_ids, run_episode
from reseek.oracle import Oracle, make_oracle
from reseek.policy import Sample
from reseek.questions import Question
from reseek.reward import Reward
from reseek.scoring import score_episode
from reseek.search import Search
from reseek.search.lucene import LuceneSearch
from reseek.stats import EpisodeStats
from reseek.training.positions import verdict_credits

STATS_PREFIX = "episode/"
"""Before the names of our counts in `reward_extra_info`, where verl keeps names of its own (`reward`)."""
CREDIT_FIELD = "reseek_credit"
"""In an output's extra fields: the answer's and the verdicts' rewards, the latter with their response positions."""


@dataclass(frozen=True)
class Room:
    """What all episodes of one worker process share: the retriever (one JVM), the oracle, the typed configuration."""

    agent: AgentConfig
    rewards: RewardConfig
    oracle_config: OracleConfig
    search: Search
    oracle: Oracle


@lru_cache(maxsize=1)
def _room(sections: str) -> Room:
    values = OmegaConf.create(sections)
    plain = OmegaConf.to_container(values, resolve=True)
    oracle_config = OracleConfig.model_validate(plain["oracle"])
    return Room(
        AgentConfig.model_validate(plain["agent"]),
        RewardConfig.model_validate(plain["rewards"]),
        oracle_config,
        LuceneSearch(plain["index"]),
        make_oracle(oracle_config),
    )


@lru_cache(maxsize=1)
def _texts(tokenizer) -> EpisodeTexts:
    return EpisodeTexts.of(tokenizer)


class VerlPolicy:
    """verl's rollout server as a policy. All calls of an episode carry one request id, so that they reach the replica
    that holds the episode's prefix."""

    def __init__(self, server, sampling: dict[str, Any]) -> None:
        self.server = server
        self.sampling = sampling
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
            },
        )
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

    async def run(self, sampling_params: dict[str, Any], **kwargs) -> list[AgentLoopOutput]:
        config = self.config
        room = _room(
            OmegaConf.to_yaml(
                OmegaConf.create(
                    {
                        "agent": config.agent,
                        "rewards": config.rewards,
                        "oracle": config.oracle,
                        "index": config.corpus.index,
                    }
                ),
                resolve=True,
            )
        )
        question = Question.model_validate_json(kwargs["question"])
        policy = VerlPolicy(self.server_manager, sampling_params)
        episode = await run_episode(
            prompt_ids(self.tokenizer, room.agent, question.question),
            policy=policy,
            search=room.search,
            texts=_texts(self.tokenizer),
            agent=room.agent,
        )
        if episode.stop is StopReason.FAILED:
            return []
        reward = await score_episode(episode, question, room.oracle, room.oracle_config, room.rewards)
        assert reward is not None
        return outputs_of(episode, reward, policy.weight_versions)


def outputs_of(episode: Episode, reward: Reward, weight_versions: list[int]) -> list[AgentLoopOutput]:
    """One output per segment. Rewards travel in a field of our own, with their positions: verl knows one number a row
    and would copy the last row's to the others."""
    stats = {f"{STATS_PREFIX}{key}": value for key, value in EpisodeStats.of(episode, reward).as_dict().items()}
    prompt_length = episode.trajectory.prompt_length
    versions = {
        "min_global_steps": min(weight_versions, default=0),
        "max_global_steps": max(weight_versions, default=0),
    }
    rows = segments(episode.trajectory)
    outputs = []
    for segment, verdicts in zip(rows, verdict_credits(episode, reward, rows), strict=True):
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
                    CREDIT_FIELD: {"answer": reward.answer, "judge": reward.judge, "verdicts": verdicts},
                    "reward_extra_info": {"acc": reward.exact_match, **stats},  # verl reports `acc` as its headline
                },
            )
        )
    return outputs
