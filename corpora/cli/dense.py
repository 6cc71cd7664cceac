"""The commands' options for dense indexes, and their lines in `info`."""

from typing import Annotated

import typer

from corpora.dense.manifest import DenseManifest, FaissType

_PANEL = "Dense indexes"
LUCENE_OPTIONS = ("k1", "b", "threads")
DENSE_OPTIONS = (
    "encoder",
    "query_prefix",
    "passage_prefix",
    "max_length",
    "faiss",
    "links",
    "ef_construction",
    "ef_search",
    "batch_size",
    "device",
    "shards",
)

EncoderOption = Annotated[
    str,
    typer.Option(
        metavar="MODEL",
        help="a sentence-transformers model: a folder, a hub's name, or minilm, which is built in",
        rich_help_panel=_PANEL,
    ),
]
QueryPrefixOption = Annotated[
    str | None,
    typer.Option(help="text before every query (default: the model's own, for E5 'query: ')", rich_help_panel=_PANEL),
]
PassagePrefixOption = Annotated[
    str | None,
    typer.Option(help="text before every passage (default: the model's, for E5 'passage: ')", rich_help_panel=_PANEL),
]
MaxLengthOption = Annotated[
    int | None, typer.Option(min=1, help="tokens kept of a text (default: the model's)", rich_help_panel=_PANEL)
]
FaissOption = Annotated[
    FaissType, typer.Option(help="flat: exact; hnsw: approximate and fast, built in memory", rich_help_panel=_PANEL)
]
LinksOption = Annotated[int, typer.Option(min=2, help="HNSW: links a node", rich_help_panel=_PANEL)]
EfConstructionOption = Annotated[
    int, typer.Option(min=1, help="HNSW: breadth of the search while building", rich_help_panel=_PANEL)
]
EfSearchOption = Annotated[
    int, typer.Option(min=1, help="HNSW: breadth of every search; higher finds more", rich_help_panel=_PANEL)
]
MovedEncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="MODEL",
        help="path of the encoder on this machine (default: the path stored in the index)",
        rich_help_panel=_PANEL,
    ),
]
BatchSizeOption = Annotated[int, typer.Option(min=1, help="passages encoded at once", rich_help_panel=_PANEL)]
DeviceOption = Annotated[str, typer.Option(help="where the encoder runs: cpu, cuda, cuda:1", rich_help_panel=_PANEL)]


def dense_rows(manifest: DenseManifest) -> list[tuple[str, str]]:
    """The lines of `info` for a dense index only."""
    encoder, faiss = manifest.encoder, manifest.faiss
    graph = f", {faiss.links} links, ef {faiss.ef_construction} / {faiss.ef_search}" if faiss.links else ""
    return [
        ("encoder", f"{encoder.name} (sha256 {encoder.sha256[:16]}...)"),
        ("vectors", f"{encoder.dimensions} numbers, {encoder.similarity}, modules: {encoder.pooling}"),
        ("prefixes", f"query {encoder.query_prefix!r}, passage {encoder.passage_prefix!r}"),
        ("cut at", f"{encoder.max_length} tokens"),
        ("faiss", f"{faiss.type}{graph}"),
    ]
