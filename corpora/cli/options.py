"""What the commands on indexes share: their arguments and options."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from corpora.any_index import AnyManifest
from corpora.passages import Format
from reseek.errors import InputError

IndexPath = Annotated[Path, typer.Argument(metavar="INDEX", help="the folder of the index")]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="the form of the file's lines, if the first line is misleading")
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="replace an index of this name")]
K1Option = Annotated[float, typer.Option(help="BM25: how soon repetitions of a word stop counting")]
BOption = Annotated[float, typer.Option(help="BM25: how much long passages are penalised, 0 to 1")]


def refuse_given(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Raise InputError if one of these options was given on the command line."""
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            raise InputError(f"--{name.replace('_', '-')}: {why}")


def sized(manifest: AnyManifest) -> str:
    """Passages and megabytes as text."""
    return f"{manifest.passages:,} passages, {manifest.size / 1e6:.1f} MB"
