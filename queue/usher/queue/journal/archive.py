"""Archive files: what was trimmed from a journal, for rebuilds, what-ifs and checks.

    <folder>/0000000000000001-0000000000052311_2026-11-22.journal.gz

Positions of the first and the last record, so that names sort; the UTC day of the first batch. A
file is a gzip stream of msgpack, each message behind its length in 4 bytes (big endian):

    [format, incarnation, position before the file, checksum before the file]
    [version, position, count, at_ms, body, checksum]       for each batch, as it is in the journal

Each checksum covers the one before it, as in the journal, over all files: a lost, altered or
swapped batch or file is found when it is read. A file is given its name when all of it is on the
disk; what a crash leaves behind has another name and is written over. It must not know the codec or
which store the journal lies in. All here blocks; `Archive.read` does so in threads.
"""

import asyncio
import gzip
import os
import re
import time
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from usher.queue.journal.chain import first_link, next_link
from usher.queue.journal.contract import JournalCorrupt, JournalError, JournalTrimmed, StoredBatch

FORMAT: Final = 1
LENGTH_BYTES: Final = 4
STEP_BYTES: Final = 256 << 10  # of bodies that are handled together: appends wait for one trim
COMPRESSION: Final = 6
FOLDER: Final = "archive"  # beside the file of a journal, where nobody says otherwise

_NAME: Final = re.compile(r"([0-9]{16})-([0-9]{16})_[0-9]{4}-[0-9]{2}-[0-9]{2}\.journal\.gz")

_Row = tuple[int, int, int, int, bytes, bytes]
_encode = msgspec.msgpack.Encoder().encode
_decode_row = msgspec.msgpack.Decoder(_Row).decode
_decode_head = msgspec.msgpack.Decoder(tuple[int, str, int, bytes]).decode

Link = tuple[int, bytes]  # position and checksum of a batch: where the next one goes on
Linked = tuple[StoredBatch, bytes]  # a batch and its checksum


class ArchiveFile(NamedTuple):
    """One file: the position before its first record, and that of its last."""

    path: Path
    after: int
    position: int


class Archive:
    """The archive files of one journal in a folder, which need not be there yet."""

    def __init__(self, folder: Path, incarnation: str) -> None:
        self.folder = folder
        self._incarnation = incarnation
        self._end: Link | None = None

    def files(self) -> list[ArchiveFile]:
        """Return the files in order; raise JournalCorrupt where one is missing between two."""
        names = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        found = [file for path in names if (file := _named(path)) is not None]
        for former, file in pairwise(found):
            if file.after != former.position:
                reason = f"{file.path} does not go on after {former.path}"
                raise JournalCorrupt(reason, former.position)
        return found

    @property
    def position(self) -> int:
        """Return the position of the last record; 0 of an empty archive."""
        files = self.files()
        return files[-1].position if files else 0

    def end(self) -> Link:
        """Return position and checksum of the last batch; reads the last file once."""
        files = self.files()
        if not files:
            return 0, first_link(self._incarnation)
        if self._end is None or self._end[0] != files[-1].position:
            for batch, checksum in self._batches_of(files[-1], None):
                self._end = batch.position, checksum
        assert self._end is not None
        return self._end

    def batches(self, after: int, through: int) -> Iterator[Linked]:
        """Yield the batches that end after `after` and up to `through`, each with its checksum.

        Raises JournalTrimmed where the first files are missing, JournalCorrupt for what does not
        continue the chain, is of another journal, or ends before `through`.
        """
        link: Link | None = None
        files = [one for one in self.files() if one.position > after and one.after < through]
        if files and files[0].after > after:
            raise JournalTrimmed(files[0].after)
        for file in files:
            for batch, checksum in self._batches_of(file, link):
                link = batch.position, checksum
                if after < batch.position <= through:
                    yield batch, checksum
        last = link[0] if link is not None else after
        if last < through:
            raise JournalCorrupt(f"no archive file in {self.folder} goes on to {through}", last)

    async def read(self, after: int, through: int) -> AsyncIterator[list[StoredBatch]]:
        """Yield the same batches without their checksums, about STEP_BYTES at a time."""
        linked = self.batches(after, through)
        while step := await asyncio.to_thread(_step, linked):
            yield step

    def writer(self) -> "ArchiveWriter":
        """Return what writes the next file."""
        _make_folder(self.folder)
        return ArchiveWriter(self.folder, self._incarnation, self.end())

    def _batches_of(self, file: ArchiveFile, link: Link | None) -> Iterator[Linked]:
        """Yield the batches of a file that follows `link`, None for one that nothing is read of."""
        with gzip.open(file.path, "rb") as stream:
            at, checksum = self._begin(file, stream)
            if link not in (None, (at, checksum)):
                raise JournalCorrupt(f"{file.path} does not go on from the file before it", at)
            while (message := _message(file, stream, at)) is not None:
                batch, checksum = _linked(file, message, (at, checksum))
                at = batch.position
                yield batch, checksum
        if at != file.position:
            raise JournalCorrupt(f"{file.path} ends early", at)

    def _begin(self, file: ArchiveFile, stream: gzip.GzipFile) -> Link:
        message = _message(file, stream, file.after)
        try:
            form, incarnation, after, checksum = _decode_head(message or b"")
        except msgspec.MsgspecError as error:
            raise JournalCorrupt(f"{file.path} does not say what it is", file.after) from error
        if form != FORMAT:
            raise JournalError(f"{file.path} has format {form}, this build reads {FORMAT}")
        if incarnation != self._incarnation:
            reason = f"{file.path} is of journal {incarnation}, not {self._incarnation}"
            raise JournalCorrupt(reason, file.after)
        if after != file.after or (not after and checksum != first_link(incarnation)):
            raise JournalCorrupt(f"{file.path} does not begin where its name says", file.after)
        return after, checksum


class ArchiveWriter:
    """Writes one file after `link`. Every method may raise OSError; then `abandon` it."""

    def __init__(self, folder: Path, incarnation: str, link: Link) -> None:
        self._folder = folder
        self._after, _ = self._link = link
        self._first_ms = 0
        self._partial = folder / f"{self._after + 1:016}.partial"
        self._file = self._partial.open("wb")
        self._stream = gzip.GzipFile("", "wb", COMPRESSION, self._file, mtime=0)
        self._put((FORMAT, incarnation, *link))

    def add(self, batches: Sequence[StoredBatch]) -> None:
        """Write the batches that come next. Raises ValueError for others."""
        for batch in batches:
            if batch.position - batch.count != self._link[0]:
                raise ValueError(f"batch {batch.position} does not follow {self._link[0]}")
            if self._link[0] == self._after:
                self._first_ms = batch.at_ms
            self._link = batch.position, next_link(self._link[1], batch)
            row = batch.version, batch.position, batch.count, batch.at_ms, batch.body
            self._put((*row, self._link[1]))

    def finish(self) -> ArchiveFile:
        """Return the file, which has its name and is on the disk, the name included."""
        self._stream.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        day = time.strftime("%Y-%m-%d", time.gmtime(self._first_ms // 1000))
        name = f"{self._after + 1:016}-{self._link[0]:016}_{day}.journal.gz"
        file = ArchiveFile(self._folder / name, self._after, self._link[0])
        self._partial.rename(file.path)
        _sync_folder(self._folder)
        return file

    def abandon(self) -> None:
        """Leave no file behind, as far as the disk allows."""
        for undo in (self._file.close, self._partial.unlink):
            try:
                undo()
            except OSError:
                continue

    def _put(self, message: object) -> None:
        encoded = _encode(message)
        self._stream.write(len(encoded).to_bytes(LENGTH_BYTES, "big") + encoded)


def _named(path: Path) -> ArchiveFile | None:
    found = _NAME.fullmatch(path.name)
    return None if found is None else ArchiveFile(path, int(found[1]) - 1, int(found[2]))


def _message(file: ArchiveFile, stream: gzip.GzipFile, at: int) -> bytes | None:
    """Return the next message of a file, None at its end; `at` is where the last one ended."""
    try:
        length = stream.read(LENGTH_BYTES)
        size_bytes = int.from_bytes(length, "big")
        message = stream.read(size_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise JournalCorrupt(f"{file.path} cannot be unpacked: {error}", at) from error
    if not length:
        return None
    if len(length) < LENGTH_BYTES or len(message) < size_bytes:
        raise JournalCorrupt(f"{file.path} ends within a batch", at)
    return message


def _linked(file: ArchiveFile, message: bytes, link: Link) -> Linked:
    """Return the batch of a message, which must follow `link`, with its checksum."""
    try:
        version, position, count, at_ms, body, checksum = _decode_row(message)
    except msgspec.MsgspecError as error:
        raise JournalCorrupt(f"{file.path}: a batch is not readable", link[0]) from error
    batch = StoredBatch(version, position, count, at_ms, body)
    if count < 1 or position - count != link[0] or checksum != next_link(link[1], batch):
        reason = f"{file.path}: the batch that ends at {position} does not continue the chain"
        raise JournalCorrupt(reason, link[0])
    return batch, checksum


def _step(linked: Iterator[Linked]) -> list[StoredBatch]:
    """Return the next batches, about STEP_BYTES of bodies; none at the end."""
    step: list[StoredBatch] = []
    size_bytes = 0
    for batch, _ in linked:
        step.append(batch)
        size_bytes += len(batch.body)
        if size_bytes >= STEP_BYTES:
            break
    return step


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Have names that came into the folder outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
