"""The command line of corpora: build, verify, info, search. Every error a user can mend is one line and exit code 2."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from corpora.index import build_index
from corpora.index import verify as verify_index
from corpora.manifest import Manifest, read_manifest
from reseek.errors import InputError, SearchFailed
from reseek.search.lucene import LuceneSearch

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="""Make a closed corpus searchable with BM25 (Lucene).

A corpus is a JSONL file, plain or gzipped, one passage a line:

    {"id": "p1", "title": "Ada Lovelace", "text": "Ada Lovelace was ..."}

First steps:

    python -m corpora build passages.jsonl.gz indexes/mine

    python -m corpora search indexes/mine "first programmer"

An index is a folder with a manifest that names its corpus by content; training and evaluation refuse an index that
is incomplete or belongs to another corpus. RESEEK_JVM_HEAP sets Java's memory (2g by default).
""",
)

CorpusPath = Annotated[Path, typer.Argument(metavar="CORPUS", help="JSONL or JSONL.gz with id, title, text")]
IndexPath = Annotated[Path, typer.Argument(metavar="INDEX", help="the folder of the index")]


@app.command()
def build(
    corpus: CorpusPath,
    index: IndexPath,
    k1: Annotated[float, typer.Option(help="BM25: how soon repetitions of a word stop counting")] = 0.9,
    b: Annotated[float, typer.Option(help="BM25: how much long passages are held back, 0 to 1")] = 0.4,
    threads: Annotated[int, typer.Option(help="indexing threads")] = 2,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the index in this folder")] = False,
) -> None:
    """Index CORPUS into the folder INDEX (which appears only when it is complete)."""
    with _one_line_errors():
        started = time.monotonic()
        manifest = build_index(corpus, index, k1=k1, b=b, threads=threads, overwrite=overwrite)
        seconds = time.monotonic() - started
        print(f"{index}: {manifest.passages:,} passages, {_megabytes(manifest):.1f} MB, built in {seconds:.1f} s")


@app.command()
def verify(index: IndexPath) -> None:
    """Compare every file of INDEX, and Lucene's own count, with the manifest."""
    with _one_line_errors():
        manifest = verify_index(index)
        print(f"{index}: in order ({manifest.passages:,} passages, {len(manifest.files)} files)")


@app.command()
def info(index: IndexPath) -> None:
    """Show what INDEX holds and how it was made."""
    with _one_line_errors():
        manifest = read_manifest(index)
        table = Table(show_header=False, box=None)
        for name, value in (
            ("passages", f"{manifest.passages:,}"),
            ("source", manifest.source.name),
            ("fingerprint", manifest.source.fingerprint),
            ("size", f"{_megabytes(manifest):.1f} MB in {len(manifest.files)} files"),
            ("analyzer", manifest.analyzer),
            ("BM25", f"k1 = {manifest.k1}, b = {manifest.b}"),
            ("engine", ", ".join(f"{name} {version}" for name, version in manifest.engine.items())),
            ("created", manifest.created),
        ):
            table.add_row(name, value)
        Console().print(table)


@app.command()
def search(
    index: IndexPath,
    query: Annotated[str, typer.Argument(help="words to look for; there is no query syntax")],
    k: Annotated[int, typer.Option("-k", min=1, help="how many passages")] = 3,
) -> None:
    """Ask INDEX and show the best passages."""
    with _one_line_errors():
        [hits] = asyncio.run(LuceneSearch(index).search([query], k))
        table = Table("score", "id", "title", "text", show_lines=True)
        for hit in hits:
            table.add_row(f"{hit.score:.2f}", *(Text(part) for part in (hit.id, hit.title, hit.text)))
        if hits:
            Console().print(table)
        else:
            print("nothing found")


def _megabytes(manifest: Manifest) -> float:
    return sum(record.size for record in manifest.files.values()) / 1e6


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except (InputError, SearchFailed) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, InputError) else 1) from None


if __name__ == "__main__":
    app(prog_name="python -m corpora")
