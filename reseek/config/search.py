"""`corpus`, `world` and `search`: the closed world and who looks things up in it."""

from enum import Enum

from pydantic import Field, model_validator

from corpora.dense.manifest import FaissType
from reseek.config.questions import DataSource
from reseek.config.section import Section


class CorpusSettings(Section):
    """`corpus`: the closed world that is searched. With search=http the services hold it; `path`, where given, is
    compared with what they say."""

    source: DataSource = Field(description="world: the embedded one; jsonl: your own passages")
    path: str | None = Field(None, description="the file of passages (docs/corpora.md); null: `index` says it all")
    index: str | None = Field(None, description="folder of the index; null: in the cache, by the corpus's path")
    k1: float = Field(0.9, gt=0, description="BM25's k1")
    b: float = Field(0.4, ge=0, le=1, description="BM25's b")


class WorldSettings(Section):
    """`world`: the embedded fictional world."""

    seed: int = Field(0, ge=0, description="the same seed gives the same bytes")


class Retriever(Enum):
    """The retriever."""

    LUCENE = "lucene"
    """BM25 over `corpus`, in the processes that run the episodes."""
    DENSE = "dense"
    """Sentence embeddings of `corpus` and faiss, in the processes that run the episodes."""
    HTTP = "http"
    """Services at `search.urls` (docs/search.md)."""


class SearchSettings(Section):
    """`search`: the retriever."""

    name: Retriever = Field(Retriever.LUCENE, description="lucene, dense or http")
    encoder: str = Field("minilm", description="dense: minilm (built in), a model folder or a hub id")
    max_length: int | None = Field(None, ge=1, description="dense: tokens of a passage; null: as the encoder says")
    faiss: FaissType = Field(FaissType.FLAT, description="dense: flat (exact) or hnsw")
    device: str = Field("cpu", description="dense: where queries are encoded: cpu, cuda, cuda:1")
    urls: list[str] = Field(default_factory=list, description="http: replicas of one service, as http://host:8000")
    timeout_s: float = Field(10.0, gt=0, description="http: for one request to one replica")
    patience_s: float = Field(300.0, gt=0, description="http: for all attempts of a search; then its episode FAILED")
    cache_entries: int = Field(0, ge=0, description="answers each process keeps; equal queries are asked once; 0: none")
    noise: float = Field(0.0, ge=0, le=1, description="share of queries answered with what ranks behind the best k")

    @model_validator(mode="after")
    def _urls_are_for_http(self) -> "SearchSettings":
        if self.name is Retriever.HTTP and not self.urls:
            raise ValueError("urls: needs an address with search=http, such as 'search.urls=[http://127.0.0.1:8000]'")
        if self.name is not Retriever.HTTP and self.urls:
            raise ValueError("urls: are asked only with search=http")
        return self
