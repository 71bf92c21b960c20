"""A file layer for SQLite that forgets like a disk: power cuts and failing writes.

`FaultyVfs` passes everything to real files, so that SQLite reads what it wrote, and keeps beside
it what a disk would still have: the bytes as of the last sync of each file, and every write since.
After a power cut each 512-byte sector of those writes is kept or lost at random.

What is modelled of directories: the first sync of a journal or WAL file also syncs its folder (as
SQLite's unix layer does); until then a file that was deleted may be back.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random

import apsw

SECTOR_BYTES = 512


class History:
    """One file as a disk sees it."""

    def __init__(self) -> None:
        self.durable: bytes | None = None  # None: its name is not on the disk yet
        self.unsynced: list[tuple[int, bytes] | int] = []  # (offset, data), or a new size
        self.deleted = False  # but not yet for certain

    def sync(self) -> None:
        content = bytearray(self.durable or b"")
        for change in self.unsynced:
            _apply(content, change)
        self.durable, self.unsynced = bytes(content), []

    def survivor(self, random: Random) -> bytes | None:
        """Return what may be on the disk after a power cut now; None if there is no file."""
        if self.durable is None and random.random() < 0.5:
            return None
        content = bytearray(self.durable or b"")
        share_kept = random.choice((0.0, 0.5, 0.9, 1.0))
        for change in self.unsynced:
            for piece in _sectors(change):
                if random.random() < share_kept:
                    _apply(content, piece)
        return bytes(content)


def _apply(content: bytearray, change: tuple[int, bytes] | int) -> None:
    if isinstance(change, int):
        del content[change:]
        content.extend(bytes(change - len(content)))
        return
    offset, data = change
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


def _sectors(change: tuple[int, bytes] | int) -> list[tuple[int, bytes] | int]:
    """Split a write where sectors of the disk meet."""
    if isinstance(change, int):
        return [change]
    pieces: list[tuple[int, bytes] | int] = []
    offset, data = change
    while data:
        room = SECTOR_BYTES - offset % SECTOR_BYTES
        pieces.append((offset, data[:room]))
        offset, data = offset + room, data[room:]
    return pieces


class Disk:
    """The disk beneath a FaultyVfs. `fault(kind, number)` is asked before each operation.

    `kind` is "write", "truncate" or "sync"; `number` counts all of them from 1. What `fault`
    raises, SQLite sees.
    """

    def __init__(self, fault: Callable[[str, int], None] = lambda kind, number: None) -> None:
        self.files: dict[str, History] = {}
        self.kinds: list[str] = []  # of the operations so far
        self._fault = fault

    def operation(self, kind: str) -> None:
        self.kinds.append(kind)
        self._fault(kind, len(self.kinds))

    def sync(self, name: str) -> None:
        history = self.files[name]
        first = history.durable is None
        history.sync()
        if first and name.endswith(("-wal", "-journal")):
            self.sync_folder()

    def sync_folder(self) -> None:
        for name in [name for name, history in self.files.items() if history.deleted]:
            del self.files[name]

    def delete(self, name: str, sync_folder: bool) -> None:
        history = self.files.get(name)
        if history is not None:
            history.deleted = True
        if sync_folder:
            self.sync_folder()

    def power_cut(self, folder: Path, random: Random) -> None:
        """Write into `folder` what the disk still has."""
        for name, history in self.files.items():
            if history.deleted and random.random() < 0.5:
                continue
            content = history.survivor(random)
            if content is not None:
                (folder / Path(name).name).write_bytes(content)


def power_goes_at(operation: int) -> Callable[[str, int], None]:
    """Return a fault: from this operation on nothing works any more."""

    def fault(kind: str, number: int) -> None:
        if number >= operation:
            raise failure(apsw.SQLITE_IOERR_FSYNC if kind == "sync" else apsw.SQLITE_IOERR_WRITE)

    return fault


def fails_once(operation: int, code: int) -> Callable[[str, int], None]:
    """Return a fault: this operation fails with a result code of SQLite, the later ones work."""

    def fault(kind: str, number: int) -> None:
        if number == operation:
            raise failure(code)

    return fault


def failure(code: int) -> Exception:
    return apsw.exception_for(code)


class FaultyVfs(apsw.VFS):
    """Files that report to `disk`. Close it when done: its name is global in the process."""

    def __init__(self, name: str = "faulty") -> None:
        self.name = name
        self.disk = Disk()
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return FaultyFile(self.disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self.disk.delete(filename, syncdir)


class FaultyFile(apsw.VFSFile):
    """One open file of a FaultyVfs."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        history = disk.files.setdefault(self._name, History())
        if history.deleted:  # a new file under an old name; the old one can no longer come back
            disk.files[self._name] = history = History()
        self._history = history

    def xWrite(self, data: bytes, offset: int) -> None:
        copy = bytes(data)
        self._history.unsynced.append((offset, copy))  # some of it may get there even if it fails
        self._disk.operation("write")
        super().xWrite(copy, offset)

    def xTruncate(self, newsize: int) -> None:
        self._history.unsynced.append(newsize)
        self._disk.operation("truncate")
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        self._disk.operation("sync")
        self._disk.sync(self._name)
