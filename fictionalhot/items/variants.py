"""Surface variants: the ways in which texts write one name. All functions are pure.

`712 Fifth Avenue` and `712 5th Avenue`, `AT&T` and `AT and T`, `Beyoncé` and `Beyonce`, `J. K.` and `J.K.`, a name with
and without `The` or a possessive's `'s` have one key each, so a renaming gives them one new name.
"""

import re
import unicodedata
from itertools import groupby

_CARDINALS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty"
).split()
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
    " fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_ROMAN = "0 1 ii iii iv 5 vi vii viii ix 10 xi xii xiii xiv xv xvi xvii xviii xix xx".split()
_NUMBERS = {word: str(n) for words in (_CARDINALS, _ORDINALS, _ROMAN) for n, word in enumerate(words)}
_SPELT = {
    str(n): f"(?:{n}(?:st|nd|rd|th)?|{'|'.join(words)})"
    for n, words in enumerate(zip(_CARDINALS, _ORDINALS, _ROMAN, strict=True))
}
# Number words as a name has them. As their digits they say which of several things of a sort is meant, and are kept.
NUMBER_NAMES = frozenset(word.capitalize() for word in (*_CARDINALS, *_ORDINALS))
_LETTERS = str.maketrans({"ı": "i", "ø": "o", "ł": "l", "đ": "d", "Ø": "O", "Ł": "L", "Đ": "D"})
_LONGEST_INITIALS = 4
_INITIALS = re.compile(r"(?<!\w)([^\W\d_])\.(?=[^\W\d_](?!\w))")
_BETWEEN = r"(?:['’]s(?!\w))?\W{0,3}"


def variant_key(name: str) -> str:
    """What all variants of a name share."""
    text = _INITIALS.sub(r"\1 ", _folded(name).lower().replace("&", " and "))
    text = re.sub(r"['’]s?(?!\w)|['’.](?=\w)", "", text)
    words = [_NUMBERS.get(word, re.sub(r"^(\d+)(?:st|nd|rd|th)$", r"\1", word)) for word in re.findall(r"\w+", text)]
    joined: list[str] = []
    for single, run in groupby(words, key=lambda word: len(word) == 1 and word.isalpha()):
        part = list(run)
        initials = "".join(part)  # "j k rowling" is "jk rowling"
        joined.extend([initials] if single and initials not in _NUMBERS else part)  # "V. I." is not the number VI
    while len(joined) > 1 and joined[0] in ("the", "a", "an"):
        del joined[0]
    return " ".join(joined)


def variants_in(name: str, text: str, *, any_case: bool = False) -> list[tuple[int, int]]:
    """The positions of a name's variants in a text. A name of one word has only itself; unless `any_case`, a variant
    begins with a capital or a digit."""
    words = variant_key(name).split()
    if not words:
        return []
    if len(words) == 1:
        spans = [found.span() for found in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
    else:
        pattern = rf"(?<!\w){_BETWEEN.join(map(_spelt, words))}(?!\w)"
        spans = [found.span() for found in re.finditer(pattern, _folded(text), re.I)]
    return [(b, e) for b, e in spans if any_case or text[b].isupper() or text[b].isdigit()]


def _spelt(word: str) -> str:
    """The pattern of a key's word."""
    if word == "and":
        return "(?:and|&)"
    if word.isdigit():
        return _SPELT.get(word) or rf"{word}(?:st|nd|rd|th)?"
    return (r"\.?\s?" if len(word) < _LONGEST_INITIALS else "['’]?").join(word)


def _folded(text: str) -> str:
    """The text without accents, as long as it was."""

    def plain(letter: str) -> str:
        base = unicodedata.normalize("NFKD", letter)
        return base[0] if len(base) > 1 and base[0].isalpha() and unicodedata.combining(base[1]) else letter

    return "".join(map(plain, text.translate(_LETTERS)))
