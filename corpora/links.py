"""Share an index's files with another folder.

Invariant: each name stands for the same bytes in both, and nothing done through Lucene to one folder reaches the other:
Lucene never changes a file that it wrote. Lucene's lock and the manifest are not shared. Does not know why.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from corpora.manifest import FileRecord, hash_file
from reseek.errors import InputError


def link_files(base: Path, folder: Path, names: Iterable[str], known: dict[str, FileRecord] | None = None) -> None:
    """Hard-link these files; copy where links are impossible (another file system, another owner's file, too many
    links), comparing copies with what is `known` of them."""
    for name in names:
        try:
            os.link(base / name, folder / name)
        except FileNotFoundError:
            raise InputError(f"{base / name}: vanished while it was being linked; try again") from None
        except OSError:
            shutil.copyfile(base / name, folder / name)
            if known is not None and hash_file(folder / name) != known[name]:
                raise InputError(
                    f"{base / name}: its content differs from the manifest's hash; copy the index again"
                ) from None
