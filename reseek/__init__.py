"""ReSeek: train, evaluate and study self-correcting search agents.

The method is in `reseek.agent` and `reseek.rewards`, which are pure. `reseek.policy`, `reseek.search` and
`reseek.oracle` implement the protocols that an episode needs; `reseek.training` is the verl plug-in. Every package is
described in docs/architecture.md. Importing this package imports none of them.
"""

import sys
from typing import Any

from reseek.renamed import MovedModules, refuse_old_command

refuse_old_command()
sys.meta_path.append(MovedModules())


def __getattr__(name: str) -> Any:
    """`__version__`, which is written once, in pyproject.toml."""
    if name == "__version__":
        from importlib.metadata import version

        return version("reseek")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
