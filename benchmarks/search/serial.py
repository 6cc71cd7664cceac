"""The plain server: one query after another, as Search-R1's retrieval_server.py does it. `python -m ...serial INDEX`.

The same engine and jar as ours, and kinder than the original: stored text is read from the hit (the original looks
each document up again). What it lacks is what is compared: batches, threads, a queue.
"""

import json
import socket
import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from corpora.jvm import java_class


class QueryRequest(BaseModel):
    queries: list[str]
    topk: int | None = None
    return_scores: bool = False


def make_app(index: str) -> FastAPI:
    searcher = java_class("io.anserini.search.SimpleSearcher")(index)
    searcher.set_bm25(0.9, 0.4)
    app = FastAPI()

    @app.post("/retrieve")
    async def retrieve(request: QueryRequest) -> dict:
        return {"result": [search(query, request.topk or 3) for query in request.queries]}

    def search(query: str, k: int) -> list[dict]:
        found = []
        for hit in searcher.search(query, k):
            contents = json.loads(hit.lucene_document.get("raw"))["contents"]
            title, _, text = contents.partition("\n")
            found.append({"document": {"title": title, "text": text, "contents": contents}, "score": hit.score})
        return found

    return app


def main() -> None:
    app = make_app(sys.argv[1])
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", access_log=False, backlog=2048)
        print(f"http://127.0.0.1:{listening.getsockname()[1]} one after another", flush=True)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
