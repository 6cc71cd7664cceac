"""A release as one page of HTML for readers: items, entity maps, documents, proofs.

Invariant: everything that comes from a release is escaped; the page loads nothing from the network.
"""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fictionalhot.builder.probe import COLUMNS
from fictionalhot.builder.release import Gate, Item
from fictionalhot.items.answers import find_answer


def page(name: str, items: Sequence[Item], gate: Gate, readers: Sequence[Sequence[str]] = ()) -> str:
    """The page. `readers`: a probe's results as rows of `probe.COLUMNS`."""
    templates = Environment(
        loader=PackageLoader("fictionalhot.builder", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("browse.html").render(
        name=name, items=items, gate=gate, columns=COLUMNS, readers=readers, marked=_marked
    )


def write_page(path: Path, name: str, items: Sequence[Item], gate: Gate, readers: Sequence[Sequence[str]] = ()) -> None:
    """Write `page` to `path`."""
    path.write_text(page(name, items, gate, readers), encoding="utf-8")


def _marked(text: str, answers: Sequence[str]) -> Markup:
    """The text, escaped, with the answers marked."""
    places = sorted(place for answer in answers for place in find_answer(answer, text))
    parts, at = [], 0
    for begin, end in places:
        if begin >= at:
            parts += [escape(text[at:begin]), Markup("<mark>{}</mark>").format(text[begin:end])]
            at = end
    return Markup("").join([*parts, escape(text[at:])])
