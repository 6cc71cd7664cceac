"""A cheap fingerprint of a model folder's weights: training changes every weight, so a sample of bytes suffices."""

import hashlib
from pathlib import Path

_SAMPLED_BYTES = 1 << 20


def model_fingerprint(folder: Path) -> str | None:
    """A hash that changes when a checkpoint is trained further: of all small files and of each large one's size, first
    and last MiB. None if `folder` is not a folder."""
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLED_BYTES))
            file.seek(max(_SAMPLED_BYTES, size - _SAMPLED_BYTES))
            digest.update(file.read(_SAMPLED_BYTES))
    return digest.hexdigest()[:16]
