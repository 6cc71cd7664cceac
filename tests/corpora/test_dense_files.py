"""The files of a dense index: passages by row, vectors in faiss' own format, shards, and manifests of two kinds."""

import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.any_index import kind_of, read_any_manifest
from corpora.dense.build import DenseSpec
from corpora.dense.encoder import prefixes_of
from corpora.dense.manifest import (
    OFFSETS_NAME,
    PASSAGES_NAME,
    DenseManifest,
    EncoderRecord,
    FaissRecord,
    FaissType,
    Similarity,
    check_dense_files,
    read_dense_manifest,
)
from corpora.dense.models import model_folder, model_hash
from corpora.dense.shards import Shards
from corpora.dense.store import PassageStore, PassageWriter
from corpora.dense.vectors import MOST_EF, open_vectors, writing_vectors
from corpora.manifest import MANIFEST_NAME, Kind, Manifest, Source, check_files, hash_files, write_manifest
from corpora.record import Passage
from reseek.errors import InputError
from reseek.search.open_index import open_index
from tests.support.services import environment

faiss = pytest.importorskip("faiss")

FLAT = FaissRecord(type=FaissType.FLAT)
ENCODER = EncoderRecord(
    name="minilm",
    sha256="0",
    query_prefix="",
    passage_prefix="",
    max_length=64,
    pooling="mean",
    similarity=Similarity.COSINE,
    dimensions=4,
)
passages = st.builds(
    Passage,
    id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    title=st.text(st.characters(exclude_categories=["Cs"])),
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
)


def vectors(number, dimensions=4, seed=0):
    return np.random.default_rng(seed).normal(size=(number, dimensions)).astype(np.float32)


def write_index(folder):
    """A whole dense index of three passages, its encoder's hash a lie."""
    folder.mkdir()
    with PassageWriter(folder) as store, writing_vectors(folder / "vectors.faiss", 4, FLAT) as writer:
        for i in range(3):
            store.add(Passage(id=f"p{i}", title="", text="x"))
        writer.add(vectors(3))
    manifest = DenseManifest(
        passages=3,
        source=Source(name="c.jsonl", fingerprint="0"),
        encoder=ENCODER,
        faiss=FLAT,
        engine={},
        created="2026-01-01",
        files=hash_files(folder),
    )
    write_manifest(folder, manifest)
    return manifest


@given(st.lists(passages, max_size=6))
def test_passages_come_back_by_row(tmp_path_factory, written):
    folder = tmp_path_factory.mktemp("store")
    with PassageWriter(folder) as writer:
        for passage in written:
            writer.add(passage)
        assert len(writer) == len(written)
    if written:
        with PassageStore(folder) as store:
            assert list(store) == written and len(store) == len(written)
            for row in (-1, len(written)):
                with pytest.raises(IndexError):
                    store[row]


def test_offsets_of_other_passages_are_refused(tmp_path):
    write_index(tmp_path / "i")
    with (tmp_path / "i" / PASSAGES_NAME).open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(ValueError, match=OFFSETS_NAME):
        PassageStore(tmp_path / "i")


@given(sizes=st.lists(st.integers(0, 7), max_size=4), dimensions=st.integers(1, 9))
def test_a_flat_file_is_what_faiss_would_write(tmp_path_factory, sizes, dimensions):
    folder = tmp_path_factory.mktemp("flat")
    parts = [vectors(size, dimensions, seed) for seed, size in enumerate(sizes)]
    theirs = faiss.IndexFlatIP(dimensions)
    with writing_vectors(folder / "ours", dimensions, FLAT) as writer:
        for part in parts:
            writer.add(part)
            theirs.add(part)
    faiss.write_index(theirs, str(folder / "theirs"))
    assert (folder / "ours").read_bytes() == (folder / "theirs").read_bytes()


def test_a_graph_keeps_its_parameters(tmp_path):
    record = FaissRecord(type=FaissType.HNSW, links=8, ef_construction=50, ef_search=33)
    with writing_vectors(tmp_path / "v", 4, record) as writer:
        writer.add(vectors(50))
        writer.add(vectors(20, seed=1))
    index, found = open_vectors(tmp_path / "v")
    assert found == record and (index.ntotal, index.d) == (70, 4)


def test_other_faiss_indexes_are_refused(tmp_path):
    for index, says in (
        (faiss.IndexFlatL2(4), "does not compare by inner product"),
        (faiss.IndexPQ(4, 2, 4, faiss.METRIC_INNER_PRODUCT), "is a faiss IndexPQ"),
    ):
        faiss.write_index(index, str(tmp_path / "v"))
        with pytest.raises(InputError, match=says):
            open_vectors(tmp_path / "v")
    for content in (b"", b"no index of faiss", (tmp_path / "v").read_bytes()[:20]):
        (tmp_path / "v").write_bytes(content)
        with pytest.raises(InputError, match="faiss can't read it") as caught:
            open_vectors(tmp_path / "v")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("beginning", [b"null", b"IBxF", b"PK\x03\x04", b""])
def test_a_file_that_holds_no_index_is_one_line(tmp_path, beginning):
    (tmp_path / "v").write_bytes(beginning + bytes(60 if beginning else 0))
    with pytest.raises(InputError, match=r"/v: (holds no faiss index|faiss can't read it)") as raised:
        open_vectors(tmp_path / "v")
    assert "\n" not in str(raised.value)


def test_a_damaged_graph_is_refused_before_a_search_hangs_or_crashes_on_it(tmp_path):
    path = tmp_path / "v"
    import faiss

    index = faiss.IndexHNSWFlat(4, 8, faiss.METRIC_INNER_PRODUCT)
    index.add(vectors(200))
    faiss.write_index(index, str(path))
    content = path.read_bytes()
    assert open_vectors(path)[0].ntotal == 200
    # The graph's last numbers come before its vectors: entry, highest level, breadths of building and of searching.
    end = content.rindex(b"IxFI")
    levels = faiss.vector_to_array(index.hnsw.levels)
    for place, number in (
        (-20, int(levels.argmin())),
        (-20, -1),
        (-16, 0),
        (-8, 2**31 - 1),
        (-8, MOST_EF + 1),
        (-8, 0),
        (-8, -1),
    ):
        at = end + place
        path.write_bytes(content[:at] + struct.pack("<i", number) + content[at + 4 :])
        with pytest.raises(InputError, match=r"/v: is damaged: "):
            open_vectors(path)


@given(st.data())
def test_a_link_to_a_row_without_that_level_is_refused(tmp_path_factory, data):
    index = faiss.IndexHNSWFlat(4, 4, faiss.METRIC_INNER_PRODUCT)
    index.add(vectors(200))
    graph, path = index.hnsw, tmp_path_factory.mktemp("graph") / "v"
    levels = faiss.vector_to_array(graph.levels)
    row = data.draw(st.sampled_from(np.flatnonzero(levels > 1).tolist()))
    level = data.draw(st.integers(1, int(levels[row]) - 1))
    lower = data.draw(st.sampled_from(np.flatnonzero(levels <= level).tolist()))
    neighbors = faiss.rev_swig_ptr(graph.neighbors.data(), graph.neighbors.size())
    neighbors[graph.offsets.at(row) + graph.cum_nb_neighbors(level)] = lower
    faiss.write_index(index, str(path))
    with pytest.raises(InputError, match=rf"v: is damaged: row {row} of its graph has a link to a row without"):
        open_vectors(path)


def test_shards_are_found_by_texts_and_encoder_alone(tmp_path):
    made = []

    def get(texts, encoder=ENCODER):
        def make():
            made.append(texts)
            return vectors(len(texts), seed=len(made))

        return Shards(tmp_path, encoder).get(texts, make)

    first = get(["a", "bc"])
    assert np.array_equal(get(["a", "bc"]), first) and len(made) == 1
    assert np.array_equal(get(["a", "bc"], ENCODER.model_copy(update={"name": "moved", "query_prefix": "q"})), first)
    for texts, changes in (
        (["ab", "c"], {}),
        (["bc", "a"], {}),
        (["a"], {}),
        (["a", "bc"], {"passage_prefix": "passage: "}),
        (["a", "bc"], {"sha256": "1"}),
        (["a", "bc"], {"max_length": 63}),
        (["a", "bc"], {"similarity": Similarity.DOT}),
    ):
        before = len(made)
        get(texts, ENCODER.model_copy(update=changes))
        assert len(made) == before + 1, (texts, changes)
    broken = next(tmp_path.iterdir())
    for path in tmp_path.iterdir():
        path.write_bytes(b"half")
    with pytest.raises(InputError, match=r"is not a shard of vectors .* delete it"):
        get(["a", "bc"])
    assert broken.exists() and not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_neither_kind_of_index_is_taken_for_the_other(tmp_path):
    manifest = write_index(tmp_path / "dense")
    assert check_dense_files(tmp_path / "dense", hashes=True) == manifest
    assert kind_of(tmp_path / "dense") is Kind.DENSE and read_any_manifest(tmp_path / "dense") == manifest
    with pytest.raises(InputError, match="dense: is a dense index, but a BM25 index is needed"):
        check_files(tmp_path / "dense", hashes=False)
    (tmp_path / "lucene").mkdir()
    (tmp_path / "lucene" / "_0.fdt").write_bytes(b"x")
    lucene = Manifest(
        format=manifest.format,
        passages=3,
        source=manifest.source,
        analyzer="a",
        k1=0.9,
        b=0.4,
        engine={},
        created="2026-01-01",
        files=hash_files(tmp_path / "lucene"),
    )
    write_manifest(tmp_path / "lucene", lucene)
    assert kind_of(tmp_path / "lucene") is Kind.LUCENE and read_any_manifest(tmp_path / "lucene") == lucene
    with pytest.raises(InputError, match="lucene: is a BM25 index, but a dense one is needed"):
        read_dense_manifest(tmp_path / "lucene")


def test_damage_is_named_before_anything_is_loaded(tmp_path):
    write_index(tmp_path / "i")
    vectors_file = tmp_path / "i" / "vectors.faiss"
    content = vectors_file.read_bytes()
    vectors_file.write_bytes(content[:-1])
    with pytest.raises(InputError, match="vectors.faiss: has .* bytes, the manifest says"):
        open_index(tmp_path / "i")
    vectors_file.write_bytes(content[:-1] + b"?")
    with pytest.raises(InputError, match="vectors.faiss: its content differs"):
        check_dense_files(tmp_path / "i", hashes=True)
    vectors_file.write_bytes(content)
    with pytest.raises(InputError, match="minilm: is not the encoder that made the index"):
        open_index(tmp_path / "i")
    path = tmp_path / "i" / MANIFEST_NAME
    whole = path.read_text()
    for changed, says in (
        (whole.replace('"dense"', '"sparse"'), "unknown kind 'sparse'"),
        (whole.replace('"passages": 3', '"passages": 0'), "is not a manifest"),
    ):
        path.write_text(changed)
        with pytest.raises(InputError, match=says):
            open_index(tmp_path / "i")
    path.unlink()
    with pytest.raises(InputError, match="not an index of ReSeek, or half-built"):
        open_index(tmp_path / "i")


def test_a_model_is_known_by_what_matters(tmp_path):
    for name in ("model.safetensors", "config.json", "1_Pooling/config.json", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    before = model_hash(tmp_path)
    (tmp_path / "README.md").write_text("other")
    assert model_hash(tmp_path) == before
    for name in ("model.safetensors", "config.json", "1_Pooling/config.json"):
        (tmp_path / name).write_text("other")
        assert model_hash(tmp_path) != before
        (tmp_path / name).write_text(name)
    assert model_hash(tmp_path) == before
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match="is not a model"):
        model_hash(tmp_path)


def test_bad_numbers_and_names_are_one_line(tmp_path):
    for changes in ({"batch_size": 0}, {"max_length": 0}, {"links": 1}, {"ef_search": -1}):
        with pytest.raises(InputError, match=f"{next(iter(changes))} = "):
            DenseSpec(**changes)
    for name in ("/no/such", "./no", "word"):
        with pytest.raises(InputError, match=f"--encoder {name}: no such folder"):
            model_folder(name)


def test_prefixes_are_the_models_own_or_those_of_e5():
    e5, none = ("query: ", "passage: "), ("", "")
    for name in ("intfloat/e5-base-v2", "intfloat/multilingual-e5-small", "/models/E5", "/models/e5_finetuned"):
        assert prefixes_of(name, {"query": "", "document": ""}) == e5, name
    for name in ("minilm", "BAAI/bge-base-en", "intfloat/e5-mistral-7b-instruct", "org/me5-like"):
        assert prefixes_of(name, {}) == none, name
    assert prefixes_of("intfloat/e5-base-v2", {"query": "q ", "document": "d "}) == ("q ", "d ")
    assert prefixes_of("x/y", {"query": "q ", "passage": "p "}) == ("q ", "p ")


def test_nothing_heavy_is_imported_before_it_is_used():
    code = (
        "import sys, reseek.program.commands, corpora.cli.index, corpora.index, reseek.search.dense\n"
        "import reseek.search.open_index\n"
        "print(sorted({'torch', 'faiss', 'sentence_transformers', 'jnius'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert run.stdout.strip() == "[]"
