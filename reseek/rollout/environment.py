"""The environment of an episode: it plays a question and returns its record."""

from dataclasses import dataclass
from typing import Protocol

from reseek.agent.episode import EpisodeTexts, StopReason, prompt_ids, run_episode
from reseek.agent.prompts import passages
from reseek.config.agent import AgentConfig
from reseek.config.oracle import OracleConfig
from reseek.config.rewards import RewardConfig
from reseek.errors import ScoringFailed, SearchFailed
from reseek.oracle import Oracle
from reseek.policy import Policy
from reseek.policy.text import TextTokenizer
from reseek.questions.record import Question
from reseek.rewards.answers import cover_match
from reseek.rollout.records import EpisodeRecord, record_of
from reseek.rollout.scoring import score_episode
from reseek.search import Search

RECALL_DEPTH = 3  # recall is always measured at least so deep: the paper's top-k


class Asker(Protocol):
    """Who is given the questions: a room in this process, or a pool of replicas."""

    @property
    def conditions(self) -> str:
        """The hash that the records carry."""
        ...

    async def ask(self, set_name: str, question: Question) -> EpisodeRecord: ...


@dataclass(frozen=True)
class Room:
    """An `Asker`: what all episodes of an evaluation share in one process."""

    policy: Policy
    search: Search
    oracle: Oracle
    texts: EpisodeTexts
    agent: AgentConfig
    oracle_config: OracleConfig
    rewards: RewardConfig
    conditions: str

    async def ask(self, set_name: str, question: Question) -> EpisodeRecord:
        return await run_question(set_name, question, self)


async def run_question(set_name: str, question: Question, room: Room) -> EpisodeRecord:
    """One question: its episode, its reward, and how well the corpus answers the bare question."""
    depth = max(room.agent.top_k, RECALL_DEPTH)
    agent = question.agent(room.agent)
    episode = await run_episode(
        prompt_ids(room.texts.tokenizer, agent, question.question),
        policy=room.policy,
        search=room.search,
        texts=room.texts,
        agent=agent,
        question=question.question,
    )
    reward, rank, error = None, None, None
    try:
        if episode.stop is not StopReason.FAILED:
            rank = await answer_rank(question, room.search, depth)
            reward = await score_episode(episode, question, room.oracle, room.oracle_config, room.rewards)
    except (SearchFailed, ScoringFailed) as failure:
        error = f"{type(failure).__name__}: {failure}"
    return record_of(
        episode,
        reward,
        question,
        set_name=set_name,
        conditions=room.conditions,
        answerable=question.answerable,
        answer_rank=rank,
        answer_depth=depth,
        error=error,
        text_of=room.texts.tokenizer.decode if isinstance(room.texts.tokenizer, TextTokenizer) else None,
    )


async def answer_rank(question: Question, search: Search, depth: int) -> int | None:
    """The rank of the first passage that holds a gold answer, read as the policy would read it, with the question
    itself as the query; None where none of the first `depth` does."""
    (hits,) = await search.search([question.question], depth)
    for rank, hit in enumerate(hits, start=1):
        if cover_match(passages([hit]), question.golden_answers):
            return rank
    return None
