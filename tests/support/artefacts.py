"""Artefacts of an earlier version of ReSeek (tests/data/compat/README.md), unpacked with the paths of this machine."""

import hashlib
import json
import zipfile
from pathlib import Path

from tests.support.runs import ROOT

COMPAT = ROOT / "tests" / "data" / "compat"
_CARELESSNESS_AND_LAZINESS = "0.4 0.05"  # of sft=scripted at a9ceba9


def unpack(name: str, folder: Path) -> Path:
    """Unpack an archive into `folder`, which takes the place of the one where its artefacts were made; returns it."""
    with zipfile.ZipFile(COMPAT / f"{name}.zip") as archive:
        archive.extractall(folder)
        paths = [folder / file for file in archive.namelist()]
    _replace(paths, b"{HERE}", bytes(folder))
    _replace(paths, b"{CHECKOUT}", bytes(ROOT))
    _replace(paths, b"{CONDITIONS}", _conditions_hash(folder).encode())
    return folder


def _replace(paths: list[Path], placeholder: bytes, value: bytes) -> None:
    for path in paths:
        content = path.read_bytes()
        if placeholder in content:
            path.write_bytes(content.replace(placeholder, value))


def _conditions_hash(folder: Path) -> str:
    """As a9ceba9 made it of an evaluation's conditions, or of those of an SFT run's scripted episodes."""
    evaluation, sft = folder / "evaluation" / "conditions.json", folder / "sft-conditions.json"
    if evaluation.is_file():
        return _hash(json.dumps(json.loads(evaluation.read_text()), sort_keys=True))
    if sft.is_file():
        return _hash(f"{_hash(json.dumps(json.loads(sft.read_text()), sort_keys=True))} {_CARELESSNESS_AND_LAZINESS}")
    return ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
