"""`reseek doctor`: a table of what this machine has and lacks."""

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reseek.program.checks import State, findings

_STYLES = {State.OK: "green", State.WARNING: "yellow", State.MISSING: "bold red"}


def main() -> None:
    """Show what this machine has and what it lacks; exit code 0 if the quick start can run, else 1."""
    found = findings()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("", "", "found"):
        table.add_column(header, no_wrap=header != "found")
    for finding in found:
        told = Text(finding.found)
        if finding.todo:
            told.append(f"\n-> {finding.todo}", style="cyan")
        table.add_row(finding.name, Text(finding.state.value, style=_STYLES[finding.state]), told)
    console = Console(highlight=False)
    console.print(table)
    missing = [finding.name for finding in found if finding.state is State.MISSING]
    if missing:
        console.print(Text(f"\nThe quick start can't run here; missing: {', '.join(missing)}.", style="bold red"))
        raise typer.Exit(1)
    console.print(Text("\nThe quick start can run here: reseek demo", style="bold"))
