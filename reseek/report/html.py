"""The HTML basis of both pages: templates with autoescape, and safe embedding of data and code.

Invariant: a page loads nothing from the network and runs only the scripts whose hashes are in its content security
policy; no data can end its element.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_LONE = re.compile("[\ud800-\udfff]")  # can't be written as UTF-8


@dataclass(frozen=True)
class Inline:
    """A file of this package to embed unchanged, and its hash for the policy."""

    text: Markup
    hash: str


def inline(name: str) -> Inline:
    """A script or style sheet among the templates."""
    text = (resources.files("reseek.report") / "templates" / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Inline(Markup(text), f"'sha256-{digest}'")


def data(value: Any) -> Markup:
    """JSON for a `<script type="application/json">`: without `<`, so that nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text = _LONE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return Markup(text.replace("<", "\\u003c"))


def picture(svg: str | None) -> str | None:
    """An SVG as an image's address: in an image no script runs, whatever a label contains."""
    return None if svg is None else f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def render(template: str, **values: Any) -> str:
    """The page."""
    templates = Environment(
        loader=PackageLoader("reseek.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template(template).render(**values)
