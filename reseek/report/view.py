"""`reseek view RUN...`: the trajectories of evaluations and trainings as one self-contained page.

Invariant: all text of records is in the page as JSON without `<` and is shown as text alone. The page is read in parts,
so that the list appears before the last episode is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from markupsafe import Markup

from corpora.atomic import write_text
from reseek.agent.episode import StopReason
from reseek.errors import InputError
from reseek.evaluation.results import Evaluation
from reseek.policy import Tokenizer
from reseek.report.html import data, inline, render
from reseek.report.runs import Run, Training, read_run
from reseek.report.tables import labels
from reseek.report.trajectories import TokenTexts, body, probabilities, wrong_verdicts
from reseek.rollout.records import EpisodeRecord, read_records

PART = 250  # episodes that are read from the page at once: about 10 ms
MOST_TOKENS = 2_000_000  # sampled tokens whose probabilities a page may contain, about 25 bytes each
_STOPS = [reason.value for reason in StopReason]


@dataclass(frozen=True)
class Part:
    """A piece of the page's data."""

    id: str
    data: Markup


def tokenizer_of(run: Run) -> Tokenizer | None:
    """The policy's, if its folder is on this machine."""
    folder = Path(run.policy if isinstance(run, Training) else run.conditions.policy)
    if not (folder / "tokenizer_config.json").is_file():
        return None
    from transformers import AutoTokenizer  # seconds

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)  # transformers leaves its base class open
    return tokenizer


def viewer(
    runs: Sequence[Run],
    tokenizers: Sequence[Tokenizer | None],
    title: str,
    *,
    opened: str = "",
    most_tokens: int = MOST_TOKENS,
) -> str:
    """The page. `opened` is the URL fragment of the first view: run, set, id, beside."""
    sampled = sum(r.stats.sampled_tokens for run in runs for of in run.records.values() for r in of if r.stats)
    indexes, parts, told = [], [], []
    for number, (run, tokenizer) in enumerate(zip(runs, tokenizers, strict=True)):
        records = [record for of_set in run.records.values() for record in of_set]
        indexes.append(data(_index(records, list(run.records))))
        for n, some in enumerate(_parts(records)):
            parts.append(Part(f"part-{number}-{n}", data([_body(run, record, tokenizer) for record in some])))
        told.append("")
        if sampled > most_tokens:
            told[-1] = f"Left out of this page: {sampled:,} sampled tokens are more than --most-tokens {most_tokens:,}."
            continue
        texts = TokenTexts(tokenizer) if tokenizer else None
        for n, some in enumerate(_parts(records)):
            parts.append(Part(f"tokens-{number}-{n}", data([probabilities(record, texts) for record in some])))
    meta = {
        "part": PART,
        "stops": _STOPS,
        "open": opened,
        "runs": [
            _about(run, label, note, tokenizer)
            for run, label, note, tokenizer in zip(runs, _labels(runs), told, tokenizers, strict=True)
        ],
    }
    return render(
        "viewer.html",
        title=title,
        meta=data(meta),
        indexes=indexes,
        parts=parts,
        style=inline("viewer.css"),
        script=inline("viewer.js"),
    )


def _labels(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """Policy, method and budget of an evaluation; the name of a training run."""
    evaluated = iter(labels([run for run in runs if isinstance(run, Evaluation)]))
    return [next(evaluated) if isinstance(run, Evaluation) else (run.name, "training", "") for run in runs]


def _about(run: Run, label: tuple[str, ...], note: str, tokenizer: Tokenizer | None) -> dict[str, Any]:
    here = "" if tokenizer else "its tokenizer is not on this machine: prompts and single tokens are not spelt out"
    return {
        "name": run.name,
        "policy": label[0],
        "method": label[1],
        "budget": label[2],
        "sets": list(run.records),
        "note": here,
        "unit": "characters" if any(r.speaks_text for of in run.records.values() for r in of) else "tokens",
        "tokens": note,
    }


def _index(records: Sequence[EpisodeRecord], sets: Sequence[str]) -> dict[str, list[Any]]:
    """The data of the list and the filters, by column."""
    place = {name: number for number, name in enumerate(sets)}
    judged = [[o.verdict for o in record.observations if o.verdict is not None] for record in records]
    return {
        "set": [place[record.set] for record in records],
        "id": [record.id for record in records],
        "question": [record.question for record in records],
        "em": [None if record.em is None else int(record.em) for record in records],
        "stop": [_STOPS.index(record.stop.value) for record in records],
        "verdicts": [len(of) for of in judged],
        "dropped": [sum(not verdict.stays for verdict in of) for of in judged],
        "wrong": [wrong_verdicts(record) for record in records],
    }


def _body(run: Run, record: EpisodeRecord, tokenizer: Tokenizer | None) -> dict[str, Any]:
    try:
        return body(record, tokenizer)
    except InputError as error:
        raise InputError(f"{_place(run, record)}: {error}") from None


def _place(run: Run, record: EpisodeRecord) -> str:
    """The file and the line of a record, read again: they are asked for only when the record can't be shown."""
    folder = run.records_folder if isinstance(run, Training) else run.folder / "episodes"
    path = folder / f"{record.set}.jsonl"
    lines = enumerate(read_records(path), start=1)
    return f"{path}:{next((number for number, one in lines if one.events == record.events), 0)}"


def _parts(records: Sequence[EpisodeRecord]) -> list[Sequence[EpisodeRecord]]:
    return [records[start : start + PART] for start in range(0, len(records), PART)]


def main(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="folders of eval.py or train.py")],
    out: Annotated[Path | None, typer.Option(help="the page, or its folder; default: the first RUN")] = None,
    most_tokens: Annotated[int, typer.Option(help="omit token probabilities above this many tokens")] = MOST_TOKENS,
) -> None:
    """Write a page in which the trajectories of RUN can be searched, filtered, read and compared side by side."""
    read = [read_run(run) for run in runs]
    for run in read:
        if not run.records:
            raise InputError(f"{run.folder}: holds no trajectories; train with run.record_every=1 to record them")
    path = out or runs[0]
    path = path / "viewer.html" if path.is_dir() else path
    title = "Trajectories: " + ", ".join(run.name for run in read)
    write_text(path, viewer(read, [tokenizer_of(run) for run in read], title, most_tokens=most_tokens))
    print(path)
