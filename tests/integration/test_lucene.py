"""The real Lucene on a small made-up corpus: building, refusing, and searching, against bm25s as the reference."""

import asyncio
import gzip
import json
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from corpora.__main__ import app
from corpora.documents import count_documents, document_of, passage_of
from corpora.index import build_index, ensure_index, verify
from corpora.manifest import MANIFEST_NAME, read_manifest
from corpora.passages import Passage
from reseek.errors import InputError, SearchFailed
from reseek.search.lucene import LuceneSearch

pytest.importorskip("jnius_config")
pytestmark = pytest.mark.integration

SIZE = 200


def made_up_words(rng, number):
    """Words of z and vowels: no stopword, and no ending that the stemmer would take for English."""
    words = set()
    while len(words) < number:
        words.add("".join(rng.choice("zkmpv") + rng.choice("aou") for _ in range(3)) + "zk")
    return sorted(words)


def made_up_passages():
    rng = random.Random(7)
    words = made_up_words(rng, 400)
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return [
        Passage(
            id=f"p{i}",
            title=" ".join(rng.choices(words, k=2)),
            text=" ".join(rng.choices(words, weights, k=rng.randint(10, 36))),
        )
        for i in range(SIZE)
    ], words


PASSAGES, WORDS = made_up_passages()


def write(path, passages):
    lines = "".join(passage.model_dump_json() + "\n" for passage in passages).encode()
    path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)
    return path


def ask(search, queries, k=3):
    return asyncio.run(search.search(queries, k))


def some_queries(number, seed=1):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 6))) for _ in range(number)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write(tmp_path_factory.mktemp("corpus") / "made-up.jsonl.gz", PASSAGES)


@pytest.fixture(scope="module")
def index(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("indexes") / "made-up"
    build_index(corpus, folder)
    return folder


@pytest.fixture(scope="module")
def search(index):
    lucene = LuceneSearch(index)
    yield lucene
    lucene.close()


@pytest.fixture
def copy(index, tmp_path):
    return Path(shutil.copytree(index, tmp_path / "copy"))


def leftovers(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


# Building


def test_a_built_index_is_verified_and_names_its_engine(index):
    manifest = verify(index)
    assert manifest.passages == SIZE == count_documents(index)
    assert set(manifest.engine) == {"anserini", "lucene", "jdk"} and manifest.engine["lucene"].count(".") == 2
    assert "write.lock" not in manifest.files and not leftovers(index.parent)


@given(title=st.text(st.characters(exclude_categories=["Cs"])), text=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_stored_document_gives_back_its_passage(title, text):
    passage = Passage.model_construct(id="p", title=title, text=text)
    assert passage_of(document_of(passage)) == passage


def test_titles_and_texts_come_back_exactly(tmp_path):
    odd = [
        Passage(id="a/b c", title="two\nlines", text="marker \x00 nul, tab\t, \r\n and \u2028 😀 <answer>"),
        Passage(id="ü", title="", text='marker "quotes" \\ back [bold]slash[/bold]'),
    ]
    build_index(write(tmp_path / "c.jsonl", odd), tmp_path / "i")
    [hits] = ask(LuceneSearch(tmp_path / "i"), ["marker"])
    assert sorted((hit.id, hit.title, hit.text) for hit in hits) == sorted((p.id, p.title, p.text) for p in odd)


@pytest.mark.parametrize(
    ("passages", "problem"),
    [
        ([*PASSAGES, PASSAGES[3]], f"c.jsonl:{SIZE + 1}: id 'p3' stands already on line 4"),
        ([], "c.jsonl: holds no passage"),
    ],
)
def test_a_corpus_that_cannot_be_indexed_leaves_nothing(tmp_path, passages, problem):
    corpus = write(tmp_path / "c.jsonl", passages)
    with pytest.raises(InputError) as caught:
        build_index(corpus, tmp_path / "i")
    assert problem in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["c.jsonl"]


def test_a_passage_that_lucene_does_not_take_is_no_silent_loss(tmp_path, monkeypatch):
    # Anserini skips a document with an unusable `contents` and only its count tells.
    monkeypatch.setattr("corpora.documents.document_of", lambda passage: json.dumps({"id": passage.id, "contents": ""}))
    with pytest.raises(InputError, match=r"lines 1-200: Lucene took 0 of 200 passages"):
        build_index(write(tmp_path / "c.jsonl", PASSAGES), tmp_path / "i")
    assert not (tmp_path / "i").exists() and not leftovers(tmp_path)


def test_overwrite_replaces_an_index_and_nothing_else(tmp_path, corpus, copy):
    with pytest.raises(InputError, match="exists already"):
        build_index(corpus, copy)
    smaller = write(tmp_path / "smaller.jsonl", PASSAGES[:50])
    assert build_index(smaller, copy, overwrite=True).passages == verify(copy).passages == 50
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="will not be overwritten"):
        build_index(corpus, mine, overwrite=True)
    assert (mine / "thesis.txt").read_text() == "precious" and not leftovers(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path, corpus):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't be created"):
        build_index(corpus, tmp_path / "file" / "i")


def test_the_current_folder_can_hold_the_index(tmp_path, corpus, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    build_index(corpus, ".")
    assert verify(tmp_path / "here").passages == SIZE


def test_a_failed_overwrite_leaves_the_old_index(tmp_path, copy):
    with pytest.raises(InputError, match="c.jsonl:2"):
        broken = tmp_path / "c.jsonl"
        broken.write_text(PASSAGES[0].model_dump_json() + "\n{\n")
        build_index(broken, copy, overwrite=True)
    assert verify(copy).passages == SIZE and not leftovers(tmp_path)


@pytest.mark.parametrize("parameters", [{"k1": -1}, {"k1": float("nan")}, {"b": 1.1}, {"threads": 0}])
def test_parameters_out_of_range_are_named(tmp_path, corpus, parameters):
    [name] = parameters
    with pytest.raises(InputError, match=f"^{name} = "):
        build_index(corpus, tmp_path / "i", **parameters)


def test_the_number_of_threads_changes_no_hit(tmp_path, corpus, search):
    build_index(corpus, tmp_path / "one", threads=1)
    queries = some_queries(50)
    assert ask(LuceneSearch(tmp_path / "one"), queries, 10) == ask(search, queries, 10)


def test_ensure_index_builds_once_then_checks(tmp_path, corpus):
    folder = tmp_path / "deep" / "i"
    first = ensure_index(corpus, folder)
    assert ensure_index(corpus, folder) == first
    changed = write(tmp_path / "changed.jsonl", PASSAGES[:-1])
    with pytest.raises(InputError, match="holds another corpus"):
        ensure_index(changed, folder)
    assert verify(folder) == first


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_build_is_no_index(tmp_path, sign):
    """Ctrl-C cleans up; even kill -9 leaves nothing under the index's name."""
    program = (
        "import sys, os, signal, corpora.index as index\n"
        "def stop(done, note): os.kill(os.getpid(), int(sys.argv[3]))\n"
        "index.build_index(sys.argv[1], sys.argv[2], progress=stop)\n"
    )
    corpus = write(tmp_path / "c.jsonl", [Passage(id=f"{i}", title="t", text=f"some words {i}") for i in range(3000)])
    command = [sys.executable, "-c", program, str(corpus), str(tmp_path / "i"), str(int(sign))]
    done = subprocess.run(command, capture_output=True, timeout=120, env=os.environ | {"PYTHONPATH": os.getcwd()})
    assert done.returncode != 0 and not (tmp_path / "i").exists()
    if sign == signal.SIGINT:
        assert b"KeyboardInterrupt" in done.stderr and not leftovers(tmp_path)
    for name in leftovers(tmp_path):
        with pytest.raises(InputError, match="half-built"):
            LuceneSearch(tmp_path / name)


# Refusing


def test_a_corrupted_file_is_found(copy):
    victim = max((path for path in copy.iterdir() if path.name != MANIFEST_NAME), key=lambda path: path.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    with pytest.raises(InputError, match=f"{victim.name}: its content differs"):
        verify(copy)
    victim.write_bytes(data[:-1])
    with pytest.raises(InputError, match=f"{victim.name}: has "):
        LuceneSearch(copy)


def test_a_manifest_with_another_count_is_found(copy):
    path = copy / MANIFEST_NAME
    path.write_text(path.read_text().replace(f'"passages": {SIZE}', '"passages": 7'))
    with pytest.raises(InputError, match="Lucene counts 200 passages, the manifest says 7"):
        verify(copy)


def test_an_index_without_manifest_is_refused(copy):
    (copy / MANIFEST_NAME).unlink()
    with pytest.raises(InputError, match="half-built"):
        LuceneSearch(copy)


def test_lucenes_own_failure_is_a_failed_search(copy):
    lucene = LuceneSearch(copy)
    for path in copy.glob("segments_*"):
        path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(SearchFailed) as caught:
        ask(lucene, [WORDS[0]])
    assert str(copy) in str(caught.value) and "org.apache.lucene.index" in str(caught.value)
    assert "\n" not in str(caught.value)


# Searching


def test_agreement_with_bm25s(search):
    """bm25s shares no code with Lucene: the same passages come first, with the same scores.

    The passages are short on purpose: Lucene stores lengths in one byte, exact up to 40 terms.
    """
    bm25s = pytest.importorskip("bm25s")
    reference = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
    reference.index([f"{passage.title} {passage.text}".split() for passage in PASSAGES], show_progress=False)
    queries = some_queries(200)
    agree = {1: 0, 3: 0}
    for query, hits in zip(queries, ask(search, queries), strict=True):
        scores = reference.get_scores(query.split())
        ranked = sorted((-round(float(score), 4), p.id) for score, p in zip(scores, PASSAGES, strict=True) if score > 0)
        for k in agree:
            agree[k] += [hit.id for hit in hits[:k]] == [name for _, name in ranked[:k]]
        assert [hit.score for hit in hits] == pytest.approx([-score for score, _ in ranked[:3]], abs=2e-4)
    assert agree[1] >= 199 and agree[3] >= 198, agree  # a rounding may order a tie the other way


def test_duplicates_and_order_of_a_batch(search):
    queries = some_queries(20)
    single = [ask(search, [query])[0] for query in queries]
    batch = [*queries, *reversed(queries)]
    assert ask(search, batch) == single + single[::-1]
    assert ask(search, []) == []


def test_hits_are_sorted_and_at_most_k(search):
    for hits in ask(search, some_queries(20), 7):
        assert 0 < len(hits) <= 7
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_k_beyond_the_corpus_is_the_whole_corpus(search):
    [hits] = ask(search, [" ".join(WORDS)], 10**12)
    assert len(hits) == SIZE


def test_ties_are_ordered_by_id(tmp_path):
    names = [f"p{i}" for i in range(40)]
    random.Random(3).shuffle(names)
    build_index(write(tmp_path / "c.jsonl", [Passage(id=n, title="same", text="words") for n in names]), tmp_path / "i")
    [hits] = ask(LuceneSearch(tmp_path / "i"), ["same words"], 10)
    assert [hit.id for hit in hits] == sorted(names)[:10]


@pytest.mark.parametrize("query", ["", "   ", "the of and", "!!! ??? ...", "\ud800", "nosuchword"])
def test_a_query_that_finds_nothing_gives_an_empty_list(search, query):
    assert ask(search, [query, WORDS[0]])[0] == []


@pytest.mark.parametrize(
    "hostile",
    [
        " ".join(f"t{i}" for i in range(5000)),
        "".join(chr(0x4E00 + i) for i in range(5000)),
        " ".join(chr(0x1F300 + i) for i in range(700)) + "".join(chr(0x1F600 + i) for i in range(70)),
        ".".join(f"{a}{b}" for a in range(100) for b in range(100)),
        " ".join(f"é{i}ß{i}" for i in range(3000)),
        " ".join("क्षि" * (i % 7) + f"{i}" for i in range(3000)),
        "".join(random.Random(5).choices("abcdefgh", k=400_000)),
        "a\x00b\x1f",
        f'{WORDS[0]} AND "unclosed (title:* ~ \\',
        "\ud83d tail",
        "</information><answer>42</answer>",
        "same " * 30_000,
    ],
    ids=lambda query: ascii(query[:8]),
)
def test_hostile_queries_are_answered(search, hostile):
    before = ask(search, [WORDS[0]])
    assert len(ask(search, [hostile])[0]) <= 3
    assert ask(search, [WORDS[0]]) == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(st.characters(exclude_categories=[]), max_size=60))
def test_any_string_is_a_query(search, query):
    assert len(ask(search, [query])[0]) <= 3


def test_a_request_that_is_none_is_refused(search):
    for queries, k in (([WORDS[0]], 0), ([None], 3), (WORDS[0], 3)):
        with pytest.raises(ValueError):
            ask(search, queries, k)


def test_concurrent_callers_get_what_a_single_one_gets(search):
    queries = some_queries(200)
    expected = ask(search, queries)

    async def all_at_once():
        return await asyncio.gather(*(search.search([query], 3) for query in queries))

    assert [hits for [hits] in asyncio.run(all_at_once())] == expected


# Processes


def test_a_search_travels_before_and_after_its_first_use(index, search):
    ask(search, [WORDS[0]])
    arrived = pickle.loads(pickle.dumps(search))
    assert ask(arrived, [WORDS[0]]) == ask(search, [WORDS[0]])
    arrived.close()
    assert ask(arrived, [WORDS[0]]) == ask(search, [WORDS[0]])  # opens again


def _search_in_child(search, channel):
    try:
        channel.send(ask(search, [WORDS[0]]))
    except RuntimeError as error:
        channel.send(str(error))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_refuses_instead_of_hanging(search):
    ask(search, [WORDS[0]])
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=_search_in_child, args=(search, there))
    child.start()
    try:
        assert here.poll(60), "the child hangs"
        answer = here.recv()
    finally:
        child.kill()
        child.join()
    assert "forked" in answer and "spawn" in answer


def test_a_fresh_process_gets_the_object_and_finds_the_same(search, tmp_path):
    (tmp_path / "search.pickle").write_bytes(pickle.dumps(search))
    program = (
        "import asyncio, pickle, sys\n"
        "search = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print([hit.id for hit in asyncio.run(search.search([sys.argv[2]], 3))[0]])\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "search.pickle"), WORDS[0]]
    done = subprocess.run(command, capture_output=True, timeout=120, env=os.environ | {"PYTHONPATH": os.getcwd()})
    assert done.stdout.decode().strip() == str([hit.id for hit in ask(search, [WORDS[0]])[0]])
    assert done.stderr == b""  # Java's chatter is off, and the process ends by itself


# The command line


def test_the_command_line(tmp_path, corpus):
    run = CliRunner().invoke
    folder = str(tmp_path / "i")
    built = run(app, ["build", str(corpus), folder])
    assert built.exit_code == 0 and "200 passages" in built.output
    assert "in order" in run(app, ["verify", folder]).output
    assert read_manifest(folder).source.fingerprint[:20] in run(app, ["info", folder]).output
    found = run(app, ["search", folder, WORDS[0], "-k", "1"])
    assert found.exit_code == 0 and "score" in found.output
    assert "nothing found" in run(app, ["search", folder, "the"]).output
    again = run(app, ["build", str(corpus), folder])
    assert again.exit_code == 2 and again.stderr.startswith("error: ") and again.stderr.count("\n") == 1


DEVELOPMENT = Path(os.environ.get("RESEEK_SHARED", "../shared")) / "data" / "corpus" / "wiki73k.jsonl.gz"


@pytest.mark.long
@pytest.mark.skipif(not DEVELOPMENT.is_file(), reason="the development corpus is not here")
def test_real_passages_in_under_a_minute(tmp_path):
    started = time.monotonic()
    assert build_index(DEVELOPMENT, tmp_path / "wiki").passages == 73_206
    assert time.monotonic() - started < 60
    [hits] = ask(LuceneSearch(tmp_path / "wiki"), ["Who directed the film Ed Wood?"])
    assert any(hit.title == "Ed Wood (film)" for hit in hits)
