"""A stored document gives back its passage, ours and the field's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.documents import document_of, indexed_text, passage_of, stored_passage
from corpora.record import Passage

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(title=TEXT, text=TEXT)
def test_a_stored_document_gives_back_its_passage(title, text):
    passage = Passage.model_construct(id="p", title=title, text=text)
    assert passage_of(document_of(passage)) == passage


@pytest.mark.parametrize(
    ("raw", "title", "text"),
    [
        ({"id": "1", "contents": '"Aaron"\nis a prophet'}, "Aaron", "is a prophet"),
        ({"id": 1, "contents": "no title"}, "", "no title"),
        ({"_id": "1", "title": "Aaron", "text": "is a prophet", "metadata": {}}, "Aaron", "is a prophet"),
        ({"id": "1", "text": "no title"}, "", "no title"),
        ({"id": "1", "title": "Aaron", "contents": "said otherwise"}, "Aaron", "said otherwise"),
    ],
)
def test_what_anserinis_collections_store(raw, title, text):
    assert passage_of(json.dumps(raw, indent=2)) == Passage(id="1", title=title, text=text)
    assert stored_passage("lucene", json.dumps(raw), None) == Passage(id="lucene", title=title, text=text)


def test_contents_alone_are_enough():
    assert stored_passage("1", None, '"Aaron"\ntext') == Passage(id="1", title="Aaron", text="text")
    assert indexed_text(None, "text") == "text"
    assert indexed_text('{"contents": "text"}', None) == "text" and indexed_text('{"text": "t"}', None) is None


@pytest.mark.parametrize("raw", ["<DOC>", "[1]", "{}", '{"id": "1"}', '{"contents": "c"}', '{"id": true, "text": "t"}'])
def test_what_is_no_passage_is_said(raw):
    with pytest.raises(ValueError):
        passage_of(raw)
    with pytest.raises(ValueError, match="neither a raw nor a contents field"):
        stored_passage("1", None, None)
