"""Passages are read whole, streamed, or refused with the file and line that is wrong."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.passages import Passage, corpus_fingerprint, read_passages
from reseek.errors import InputError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PASSAGES = st.lists(
    st.builds(Passage, id=st.from_regex(r"\A[a-z0-9]{1,8}\Z"), title=TEXT, text=TEXT.map(lambda text: text + "x")),
    max_size=5,
)


def dump(passage, **extra):
    return json.dumps({**extra, **passage.model_dump()})


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


ONE = Passage(id="a", title="Título", text="tëxt")
TWO = Passage(id="b", title="", text="a\nb")


@given(passages=PASSAGES)
def test_reading_gives_back_what_was_written(tmp_path_factory, passages):
    path = tmp_path_factory.mktemp("corpus") / "c.jsonl"
    write(path, "".join(dump(passage) + "\n" for passage in passages))
    assert list(read_passages(path)) == passages


@given(passages=PASSAGES)
def test_fingerprint_depends_on_the_passages_alone(tmp_path_factory, passages):
    folder = tmp_path_factory.mktemp("corpus")
    plain = write(folder / "plain.jsonl", "".join(dump(passage) + "\n" for passage in passages))
    shuffled = "\n\n".join(
        json.dumps(dict(reversed(passage.model_dump().items())) | {"origin": 7}, ensure_ascii=False)
        for passage in passages
    )
    packed = folder / "other-name"
    packed.write_bytes(b"" if not passages else gzip.compress(shuffled.encode()))
    assert corpus_fingerprint(plain) == corpus_fingerprint(packed)


@pytest.mark.parametrize(
    "other",
    [
        [ONE],
        [ONE, TWO, TWO],
        [ONE, Passage(id="b", title="a", text="\nb")],
        [ONE, Passage(id="b", title="a\n", text="b")],
    ],
)
def test_fingerprint_sees_number_and_content(tmp_path, other):
    first = write(tmp_path / "1", "\n".join(map(dump, [ONE, TWO])))
    second = write(tmp_path / "2", "\n".join(map(dump, other)))
    assert corpus_fingerprint(first) != corpus_fingerprint(second)


@given(passages=PASSAGES, data=st.data())
def test_fingerprint_does_not_see_the_order(tmp_path_factory, passages, data):
    folder = tmp_path_factory.mktemp("corpus")
    first = write(folder / "1", "\n".join(map(dump, passages)))
    second = write(folder / "2", "\n".join(map(dump, data.draw(st.permutations(passages)))))
    assert corpus_fingerprint(first) == corpus_fingerprint(second)


def test_reading_streams(tmp_path):
    path = write(tmp_path / "c.jsonl", dump(ONE) + "\nbroken\n")
    passages = read_passages(path)
    assert next(passages) == ONE
    with pytest.raises(InputError, match="c.jsonl:2: "):
        next(passages)


def test_a_byte_order_mark_is_no_content(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + dump(ONE).encode())
    assert list(read_passages(path)) == [ONE]


def test_progress_counts_bytes_on_disk(tmp_path):
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join([dump(ONE)] * 2500).encode()))
    told = []
    assert len(list(read_passages(path, on_bytes=told.append))) == 2500
    assert told and told == sorted(told) and told[-1] <= path.stat().st_size


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "JSON"),
        (b"[1]", "object"),
        (b"\xff", "JSON"),
        (b'{"id": "b", "title": "t"}', "text: Field required"),
        (b'{"id": "b", "text": "t"}', "title: Field required"),
        (b'{"id": 3, "title": "", "text": "t"}', "id: Input should be a valid string"),
        (b'{"id": " ", "title": "", "text": "t"}', "id: "),
        (b'{"id": "b", "title": "", "text": " \\n"}', "text: "),
        (b'{"id": "b", "title": null, "text": "t"}', "title: "),
        (b'{"id": "b", "title": "\xff", "text": "t"}', "JSON"),
        (b'{"id": "b", "title": "\\ud800", "text": "t"}', "JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, problem):
    path = tmp_path / "c.jsonl"
    path.write_bytes(dump(ONE).encode() + b"\n\n" + line + b"\n")
    with pytest.raises(InputError) as caught:
        list(read_passages(path))
    message = str(caught.value)
    assert "c.jsonl:3: " in message and problem in message and "\n" not in message


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere.jsonl: no such corpus file"):
        list(read_passages(tmp_path / "nowhere.jsonl"))


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:50] + b"\0" * 30 + data[80:]])
def test_a_damaged_gzip_stream_is_refused(tmp_path, damage):
    lines = "\n".join(dump(Passage(id=f"p{i}", title="t", text=f"{i * 7919 % 1000} words")) for i in range(500))
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(damage(gzip.compress(lines.encode())))
    with pytest.raises(InputError, match="c.jsonl.gz"):
        list(read_passages(path))
