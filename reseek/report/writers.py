r"""Tables as Markdown, CSV and LaTeX.

Invariant: a label or a name is always read as text: no markup, link, formula, macro or control character in it has
any effect. Pure.
"""

import csv
import io
import re
from collections.abc import Sequence

from reseek.report.tables import Cell, Table
from reseek.run.terminal import plain

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # behind \\ it would begin a length
    "–": "--",
    '"': "''",
}
# The characters beyond ASCII that LaTeX sets without further packages: Latin letters that its OT1 fonts have.
_LATEX_LETTERS = {chr(code) for code in range(0xC0, 0x180)} - set("ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ")
_LATEX_SETS = _LATEX_LETTERS | set("–—‘’“”…×·")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|&~$=-])")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def latex_text(text: str) -> str:
    """Text that LaTeX sets literally; a character that its plain fonts lack becomes its number, as in U+65E5."""
    return "".join(_LATEX.get(char) or _latex_char(char) for char in plain(text))


def markdown_text(text: str) -> str:
    """Text that Markdown shows literally, in one line."""
    return _MARKDOWN.sub(r"\\\1", plain(text))


def csv_text(text: str) -> str:
    """A field that no spreadsheet reads as a formula."""
    clean = plain(text)
    return clean if _NUMBER.fullmatch(clean) or not clean.startswith(_FORMULA) else f"'{clean}"


def markdown(title: str, tables: Sequence[Table]) -> str:
    """All tables as one page; published rows in italics."""
    lines = [f"# {markdown_text(title)}", ""]
    for table in tables:
        names = (*table.label_columns, *table.columns)
        lines += [f"## {markdown_text(table.title)}", "", _line(map(markdown_text, names))]
        lines.append(_line(["---"] * len(table.label_columns) + ["---:"] * len(table.columns)))
        for row in table.rows:
            cells = [*map(markdown_text, row.label), *(_markdown_cell(cell) for cell in row.cells)]
            lines.append(_line(f"*{cell}*" for cell in cells) if row.published else _line(cells))
        lines += ["", markdown_text(table.note), ""]
    return "\n".join(lines)


def csv_file(table: Table) -> str:
    """One table: label columns, then each column with its number and, beside it, the small print."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [part for name in table.columns for part in (name, f"{name}: more")]
    writer.writerow([csv_text(name) for name in (*table.label_columns, *names, "published")])
    for row in table.rows:
        cells = [part for cell in row.cells for part in (cell.text, "; ".join(cell.small))]
        writer.writerow([csv_text(part) for part in (*row.label, *cells, "yes" if row.published else "no")])
    return out.getvalue()


def latex(tables: Sequence[Table]) -> str:
    r"""All tables for \input; needs booktabs, graphicx and xcolor."""
    lines = [r"% \usepackage{booktabs,graphicx,xcolor}"]
    for table in tables:
        names = (*table.label_columns, *table.columns)
        form = "l" * len(table.label_columns) + "r" * len(table.columns)
        lines += [r"\begin{table}", r"\centering", r"\resizebox{\linewidth}{!}{%", rf"\begin{{tabular}}{{{form}}}"]
        lines += [r"\toprule", " & ".join(map(latex_text, names)) + r" \\", r"\midrule"]
        for number, row in enumerate(table.rows):
            if row.published and number and not table.rows[number - 1].published:
                lines.append(r"\midrule")
            cells = [*map(latex_text, row.label), *(_latex_cell(cell) for cell in row.cells)]
            lines.append(" & ".join(rf"\textcolor{{gray}}{{{c}}}" if row.published else c for c in cells) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}}"]
        lines += [rf"\caption{{{latex_text(table.title)}. {latex_text(table.note)}}}"]
        lines += [rf"\label{{tab:{re.sub('[^a-z]', '', table.key)}}}", r"\end{table}", ""]
    return "\n".join(lines)


def _markdown_cell(cell: Cell) -> str:
    text = markdown_text(cell.text) if not _NUMBER.fullmatch(cell.text) else cell.text
    return "<br>".join((text, *(f"<sub>{markdown_text(small)}</sub>" for small in cell.small)))


def _latex_cell(cell: Cell) -> str:
    if not cell.small:
        return latex_text(cell.text)
    lines = (latex_text(cell.text), *(rf"\scriptsize {latex_text(one)}" for one in cell.small))
    return r"\shortstack[r]{" + r"\\".join(lines) + "}"


def _latex_char(char: str) -> str:
    return char if char.isascii() or char in _LATEX_SETS else f"U+{ord(char):04X}"


def _line(values) -> str:
    return f"| {' | '.join(values)} |"
