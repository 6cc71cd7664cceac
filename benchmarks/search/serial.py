"""The plain server: one query after another, as Search-R1's retrieval_server.py does it. `python -m ...serial INDEX`.

The same engines as ours (Anserini's jar; sentence-transformers and faiss), and kinder than the original: stored text is
read from the hit (the original looks each document up again). The comparison is about what it lacks: batches, threads,
a queue.
"""

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from corpora.dense.encoder import encoder_of
from corpora.dense.manifest import VECTORS_NAME, read_dense_manifest
from corpora.dense.store import PassageStore
from corpora.jvm import java_class
from corpora.manifest import Kind, manifest_content


class QueryRequest(BaseModel):
    queries: list[str]
    topk: int | None = None
    return_scores: bool = False


Search = Callable[[str, int], list[dict]]


def make_app(search: Search) -> FastAPI:
    app = FastAPI()

    @app.post("/retrieve")
    async def retrieve(request: QueryRequest) -> dict:
        return {"result": [search(query, request.topk or 3) for query in request.queries]}

    return app


def lucene(index: str) -> Search:
    searcher = java_class("io.anserini.search.SimpleSearcher")(index)
    searcher.set_bm25(0.9, 0.4)

    def search(query: str, k: int) -> list[dict]:
        found = []
        for hit in searcher.search(query, k):
            contents = json.loads(hit.lucene_document.get("raw"))["contents"]
            title, _, text = contents.partition("\n")
            found.append({"document": {"title": title, "text": text, "contents": contents}, "score": hit.score})
        return found

    return search


def dense(index: str) -> Search:
    import faiss

    manifest, passages = read_dense_manifest(index), PassageStore(Path(index))
    encoder = encoder_of(manifest.encoder)
    vectors = faiss.read_index(str(Path(index) / VECTORS_NAME))

    def search(query: str, k: int) -> list[dict]:
        scores_1K, rows_1K = vectors.search(encoder.queries([query], 1), k)
        found = []
        for score, row in zip(scores_1K[0], rows_1K[0], strict=True):
            one = passages[int(row)]
            document = {"title": one.title, "text": one.text, "contents": f'"{one.title}"\n{one.text}'}
            found.append({"document": document, "score": float(score)})
        return found

    return search


def main() -> None:
    kind, _ = manifest_content(Path(sys.argv[1]))
    app = make_app((dense if kind is Kind.DENSE else lucene)(sys.argv[1]))
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", access_log=False, backlog=2048)
        print(f"http://127.0.0.1:{listening.getsockname()[1]} one after another", flush=True)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
