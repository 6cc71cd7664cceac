"""Where an index grows, and how it takes its name.

Invariant: under an index's name there is a whole index or nothing new. It grows in a sibling folder `.NAME.building-ID`
(the same disk) and is put in place by one rename; an index that it replaces steps aside first, to `.NAME.replaced-ID`,
and is deleted last. The maker holds a lock (flock) on its folder, which the kernel drops when the process ends, however
it ends: an unlocked one is a dead maker's. The next maker of the same name clears it away, or goes on with it, and puts
a replaced index back where the maker died between the two renames.

Does not know what grows there, nor Java.
"""

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from corpora.manifest import MANIFEST_NAME
from reseek.errors import InputError

_BUILDING, _REPLACED = "building", "replaced"


class InTheWay(InputError):
    """The name is taken."""


class BeingMade(InTheWay):
    """Another living process is making an index of this name."""


class Building:
    """A folder in which an index grows, `folder`, until `place` gives it the index's name. `begun`: by a maker who died
    or was interrupted."""

    def __init__(self, folder: Path, target: Path, overwrite: bool, begun: bool) -> None:
        self.folder, self._target, self._overwrite, self.begun = folder, target, overwrite, begun

    def place(self) -> None:
        """The last thing, after the manifest. Raises InTheWay where another process was faster."""
        old = _sibling(self._target, _REPLACED, self.folder.name.rpartition("-")[2])
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
    """A folder for the index `target`: a dead maker's with which one `can_go_on`, else a fresh one. What is not placed
    at the end is deleted, but for an interrupted (Ctrl-C) one with which the next maker can go on.

    Raises InTheWay where the name is taken (with `overwrite`: by something that is no index of ReSeek), BeingMade where
    another living process makes the same index, InputError where the folder can't be made.
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
            shutil.rmtree(folder, ignore_errors=True)  # gone by now where all went well
        if lock is not None:
            os.close(lock)


def _clear_dead(target: Path, named: str | Path, can_go_on: Callable[[Path], bool]) -> tuple[Path, int] | None:
    """Delete what makers of this index left that are no longer alive; put back an index that was being replaced.

    Returns the folder, locked, of one with which one can go on. Raises BeingMade where a living maker is at work."""
    alive, begun = False, None
    for folder in _siblings(target, _BUILDING):
        lock, taken = _lock(folder)
        alive = alive or taken
        if lock is None:
            continue
        if begun is None and can_go_on(folder):
            begun = folder, lock
        else:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
    for old in _siblings(target, _REPLACED):
        if _sibling(target, _BUILDING, old.name.rpartition("-")[2]).exists():
            continue  # its maker lives
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
        raise InTheWay(f"{target}: exists already; choose another folder, or replace the index with --overwrite")
    if not _is_index(target):
        raise InTheWay(f"{target}: is not an index of ReSeek and will not be overwritten; choose another folder")


def is_empty(folder: Path) -> bool:
    """Whether this is a folder with nothing in it."""
    return folder.is_dir() and not any(folder.iterdir())


def _is_index(folder: Path) -> bool:
    return (folder / MANIFEST_NAME).is_file()


def _sibling(target: Path, what: str, id: str) -> Path:
    return target.with_name(f".{target.name}.{what}-{id}")


def _siblings(target: Path, what: str) -> list[Path]:
    prefix = f".{target.name}.{what}-"
    if not target.parent.is_dir():
        return []
    return sorted(path for path in target.parent.iterdir() if path.name.startswith(prefix))


def _locked_folder(path: Path, named: str | Path) -> tuple[Path, int | None]:
    while True:
        folder = _sibling(path, _BUILDING, uuid.uuid4().hex[:12])
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise InputError(f"{named}: can't be created ({error.strerror}); choose another folder") from None
        lock, taken = _lock(folder)
        if not taken and folder.exists():
            return folder, lock
        if lock is not None:  # another maker took it for a dead one's before it was locked
            os.close(lock)


def _lock(folder: Path) -> tuple[int | None, bool]:
    """The lock of a folder, and whether somebody else holds it. Neither where it is gone or the disk knows no locks:
    then the folder is left alone, since its maker may live."""
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:
        return None, False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        return None, isinstance(error, BlockingIOError)
    return lock, False
