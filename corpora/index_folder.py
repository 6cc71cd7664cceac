"""The folder in which an index is built, and how it takes the index's name (see `atomic`).

Invariant: under an index's name there is a complete index or nothing new. An index that is replaced is first renamed to
`.NAME.replaced-ID` and is deleted last. The next maker of the same name deletes a dead maker's folder, or continues in
it, and puts a replaced index back if its maker died between the two renames.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from corpora.atomic import lock_folder, locked_folder, sibling, siblings
from corpora.manifest import MANIFEST_NAME
from reseek.errors import InputError

_BUILDING, _REPLACED = "building", "replaced"


class InTheWay(InputError):
    """A folder of this name exists and may not be replaced."""


class BeingMade(InTheWay):
    """Another living process is making an index of this name."""


class Building:
    """A folder in which an index grows, `folder`, until `place` gives it the index's name. `begun`: it continues the
    folder of a maker that died or was interrupted."""

    def __init__(self, folder: Path, target: Path, overwrite: bool, begun: bool) -> None:
        self.folder, self._target, self._overwrite, self.begun = folder, target, overwrite, begun

    def place(self) -> None:
        """Give the index its name, after the manifest is written. Raises InTheWay if another process was faster."""
        old = sibling(self._target, _REPLACED, self.folder.name.rpartition("-")[2])
        try:
            if self._overwrite and _is_index(self._target):
                os.rename(self._target, old)
            os.rename(self.folder, self._target)
        except OSError as error:
            if old.exists() and not self._target.exists():
                os.rename(old, self._target)
            raise InTheWay(
                f"{self._target}: can't be put in place ({error.strerror}): another process was faster, or the folder "
                "is in use; nothing was kept"
            ) from None
        shutil.rmtree(old, ignore_errors=True)


def _never(folder: Path) -> bool:
    return False


@contextlib.contextmanager
def building(
    target: str | Path, *, overwrite: bool = False, can_go_on: Callable[[Path], bool] = _never
) -> Iterator[Building]:
    """A folder for the index `target`: a dead maker's that can be resumed (`can_go_on`), else a new one. If it is not
    placed at the end it is deleted, unless it was interrupted (Ctrl-C) and the next maker can resume it.

    Raises InTheWay if the name is taken (with `overwrite`: by something that is not an index of ReSeek), BeingMade if
    another living process makes the same index, InputError if the folder can't be made.
    """
    path = Path(os.path.abspath(target))  # "." can't be renamed
    begun = _clear_dead(path, target, can_go_on)
    try:
        _check_free(Path(target), overwrite)
        folder, lock = begun or _locked_folder(path, target)
    except InTheWay:
        if begun is not None:
            os.close(begun[1])
        raise
    interrupted = False
    try:
        yield Building(folder, path, overwrite, begun is not None)
    except KeyboardInterrupt:
        interrupted = True
        raise
    finally:
        if not (interrupted and can_go_on(folder)):
            shutil.rmtree(folder, ignore_errors=True)  # already renamed on success
        if lock is not None:
            os.close(lock)


def _clear_dead(target: Path, named: str | Path, can_go_on: Callable[[Path], bool]) -> tuple[Path, int] | None:
    """Delete the leftovers of dead makers of this index; put back an index that was being replaced.

    Returns, locked, a leftover folder that can be resumed. Raises BeingMade if a living maker is at work."""
    alive, begun = False, None
    for folder in siblings(target, _BUILDING):
        lock, taken = lock_folder(folder)
        alive = alive or taken
        if lock is None:
            continue
        if begun is None and can_go_on(folder):
            begun = folder, lock
        else:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
    for old in siblings(target, _REPLACED):
        if sibling(target, _BUILDING, old.name.rpartition("-")[2]).exists():
            continue  # its maker is alive
        if target.exists() or not _is_index(old):
            shutil.rmtree(old, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.rename(old, target)
    if alive:
        if begun is not None:
            os.close(begun[1])
        raise BeingMade(f"{named}: another process is making this index; wait for it, or choose another folder")
    return begun


def _check_free(target: Path, overwrite: bool) -> None:
    if not target.exists() or is_empty(target):
        return
    if not overwrite:
        raise InTheWay(f"{target}: already exists; choose another folder, or replace the index with --overwrite")
    if not _is_index(target):
        raise InTheWay(f"{target}: is not an index of ReSeek and will not be overwritten; choose another folder")


def is_empty(folder: Path) -> bool:
    """Whether this is an empty folder."""
    return folder.is_dir() and not any(folder.iterdir())


def _is_index(folder: Path) -> bool:
    return (folder / MANIFEST_NAME).is_file()


def _locked_folder(path: Path, named: str | Path) -> tuple[Path, int | None]:
    try:
        return locked_folder(path)
    except OSError as error:
        raise InputError(f"{named}: can't be created ({error.strerror}); choose another folder") from None
