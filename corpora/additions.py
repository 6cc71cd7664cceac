"""Passages to add to an index, from a file or from memory, to be read several times in one way.

Knows nothing of Lucene or of the index they are for.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora.ids import SeenIds, first_repeat
from corpora.passages import Format, numbered_passages
from corpora.record import Passage
from reseek.errors import InputError

Done = Callable[[int], None]


@dataclass(frozen=True)
class Additions:
    """`read` gives each passage with its number and tells now and then how much of `size` is done; `place` says in an
    error where a number is; `unchanged` raises InputError where a later reading would give something else."""

    name: str
    size: int
    read: Callable[[Done], Iterator[tuple[int, Passage]]]
    place: Callable[[int], str]
    unchanged: Callable[[], None]


def additions(given: str | Path | Sequence[Passage], form: Format | None = None) -> Additions:
    """Of a file (`form` None: told by its first line), or of passages in memory."""
    if not isinstance(given, str | Path):
        passages = [Passage.model_validate(passage.model_dump()) for passage in given]
        return Additions(
            "memory", len(passages), lambda done: _counted(passages, done), lambda n: f"passage {n}", _still
        )
    path = Path(given)
    if not path.is_file():
        raise InputError(f"{path}: no such corpus file")
    before = path.stat()

    def unchanged() -> None:
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise InputError(f"{path}: changed while it was being read; try again")

    return Additions(
        path.name,
        before.st_size,
        lambda done: numbered_passages(path, form=form, on_bytes=done),
        lambda number: f"{path}:{number}",
        unchanged,
    )


def check_distinct(added: Additions, checked: Callable[[int, str], None], on_done: Done) -> None:
    """Read everything once, calling `checked` with each number and id. Raises InputError where there is nothing or an
    id repeats."""
    seen = SeenIds()
    for number, passage in added.read(on_done):
        seen.add(passage.id)
        checked(number, passage.id)
    if not len(seen):
        raise InputError(f"{added.name}: holds no passage")
    suspects = seen.suspects()
    if suspects and (found := first_repeat(((n, p.id) for n, p in added.read(lambda done: None)), suspects)):
        first, again, id = found
        raise InputError(f"{added.place(again)}: id {id!r} stands already at {added.place(first)}; ids must differ")


def _counted(passages: Sequence[Passage], on_done: Done) -> Iterator[tuple[int, Passage]]:
    for number, passage in enumerate(passages, start=1):
        on_done(number)
        yield number, passage


def _still() -> None:
    """What is in memory was copied: nobody changes it."""
