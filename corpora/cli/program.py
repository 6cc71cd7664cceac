"""The Typer program of corpora: its help, shared options, and one-line errors.

An error that the user can correct is one line on stderr and exit code 2; a failing search engine is exit code 1.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from corpora.any_index import AnyManifest
from corpora.passages import Format
from reseek.errors import InputError, SearchFailed

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="""Make a closed corpus searchable with BM25 (Lucene) or by vectors (faiss), and make new versions of it.

A corpus is a file of passages, plain or gzipped, one a line, in one of these forms (recognised by the first line):

    passages   {"id": "p1", "title": "Ada Lovelace", "text": "Ada was ..."}

    contents   {"id": "p1", "contents": "\\"Ada Lovelace\\"\\nAda was ..."}

    tsv        columns id, text, title under that header

(`contents` is how Search-R1 and FlashRAG have wiki-18, `tsv` is DPR's psgs_w100.)

First steps:

    python -m corpora build passages.jsonl.gz indexes/mine

    python -m corpora search indexes/mine "first programmer"

    python -m corpora build passages.jsonl.gz indexes/mine-dense --dense

    python -m corpora inject indexes/mine new-passages.jsonl indexes/mine-2

An index is a folder with a manifest that names its corpus by content; training and evaluation refuse an index that
is incomplete or belongs to another corpus. RESEEK_JVM_HEAP sets Java's memory (2g by default).
""",
)

IndexPath = Annotated[Path, typer.Argument(metavar="INDEX", help="the folder of the index")]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="the form of the file's lines (default: recognised by its first line)")
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="replace an index of this name")]
K1Option = Annotated[float, typer.Option(help="BM25 k1: how much repetitions of a word count")]
BOption = Annotated[float, typer.Option(help="BM25 b: how much long passages are penalised, 0 to 1")]


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an error of the user's input or of the engine as one line, without a traceback, and exit."""
    try:
        yield
    except (InputError, SearchFailed) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, InputError) else 1) from None


def refuse_given(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Raise InputError if one of these options was given on the command line."""
    for name in names:
        if context.get_parameter_source(name).name != "DEFAULT":
            raise InputError(f"--{name.replace('_', '-')}: {why}")


def sized(manifest: AnyManifest) -> str:
    """The number of passages and megabytes, as text."""
    return f"{manifest.passages:,} passages, {manifest.size / 1e6:.1f} MB"
