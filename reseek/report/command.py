"""`reseek report RUN...`: evaluations and training runs as one page, and as Markdown, CSV and LaTeX.

Writes `report.html`, `viewer.html` (the trajectories, if there are any), `report.md`, `report.tex` and a CSV file a
table into one folder.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from corpora.atomic import write_text
from reseek.errors import InputError
from reseek.evaluation.results import Evaluation
from reseek.report import writers
from reseek.report.page import all_tables, page
from reseek.report.runs import Training, read_run
from reseek.report.view import tokenizer_of, viewer

VIEWER = "viewer.html"


def main(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="folders of evaluations or training runs")],
    out: Annotated[Path | None, typer.Option(help="folder of the report; default: report/ in the first run's")] = None,
    title: Annotated[str, typer.Option(help="the page's title")] = "ReSeek: evaluation",
    trajectories: Annotated[bool, typer.Option(help="also write viewer.html: every episode, to be searched")] = True,
) -> None:
    """Write tables, curves and result cards of RUN... as a page that needs nothing else, and as files for papers."""
    folder = out or runs[0] / "report"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file; name a folder for the report")
    read = [read_run(run) for run in runs]
    evaluations = [run for run in read if isinstance(run, Evaluation)]
    trainings = [run for run in read if isinstance(run, Training)]
    viewed: list[Evaluation | Training] = [*evaluations, *_with_rollouts(trainings)] if trajectories else []
    with_viewer = bool(viewed)
    made = {"report.html": page(title, evaluations, trainings, VIEWER if with_viewer else None)}
    if with_viewer:
        made[VIEWER] = viewer(viewed, [tokenizer_of(run) for run in viewed], f"{title}: trajectories")
    tables = all_tables(evaluations)
    if tables:
        made["report.md"] = writers.markdown(title, tables)
        made["report.tex"] = writers.latex(tables)
        made |= {f"{table.key}.csv": writers.csv_file(table) for table in tables}
    for name, text in made.items():
        write_text(folder / name, text)
    print(folder / "report.html")


def _with_rollouts(trainings: Sequence[Training]) -> list[Training]:
    """Those with recorded rollouts; names the ones whose rollouts cannot be read, and leaves out their trajectories."""
    readable = []
    for run in trainings:
        try:
            readable += [run] if run.records else []
        except InputError as error:
            print(f"trajectories left out: {error}", file=sys.stderr)
    return readable
