"""The measured build of the searched index: seconds, size, peak memory. It is built once and kept with its figures.

`python -m benchmarks.search.building CORPUS INDEX` is the process that builds and reports.
"""

import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.search.material import Material
from reseek.errors import InputError
from reseek.search.open_index import open_index


def ensure_index(material: Material, cache: Path) -> tuple[Path, dict]:
    """The index's folder and the measurements of its build (`built`: its time)."""
    index = cache / f"index-{material.corpus.name.partition('.')[0]}"
    figures = index.with_suffix(".json")
    if not (figures.is_file() and is_usable(index)):
        command = [sys.executable, "-m", "benchmarks.search.building", str(material.corpus), str(index)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        figures.write_text(done.stdout.splitlines()[-1] + "\n")
    return index, json.loads(figures.read_text())


def is_usable(index: Path) -> bool:
    """Whether the folder has a complete index of either kind and of this version."""
    try:
        open_index(index)
    except InputError:
        return False
    return True


def main() -> None:
    from corpora.index import build_index

    corpus, index = Path(sys.argv[1]), Path(sys.argv[2])
    started, busy = time.perf_counter(), time.process_time()
    manifest = build_index(corpus, index, overwrite=index.is_dir())
    figures = {
        "passages": manifest.passages,
        "index_seconds": round(time.perf_counter() - started, 1),
        "index_cpu_seconds": round(time.process_time() - busy, 1),
        "index_mb": round(sum(file.size for file in manifest.files.values()) / 1e6, 1),
        "index_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
        "built": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
