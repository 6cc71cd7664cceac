"""The expert: a Policy that plays one question by what it knows, in the grammar of the configured method.

Invariant: each call is one legal action that fits `max_tokens`, and the query that it says is the one it looked up,
as the tokenizer writes it. Its verdict is the configured oracle's label wherever there is one.
"""

import random
from collections.abc import Sequence

from reseek.agent.grammar import Action, parse, render
from reseek.agent.methods import Method, method_of
from reseek.agent.verdict import Verdict
from reseek.config.agent import TurnUnit
from reseek.errors import InputError
from reseek.policy import Sample
from reseek.questions.record import Question
from reseek.rewards.answers import normalise_title
from reseek.rollout.environment import Environment
from reseek.sft.expert.answers import around
from reseek.sft.expert.lookups import Lookup, look_up
from reseek.sft.expert.queries import bridges_in, good_queries, names_in, poor_queries

_QUOTED_WORDS = 24  # of a passage, in a refinement
_POOR_LOOKED_AT = 4


def check_playable(method: Method, name: str) -> None:
    """Raises InputError for a method that the expert can't play."""
    if Action.ANSWER not in method.actions:
        raise InputError(f"sft.source=expert: method={name} has no answer action, which the expert ends with")


class ExpertPolicy:
    """Plays one question. `carelessness`: the probability of a poor first query, one after which a No is right; only
    where a second search is left. `environment.policy` is not asked."""

    def __init__(self, environment: Environment, question: Question, rng: random.Random, carelessness: float) -> None:
        self._environment, self._question = environment, question
        self._agent = question.agent(environment.agent)
        self._method = method_of(self._agent)
        self._texts = environment.texts
        self._searches = self._agent.max_turns - (self._agent.turn_unit is TurnUnit.ACTION)
        self._careless = self._searches > 1 and rng.random() < carelessness
        self._said: list[str] = []
        self._titles: set[str] = set()
        self._bridges: tuple[str, ...] = ()
        self._pending: Lookup | None = None
        self._answer: str | None = None
        self._done = not self._method.searches()
        self._begun = False

    async def sample(self, context_ids: Sequence[int], *, stop: Sequence[str], max_tokens: int) -> Sample:
        if not self._begun:
            await self._begin()
        if not stop:  # a refinement is asked for without one
            return Sample(self._ids(self._refinement(max_tokens))[:max_tokens])
        if self._pending is not None and self._method.judges():
            return Sample(self._judge(self._take(), max_tokens))
        if self._pending is not None:
            self._read(self._take())
        spent = self._texts.notice and tuple(context_ids[-len(self._texts.notice) :]) == self._texts.notice
        if not self._done and not spent and len(self._said) < self._searches:
            query = await self._next_query(max_tokens)
            if query is not None:
                return Sample(query)
        return Sample(self._last(max_tokens))

    async def _begin(self) -> None:
        """Look up what the environment searched for by itself."""
        self._begun = True
        query = self._method.first_query(self._question.question)
        if query is not None:
            (self._pending,) = await look_up(self._environment, self._question, [query])
            self._said.append(query)

    def _take(self) -> Lookup:
        assert self._pending is not None
        pending, self._pending = self._pending, None
        self._titles |= {normalise_title(hit.title) for hit in pending.observation.hits}
        self._bridges = bridges_in(pending.observation.text, self._question)
        return pending

    def _read(self, found: Lookup) -> None:
        """Keep what the observation, which stays, says: an answer ends the search, as does what needs no passage."""
        if found.answer is not None:
            self._answer, self._done = found.answer, True
        elif not self._question.answerable:
            self._done = self._supports(found)

    def _supports(self, found: Lookup) -> bool:
        """Whether an observation without a label helps, as far as the question's titles tell."""
        if found.answer is not None or not self._question.gold_titles:
            return True
        return any(normalise_title(hit.title) in self._question.gold_titles for hit in found.observation.hits)

    def _judge(self, found: Lookup, max_tokens: int) -> tuple[int, ...]:
        offered = sorted(self._texts.protocol.offered, key=lambda verdict: verdict.grade)
        unlabelled = offered[-1] if self._supports(found) else offered[0]
        verdict = unlabelled if found.label is None else found.label
        if verdict.stays:
            self._read(found)
            if verdict is Verdict.YES and found.label is None:
                self._done = True
        noted = found.answer if verdict.stays else " ".join(self._bridges[:1])
        call = render(Action.JUDGE, verdict.value)
        note = f"<note>{self._harmless(noted)}</note>" if noted else ""
        ids = self._ids(note + call)
        return ids if self._heard(ids) == (Action.JUDGE, verdict.value) and len(ids) <= max_tokens else self._ids(call)

    async def _next_query(self, max_tokens: int) -> tuple[int, ...] | None:
        """The tokens of the next query; None where there is none left."""
        first, self._careless, careless = not self._said, False, self._careless
        if careless:
            poor = await self._looked_up(poor_queries(self._question)[:_POOR_LOOKED_AT], max_tokens)
            if chosen := next((one for one in poor if self._is_useless(one[0])), None):
                return self._search(*chosen)
        candidates = good_queries(self._question, self._bridges)
        found = await self._looked_up(candidates[:1] if first else candidates, max_tokens)
        if not found:
            return None
        answering = (one for one in found if one[0].answer is not None and one[0].label is not Verdict.NO)
        called_yes = (one for one in found if one[0].label is Verdict.YES)
        by_bridge = (one for one in found if one[0].query in self._bridges)
        new = (one for one in found if self._is_new(one[0]))
        chosen = next((one for kind in (answering, called_yes, by_bridge, new) for one in kind), found[0])
        return self._search(*chosen)

    def _is_new(self, found: Lookup) -> bool:
        return any(normalise_title(hit.title) not in self._titles for hit in found.observation.hits)

    def _is_useless(self, found: Lookup) -> bool:
        """Whether a No is right; where nobody judges, whether the answer is not shown."""
        if self._method.judges():
            return found.label is not None and not found.label.stays
        return found.answer is None

    def _search(self, found: Lookup, ids: tuple[int, ...]) -> tuple[int, ...]:
        self._said.append(found.query)
        self._pending = found
        return ids

    async def _looked_up(self, queries: Sequence[str], max_tokens: int) -> list[tuple[Lookup, tuple[int, ...]]]:
        """What each query brings that was not said before, with the tokens that say it; one that is too long loses its
        last words."""
        spoken: dict[str, tuple[int, ...]] = {}
        for query in queries:
            ids = self._fitting(Action.SEARCH, query, max_tokens)
            heard = None if ids is None else self._heard(ids)
            if ids is not None and heard is not None and heard[1] not in self._said:
                spoken.setdefault(heard[1], ids)
        found = await look_up(self._environment, self._question, list(spoken))
        return list(zip(found, spoken.values(), strict=True))

    def _last(self, max_tokens: int) -> tuple[int, ...]:
        """The answer that was found, else the first gold answer: a guess."""
        answers = [self._answer] if self._answer is not None else []
        for answer in (*answers, *self._question.golden_answers):
            ids = self._ids(self._thought() + render(Action.ANSWER, self._harmless(answer)))
            if len(ids) > max_tokens:
                ids = self._ids(render(Action.ANSWER, self._harmless(answer)))
            if len(ids) <= max_tokens:
                return ids
        return self._fitting(Action.ANSWER, self._question.golden_answers[0], max_tokens) or ()

    def _thought(self) -> str:
        """What `cot` reasons before its answer: whom or what the question asks about."""
        if self._agent.method != "cot":
            return ""
        about = ", ".join(names_in(self._question.question)) or self._question.question
        return f"<think>The question is about {self._harmless(about)}.</think>"

    def _refinement(self, max_tokens: int) -> str:
        """What the passages contribute: the words around the answer, else that they contribute nothing."""
        found = self._pending
        if found is None or found.answer is None:
            return "No helpful information found."
        said = around(found.shown, found.answer, _QUOTED_WORDS) or found.answer
        return said if len(self._ids(said)) <= max_tokens else found.answer

    def _fitting(self, action: Action, text: str, max_tokens: int) -> tuple[int, ...] | None:
        words = self._harmless(text).split()
        while words:
            ids = self._ids(render(action, " ".join(words)))
            if len(ids) <= max_tokens:
                return ids if self._heard(ids) is not None else None
            words.pop()
        return None

    def _heard(self, ids: Sequence[int]) -> tuple[Action, str] | None:
        """The action as the environment will read it."""
        parsed = parse(self._texts.tokenizer.decode(list(ids), skip_special_tokens=False))
        return None if parsed.action is Action.INVALID else (parsed.action, parsed.content)

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self._texts.tokenizer.encode(text, add_special_tokens=False))

    def _harmless(self, text: str) -> str:
        """A text of questions or passages without anything that the grammar or the tokenizer reads as structure."""
        return " ".join(self._texts.harmless(text).split())
