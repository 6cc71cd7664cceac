"""The cleaning of queries: one pure guard between a language model's text and a retriever.

Invariant: a cleaned query is valid Unicode and has at most MAX_TERMS distinct terms under Lucene's standard tokenizer;
a query for which this was already true keeps its words, their order and repetitions. Truncation is deterministic: words
are kept from the front.
"""

import re

# Lucene refuses a query of more than 1,024 distinct terms.
MAX_TERMS = 1000
# A bound on work: MAX_TERMS does not count repeated words.
MAX_CHARACTERS = 20_000
# Lucene's standard tokenizer cuts a longer run of letters into pieces of this length.
LONGEST_TOKEN = 255

# Every term has at least one character, so this many characters have at most MAX_TERMS terms (`most_terms`).
_SURELY_FEW = MAX_TERMS * LONGEST_TOKEN // (LONGEST_TOKEN + 1)

_SURROGATES = re.compile(r"[\ud800-\udfff]")
# No token spans white space, and within a word no token is smaller than one of these.
_PIECES = re.compile(r"[0-9A-Za-z_]+|[^\x00-\x7f]")


def clean_query(query: str) -> str:
    """The query in a form that every retriever accepts; "" if nothing searchable is left.

    Lone surrogates, which can't be encoded, become U+FFFD; white space becomes single spaces; a query that could
    hold more than MAX_TERMS distinct terms loses its tail. Raises ValueError if `query` is not a string.
    """
    if not isinstance(query, str):
        raise ValueError(f"a query must be a string, not {type(query).__name__}")
    words = mend_surrogates(query[:MAX_CHARACTERS]).split()
    if len(query) <= _SURELY_FEW:
        return " ".join(words)
    kept: list[str] = []
    seen: set[str] = set()
    budget = MAX_TERMS
    for word in words:
        if word not in seen:
            cost = most_terms(word)
            if cost > budget:
                if not kept:  # one very long word, e.g. text in a script without spaces: its beginning is the query
                    kept.append(word[:MAX_TERMS])
                break
            budget -= cost
            seen.add(word)
        kept.append(word)
    return " ".join(kept)


def mend_surrogates(text: str) -> str:
    """The text with U+FFFD for every lone surrogate. A value that is not a string is returned unchanged."""
    return _SURROGATES.sub("\ufffd", text) if isinstance(text, str) else text


def most_terms(word: str) -> int:
    """An upper bound of the number of terms that Lucene makes of a word without white space.

    Each run of ASCII letters and digits counts once, every other letter or sign counts by itself: exact for English
    and for scripts written without spaces, generous elsewhere.
    """
    return len(_PIECES.findall(word)) + len(word) // LONGEST_TOKEN


def check_request(queries: object, k: int) -> None:
    """Raise ValueError for an invalid request: a bare string as the batch, or k below 1."""
    if isinstance(queries, str):
        raise ValueError("queries must be a sequence of strings, not one string")
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ValueError(f"k = {k!r}: must be an integer of at least 1")
