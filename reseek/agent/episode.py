"""One episode: the SEARCH / JUDGE / ANSWER state machine that training, evaluation and demos share.

Invariant: what the policy is given at each call is `trajectory.context`, and every token it samples is appended there,
whatever it says; text is decoded from token ids only to be parsed and is never tokenised again. (A refinement,
`reseek.agent.findings`, is a call on a prompt of its own and kept with its observation.) A failed search or endpoint
ends the episode as FAILED: it is never an observation.

`agent.method` says which actions are legal.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

from corpora.record import Hit
from reseek.agent.context import Segment, Source, Trajectory, segments
from reseek.agent.context_policies import Rejected, context_policy
from reseek.agent.findings import Asking, Findings, NoRoom, Refinement
from reseek.agent.grammar import INVALID, Action, Parsed, parse
from reseek.agent.methods import method_of, texts_of
from reseek.agent.observation import Observation, Span, observed
from reseek.agent.prompts import instructions
from reseek.agent.tokens import EpisodeTexts, token_span
from reseek.agent.verdict import Verdict
from reseek.config.agent import AgentConfig, Prompt, TurnUnit
from reseek.errors import EpisodeFailed, FailedPart
from reseek.policy import Policy, sound_sample
from reseek.search import Search, sound_hits
from reseek.services.offloading import characters, offloaded


class StopReason(Enum):
    """How an episode ended. All but FAILED train the policy with the reward they earned."""

    ANSWERED = "answered"
    """The policy answered, by itself or in the answer-only call."""
    NO_ANSWER = "no_answer"
    """The turn budget was spent and no answer came."""
    INVALID = "invalid"
    """Two texts in a row without a legal action."""
    REPEATED = "repeated"
    """Under `strict`, a dropped query came again (at temperature 0 it must); the answer-only call followed."""
    TOKEN_BUDGET = "token_budget"
    """No room was left for another observation or call within `agent.response_tokens`."""
    DEADLINE = "deadline"
    """`agent.deadline_s` had passed."""
    FAILED = "failed"
    """The search or the policy's endpoint failed. No reward, never trained."""


@dataclass(frozen=True)
class Call:
    """One policy call: what it did, and which of the trajectory's sampled tokens (`start`:`end`) it sampled. The tokens
    `action_start`:`action_end` among them hold its action, tags included (none if it is INVALID)."""

    parsed: Parsed
    text: str
    start: int
    end: int
    action_start: int
    action_end: int


@dataclass(frozen=True)
class Retrieval:
    """One search and what became of it. `hits` are what the retriever returned, `text` is what the policy saw between
    the tags, `spans[i]` is where hit i's passage appears in it (hits behind the last span were not shown). The verdict
    is None where the episode ended before the policy could speak again, or nobody judges. `search_call` and
    `verdict_call` index the episode's calls; the former is None where the environment searched by itself, the latter
    where there is no verdict. `refinement` is the call that wrote the text, where the passages themselves were not
    shown."""

    query: str
    hits: tuple[Hit, ...]
    text: str
    search_call: int | None
    spans: tuple[Span, ...] = ()
    verdict: Verdict | None = None
    verdict_call: int | None = None
    refinement: Refinement | None = None

    @property
    def observation(self) -> Observation:
        """What the policy saw, as an oracle is given it."""
        return observed(self.hits, self.text, self.spans)


@dataclass(frozen=True)
class Episode:
    """A finished episode. `answer` is None unless one was given; `error` says why a FAILED one failed, `failed_part` by
    what."""

    trajectory: Trajectory
    calls: tuple[Call, ...]
    observations: tuple[Retrieval, ...]
    stop: StopReason
    answer: str | None
    seconds: float
    error: str | None = None
    failed_part: FailedPart | None = None

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The training rows."""
        return segments(self.trajectory)

    @property
    def legal_calls(self) -> int:
        """Calls that held a legal action."""
        return sum(call.parsed.action is not Action.INVALID for call in self.calls)


def prompt_ids(tokenizer, agent: AgentConfig, question: str) -> tuple[int, ...]:
    """The user turn as the policy's chat template writes it, up to where the assistant turn begins."""
    messages = _messages(agent, question)
    return tuple(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False))


def prompt_text(tokenizer, agent: AgentConfig, question: str) -> str:
    """The text behind `prompt_ids`."""
    messages = _messages(agent, question)
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, return_dict=False)
    return text if isinstance(text, str) else tokenizer.decode(text)  # a tokenizer that deals in text gives ids


def _messages(agent: AgentConfig, question: str) -> list[dict[str, str]]:
    texts = texts_of(agent)
    text = instructions(agent.prompt, agent.method, question, agent.max_turns, texts)
    messages = [{"role": "user", "content": text}]
    if texts.system and agent.prompt is Prompt.FULL:
        messages.insert(0, {"role": "system", "content": texts.system})
    return messages


async def run_episode(
    prompt: Sequence[int],
    *,
    policy: Policy,
    search: Search,
    texts: EpisodeTexts,
    agent: AgentConfig,
    question: str,
) -> Episode:
    """Run one episode from the token ids of its user turn. `question` is the bare one, which some methods search for.
    Raises what the policy raises, but a SearchFailed of the search and a PolicyFailed of the policy become a FAILED
    episode."""
    return await _Run(prompt, policy, search, texts, agent, question).run()


class _Run:
    """The state of one running episode."""

    def __init__(
        self,
        prompt: Sequence[int],
        policy: Policy,
        search: Search,
        texts: EpisodeTexts,
        agent: AgentConfig,
        question: str,
    ) -> None:
        self.policy, self.search, self.texts, self.agent = policy, search, texts, agent
        self.method, self.question = method_of(agent), question
        self.stop = self.method.stop()
        self.trajectory = Trajectory().append(Source.PROMPT, prompt)
        self.limit = len(prompt) + agent.response_tokens
        self.calls: list[Call] = []
        self.observations: list[Retrieval] = []
        self.turns = 0
        self.invalid_in_a_row = 0
        self.pending: _Pending | None = None
        self.dropped_queries: set[str] = set()
        self.rejections = 0
        self.context_policy = context_policy(agent)
        self.answer: str | None = None
        self.failure: EpisodeFailed | None = None
        self.started = time.monotonic()

    async def run(self) -> Episode:
        try:
            query = self.method.first_query(self.question)
            stop = None if query is None else await self.observe(query)
            while stop is None:
                stop = await self.turn()
        except EpisodeFailed as failure:
            self.failure = failure
            stop = StopReason.FAILED
        return Episode(
            self.trajectory,
            tuple(self.calls),
            tuple(self.observations),
            stop,
            self.answer,
            time.monotonic() - self.started,
            None if self.failure is None else str(self.failure),
            None if self.failure is None else self.failure.part,
        )

    async def turn(self) -> StopReason | None:
        """One call of the policy and what follows from it; the reason to stop, if there is one."""
        deadline = self.agent.deadline_s
        if deadline is not None and time.monotonic() - self.started > deadline:
            return StopReason.DEADLINE
        if self.spent and self.pending is None:
            return await self.answer_only(StopReason.ANSWERED)
        parsed = await self.call()
        if parsed is None:
            return StopReason.TOKEN_BUDGET
        if parsed.action is Action.INVALID:
            return self.hint()
        self.invalid_in_a_row = 0
        if parsed.action is Action.JUDGE:
            assert parsed.verdict is not None
            self.settle(parsed.verdict)
            return None
        if self.pending is not None:
            self.settle(Verdict.MISSING)
        if parsed.action is Action.SEARCH:
            return await self.observe(parsed.content)
        if self.spent and self.agent.turn_unit is TurnUnit.ACTION:
            return StopReason.NO_ANSWER  # the answer came one action too late
        return self.accept(parsed)

    @property
    def spent(self) -> bool:
        return self.turns >= self.agent.max_turns

    @property
    def room(self) -> int:
        return self.limit - len(self.trajectory.context)

    async def call(self) -> Parsed | None:
        """Let the policy speak once; None where there is no room for a token."""
        max_tokens = min(self.agent.call_tokens, self.room)
        if max_tokens < 1:
            return None
        start = self.trajectory.sampled_count
        sample = sound_sample(await self.policy.sample(self.trajectory.context, stop=self.stop, max_tokens=max_tokens))
        self.trajectory = self.trajectory.append(Source.POLICY, sample.ids, sample.logprobs)
        text = self.texts.tokenizer.decode(sample.ids, skip_special_tokens=False)
        parsed = parse(text)
        if parsed.action not in self.method.actions or (parsed.action is Action.JUDGE and not self.may_say(parsed)):
            parsed = INVALID
        first, last = token_span(self.texts.tokenizer, sample.ids, parsed.start, parsed.end)
        self.calls.append(Call(parsed, text, start, start + len(sample.ids), start + first, start + last))
        return parsed

    def may_say(self, judged: Parsed) -> bool:
        """Whether there is an observation to judge and the verdict is one that the protocol offers."""
        return self.pending is not None and judged.verdict in self.texts.protocol.offered

    def say(self, source: Source, ids: Sequence[int]) -> bool:
        """Append environment text if a token of room is left behind it."""
        if len(ids) >= self.room:
            return False
        self.trajectory = self.trajectory.append(source, ids)
        return True

    def hint(self) -> StopReason | None:
        self.invalid_in_a_row += 1
        self.turns += 1
        if self.invalid_in_a_row == 2:
            return StopReason.INVALID
        if not self.say(Source.HINT, self.texts.hint if self.method.judges() else self.texts.hint_without_judge):
            return StopReason.TOKEN_BUDGET
        return None

    def accept(self, parsed: Parsed) -> StopReason:
        self.turns += self.agent.turn_unit is TurnUnit.ACTION
        self.answer = parsed.content
        return StopReason.ANSWERED

    async def answer_only(self, reason: StopReason) -> StopReason:
        """The one call that is left when the budget is spent; `reason` is the ending if it answers."""
        if self.agent.turn_unit is TurnUnit.ACTION and self.spent:
            return StopReason.NO_ANSWER
        if self.method.searches() and not self.say(Source.NOTICE, self.texts.notice):
            return StopReason.TOKEN_BUDGET
        parsed = await self.call()
        if parsed is not None and parsed.action is Action.ANSWER:
            self.accept(parsed)
            return reason
        return StopReason.NO_ANSWER if reason is StopReason.ANSWERED else reason

    async def observe(self, query: str) -> StopReason | None:
        """Spend a turn on a search and show what it brought."""
        if self.spent:
            return await self.answer_only(StopReason.ANSWERED)
        self.turns += 1
        if query in self.dropped_queries and getattr(self.context_policy, "refuses_repeats", False):
            return await self.answer_only(StopReason.REPEATED)
        if self.agent.turn_unit is TurnUnit.ACTION and self.spent:
            return StopReason.NO_ANSWER  # no action is left that could use the observation
        (brought,) = await self.search.search([query], self.agent.top_k)
        hits = sound_hits(brought)
        limit = self.agent.observation_tokens
        body = await offloaded(characters(hits), self.texts.joined, hits, limit)
        ids, text, spans = self.texts.shown(body, limit)
        try:
            refinement = await self.method.refined(self.findings(query, hits, text))
        except NoRoom:
            return StopReason.TOKEN_BUDGET
        if refinement is not None:
            ids, text = self.texts.block(refinement.text, limit)
            spans = ()
        start = len(self.trajectory.context)
        if not self.say(Source.OBSERVATION, ids):
            return StopReason.TOKEN_BUDGET
        call = len(self.calls) - 1 if self.calls else None
        if self.method.judges():
            before_search = start if call is None else start - (self.calls[call].end - self.calls[call].start)
            self.pending = _Pending(before_search, start, start + len(ids))
        self.observations.append(Retrieval(query, tuple(hits), text, call, spans, refinement=refinement))
        return None

    def findings(self, query: str, hits: Sequence[Hit], found: str) -> Findings:
        """What a search brought, for the method to refine."""
        said = self.calls[-1].text[: self.calls[-1].parsed.start] if self.calls else ""
        asking = None if self.method.trainable else Asking(self.policy, self.agent.call_tokens, self.limit)
        return Findings(self.question, self.texts, said, query, hits, found, asking)

    def settle(self, verdict: Verdict) -> None:
        """Record the verdict on the pending observation and edit the context if the observation does not stay."""
        assert self.pending is not None
        last = self.observations[-1]
        judged_by = None if verdict is Verdict.MISSING else len(self.calls) - 1
        self.observations[-1] = replace(last, verdict=verdict, verdict_call=judged_by)
        pending, self.pending = self.pending, None
        if verdict.stays:
            return
        length, earlier = len(self.trajectory.context), self.rejections
        self.rejections += 1
        self.dropped_queries.add(last.query)
        where = (pending.before_search, pending.start, pending.end, length)
        edit = self.context_policy.after_no(Rejected(*where, self.texts.stub, earlier))
        if edit is not None:
            self.trajectory = self.trajectory.edit(edit.start, edit.end, edit.ids)


@dataclass(frozen=True)
class _Pending:
    """The position of the unjudged observation in the context, and where the call that asked for it began."""

    before_search: int
    start: int
    end: int
