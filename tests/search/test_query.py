"""The guards that every retriever shares: any text becomes a query that Lucene can take, or a clear refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseek.search.query import LONGEST_TOKEN, MAX_CHARACTERS, MAX_TERMS, check_request, clean_query, most_terms

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=80)  # lone surrogates, controls and all
LONG_TEXT = st.builds(
    lambda length, step: " ".join(f"w{i * step % 3001}" for i in range(length)),
    st.integers(900, 1800),
    st.integers(1, 3000),
)


@given(ANY_TEXT | LONG_TEXT)
def test_a_cleaned_query_is_valid_unicode_within_the_limits_and_stays_as_it_is(query):
    cleaned = clean_query(query)
    cleaned.encode("utf-8")
    assert sum(most_terms(word) for word in set(cleaned.split())) <= MAX_TERMS + MAX_TERMS // LONGEST_TOKEN
    assert len(cleaned) <= MAX_CHARACTERS
    assert clean_query(cleaned) == cleaned


@given(st.lists(st.sampled_from(["who", "wrote", "Świat", "it's", "3.14", "世界", "wrote"]), max_size=60))
def test_an_ordinary_query_keeps_its_words_their_order_and_repetitions(words):
    assert clean_query("  ".join(words) + "\n") == " ".join(words)


@given(LONG_TEXT)
def test_words_are_kept_from_the_front(query):
    cleaned = clean_query(query)
    assert query.startswith(cleaned)
    if cleaned != query and len(query) <= MAX_CHARACTERS:
        assert len(set(cleaned.split())) == MAX_TERMS


def test_repetitions_cost_nothing():
    query = "again " * 2000
    assert clean_query(query) == query.strip()


@pytest.mark.parametrize("query", ["", " \t\n", "\u3000"])
def test_nothing_stays_nothing(query):
    assert clean_query(query) == ""


def test_lone_surrogates_are_replaced():
    assert clean_query("a\ud800b \udfff") == "a\ufffdb \ufffd"


def test_one_endless_word_keeps_its_beginning():
    endless = "".join(chr(0x4E00 + i) for i in range(5000))
    assert clean_query(endless) == endless[:MAX_TERMS]
    assert clean_query("a-" * 5000) == ("a-" * 5000)[:MAX_TERMS]


@pytest.mark.parametrize("query", [None, 3, b"bytes", ["list"]])
def test_only_a_string_is_a_query(query):
    with pytest.raises(ValueError, match="must be a string"):
        clean_query(query)


@pytest.mark.parametrize("k", [0, -1, 1.0, "3", None, True])
def test_k_counts_from_one(k):
    with pytest.raises(ValueError, match="k = "):
        check_request(["q"], k)


def test_a_bare_string_is_no_batch():
    with pytest.raises(ValueError, match="sequence"):
        check_request("query", 3)
