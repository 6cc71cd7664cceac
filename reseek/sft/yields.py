"""The table of what an expert's episodes came to: played, kept and with a trained answer, by outcome."""

from collections.abc import Mapping

from rich import box
from rich.table import Table

from reseek.sft.rows import Yield


def table(yields: Mapping[str, Yield]) -> Table:
    """The table for the terminal."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    made.add_column("outcome")
    for heading in ("played", "kept", "answer trained"):
        made.add_column(heading, justify="right")
    for name, one in yields.items():
        made.add_row(name, str(one.played), str(one.kept), str(one.answers))
    return made
