"""The query that an agent would send at each hop: the page's title and the question's words. Pure."""

from collections.abc import Sequence

from fictionalhot.items.records import Document, Fiction, Role
from fictionalhot.offline.inventory import FUNCTION_WORDS
from fictionalhot.offline.words import words_of


def hop_queries(documents: Sequence[Document], fiction: Fiction) -> tuple[str, ...]:
    """One query per hop: the title of its page, then the question's words that are neither names nor stopwords."""
    names = {word.lower() for pair in fiction.entities for word in pair.fictional.split()}
    asked = [word.text for word in words_of(fiction.question)]
    asked = [word for word in asked if word.lower() not in names | FUNCTION_WORDS]
    titles = {d.hop: d.title for d in reversed(documents) if d.role is Role.HOP and d.hop is not None}
    return tuple(f"{titles[hop]} {' '.join(asked)}" for hop in sorted(titles))
