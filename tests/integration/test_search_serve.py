"""The service as a Ray Serve deployment: two replicas behind one address, one of which is killed."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora.index import build_index
from reseek.search.lucene import LuceneSearch
from reseek.search.making import make_search
from tests.support.corpora import PASSAGES, some_queries, write
from tests.support.runs import ROOT
from tests.support.services import environment, free_port

pytest.importorskip("jnius_config")
pytestmark = pytest.mark.integration

REPLICAS = 2
# Starts Ray and the deployment; a line "serving" when it is up, then at each line on stdin a replica is killed.
PROGRAM = """
import os, signal, sys, ray
from ray import serve
from reseek.search.serve_app import Arguments, application

index, port, folder = sys.argv[1:]
ray.init(num_cpus=2, include_dashboard=False, _temp_dir=folder, object_store_memory=100_000_000)
serve.start(http_options={"host": "127.0.0.1", "port": int(port)})
serve.run(application(Arguments(index=index, replicas=2, cpus=0.5)))
print("serving", flush=True)
for line in sys.stdin:
    actors = [one for one in ray.util.list_named_actors(all_namespaces=True) if "SearchReplica" in one["name"]]
    victim = ray.get_actor(actors[0]["name"], namespace=actors[0]["namespace"])
    ray.kill(victim, no_restart=False)
    print(f"killed one of {len(actors)}", flush=True)
serve.shutdown()
ray.shutdown()
"""


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for Ray: a socket's path may have 107 characters, and a worker's of pytest-xdist has many before it."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="r") as name:
        yield Path(name)


def test_replicas_behind_one_address(tmp_path, short):
    build_index(write(tmp_path / "c.jsonl", PASSAGES), tmp_path / "index")
    port = free_port()
    queries = some_queries(200)
    lucene = LuceneSearch(tmp_path / "index")
    expected = asyncio.run(lucene.search(queries, 3))
    lucene.close()
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path / "index"), str(port), str(short)]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            arguments, env=environment(), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as serving,
    ):
        try:
            assert serving.stdout.readline() == "serving\n", (tmp_path / "log").read_text()[-3000:]
            search = make_search(urls=[f"http://127.0.0.1:{port}"], timeout_s=5, patience_s=120)
            assert asyncio.run(search.search(queries, 3)) == expected
            serving.stdin.write("\n")
            serving.stdin.flush()
            assert serving.stdout.readline() == f"killed one of {REPLICAS}\n"
            assert asyncio.run(asked_one_by_one(search, queries)) == expected
            serving.stdin.close()
            assert serving.wait(120) == 0
        finally:
            if serving.poll() is None:
                serving.terminate()


async def asked_one_by_one(search, queries):
    found = await asyncio.gather(*(search.search([query], 3) for query in queries))
    return [hits for [hits] in found]
