"""The questions that no passage of the corpus answers: found by reading every passage once, and cached.

Invariant: a question is listed iff a passage can contain its answer (`Question.answerable`) and none does, in title or
text, at token boundaries: an exact count over the whole corpus, without search. The result is cached under a hash of
corpus and questions.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from corpora.atomic import write_json
from corpora.manifest import Kind
from corpora.passages import read_passages
from corpora.record import Passage
from reseek.config.questions import DataSource
from reseek.config.settings import EvalSettings
from reseek.errors import InputError, first_problem
from reseek.evaluation.answer_scan import Sought
from reseek.preparation.prepare import Prepared, world_of
from reseek.questions.answer_ranks import text_of
from reseek.questions.record import Question

FILE = "unanswerable.json"

Unanswerable = dict[str, list[str]]
"""By set, the ids of its questions that no passage answers."""


def find_unanswerable(passages: Iterable[Passage], sets: Mapping[str, Sequence[Question]]) -> Unanswerable:
    """Read passages until every question is answered or none is left."""
    asked = [(name, q) for name, questions in sets.items() for q in questions if q.answerable]
    sought = Sought((number, question.golden_answers) for number, (_, question) in enumerate(asked))
    for passage in passages:
        if not sought.left:
            break
        sought.look(text_of(passage))
    left: Unanswerable = {name: [] for name in sets}
    for number in sorted(sought.left):
        name, question = asked[number]
        left[name].append(question.id)
    return left


def unanswerable(
    settings: EvalSettings, prepared: Prepared, sets: Mapping[str, Sequence[Question]]
) -> Unanswerable | None:
    """The run's questions that its corpus can't answer; None if the corpus is larger than
    `evaluation.read_corpus_up_to`, or is on another machine."""
    searched = prepared.searched
    if searched is None or searched.passages > settings.evaluation.read_corpus_up_to:
        return None
    kept = settings.cache.resolve() / "unanswerable" / f"{_key(searched.fingerprint, sets)}.json"
    if kept.is_file():
        with contextlib.suppress(InputError):  # the questions are looked for again where the cache is damaged
            return _read(kept)
    with _corpus(settings, prepared) as passages:
        if passages is None:
            return None
        found = find_unanswerable(passages, sets)
    with contextlib.suppress(OSError):  # a cache that is read-only: the next evaluation reads the corpus again
        write_json(kept, found)
    return found


def read_unanswerable(folder: Path) -> Unanswerable | None:
    """The result that an evaluation wrote into its folder; None if it has none."""
    path = folder / FILE
    return _read(path) if path.is_file() else None


def _read(path: Path) -> Unanswerable:
    """Raises InputError for a file that holds no such result."""
    try:
        return TypeAdapter(Unanswerable).validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        raise InputError(f"{path}: holds no ids of questions by set ({first_problem(error)}); delete it") from None


@contextlib.contextmanager
def _corpus(settings: EvalSettings, prepared: Prepared) -> Iterator[Iterable[Passage] | None]:
    """All passages: of the index if Lucene can read it, else of the file, else None."""
    assert prepared.searched is not None
    if prepared.index is not None and prepared.searched.retriever is Kind.LUCENE:
        from corpora.reader import Reader  # starts Java

        with Reader(prepared.index) as reader:
            yield reader.passages()
        return
    world = settings.corpus.source is DataSource.WORLD
    path = world_of(settings).passages if world else settings.corpus.path
    yield None if path is None else read_passages(path)


def _key(fingerprint: str, sets: Mapping[str, Sequence[Question]]) -> str:
    asked = {name: [(q.id, q.question, q.golden_answers) for q in questions] for name, questions in sets.items()}
    return hashlib.sha256(json.dumps([fingerprint, asked], sort_keys=True).encode()).hexdigest()[:24]
