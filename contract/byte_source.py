"""Files read or written from front to back: plain, gzip or xz.

What is read is told apart by its first bytes, what is written by its name. Whatever is wrong with
a file (missing, not permitted, damaged, cut short) becomes an
``InputFileError``, so that a reader built on top needs no error handling of its own.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final

from contract.errors import InputFileError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_LINE_CHARS: Final = 8192
_SHOWN_CHARS: Final = 60
_BUFFER_BYTES: Final = 1 << 18
_GZIP_MAGIC: Final = b"\x1f\x8b"
_XZ_MAGIC: Final = b"\xfd7zXZ\x00"
_UNPACK_ERRORS: Final = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    NotImplementedError,  # a zip member packed by a method this Python does not know
    RuntimeError,  # an encrypted zip member
)

OnRead = Callable[[int], None]


def open_bytes(path: str | Path, on_read: OnRead | None = None) -> IO[bytes]:
    """Open ``path`` for reading from front to back, decompressing gzip and xz on the way.

    Args:
        path: the file.
        on_read: called with the number of bytes taken from the file itself, before
            decompression, as reading goes on: what a progress bar needs.

    Raises:
        InputFileError: now, when the file cannot be opened; later, out of any read, when it is
            damaged or ends in the middle of its compressed data.
    """
    source = _open_counted(path, on_read)
    try:
        unpacked = _unpack(source)
    except _UNPACK_ERRORS as error:
        source.close()
        raise InputFileError(path, "open", "", shorten(error), "a readable file") from error
    return _guarded(unpacked, source, path)


def open_zip_member(
    path: str | Path, ending: str, expected: str, on_read: OnRead | None = None
) -> IO[bytes]:
    """Open the one member of a zip archive whose name matches the glob pattern ``ending``.

    Raises:
        InputFileError: there is no such member or more than one, or the archive is damaged.
    """
    source = _open_counted(path, on_read)
    try:
        archive = zipfile.ZipFile(source)
        names = [name for name in archive.namelist() if Path(name).match(ending)]
        if len(names) != 1:
            found = ", ".join(names or archive.namelist())
            raise InputFileError(path, "member", "", shorten(found), expected)
        return _guarded(archive.open(names[0]), source, path)
    except _UNPACK_ERRORS as error:
        source.close()
        raise InputFileError(path, "open", "", shorten(error), "a zip archive") from error
    except InputFileError:
        source.close()
        raise


def create_bytes(path: str | Path) -> BinaryIO | gzip.GzipFile | lzma.LZMAFile:
    """Create a file to write from front to back; a name in .gz or .xz makes it compressed.

    Raises:
        InputFileError: the file cannot be created.
    """
    try:
        if Path(path).suffix == ".gz":
            # Without a time stamp the same content is the same file, byte for byte.
            return gzip.GzipFile(path, "wb", compresslevel=6, mtime=0)
        if Path(path).suffix == ".xz":
            return lzma.LZMAFile(path, "wb")
        return Path(path).open("wb")
    except OSError as error:
        raise InputFileError(path, "create", "", error.strerror, "a file to write") from error


def is_zip(path: str | Path) -> bool:
    """Whether the file is a zip archive by its first bytes."""
    with open_bytes(path) as stream:
        return stream.read(4) == b"PK\x03\x04"


def iter_lines(stream: IO[bytes], path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, text without its line end) of a text in UTF-8.

    A byte that is not UTF-8 stays in the text as a lone surrogate, so that the reader's own check
    of the field rejects it with its line number; inside a comment it does no harm.

    Raises:
        InputFileError: a line is longer than any format here has: not a text at all.
    """
    buffered = io.BufferedReader(_Borrowed(stream), _BUFFER_BYTES)
    text = io.TextIOWrapper(buffered, "utf-8-sig", "surrogateescape")
    number = 0
    while line := text.readline(MAX_LINE_CHARS):
        number += 1
        if len(line) == MAX_LINE_CHARS and not line.endswith("\n"):
            expected = f"a line of fewer than {MAX_LINE_CHARS} characters"
            raise InputFileError(path, f"line {number}", "", shorten(line), expected)
        yield number, line.rstrip("\n")


def shorten(value: object) -> str:
    """A value as an error message shows it: no longer than a person wants to read."""
    text = str(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def _open_counted(path: str | Path, on_read: OnRead | None) -> io.BufferedReader:
    try:
        return io.BufferedReader(_Counted(path, on_read), _BUFFER_BYTES)
    except OSError as error:
        raise InputFileError(path, "open", "", error.strerror, "a readable file") from error


def _unpack(source: io.BufferedReader) -> Any:
    magic = source.peek(len(_XZ_MAGIC))
    if magic.startswith(_GZIP_MAGIC):
        return gzip.GzipFile(fileobj=source, mode="rb")
    if magic.startswith(_XZ_MAGIC):
        return lzma.LZMAFile(source, "rb")
    return source


def _guarded(unpacked: Any, source: IO[bytes], path: str | Path) -> IO[bytes]:
    return io.BufferedReader(_Guarded(unpacked, source, path), _BUFFER_BYTES)


class _Counted(io.FileIO):
    """A file that reports how much of it has been read."""

    def __init__(self, path: str | Path, on_read: OnRead | None) -> None:
        super().__init__(str(path), "rb")
        self._on_read = on_read

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = super().readinto(buffer) or 0
        if self._on_read is not None:
            self._on_read(count)
        return count


class _Guarded(io.RawIOBase):
    """A decompressor whose failures name the file and the offset of the data lost."""

    def __init__(self, unpacked: Any, source: IO[bytes], path: str | Path) -> None:
        self._unpacked = unpacked
        self._source = source
        self._path = path
        self._offset = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        try:
            data = self._unpacked.read(len(view))
        except _UNPACK_ERRORS as error:
            where = f"offset {self._offset}"
            expected = "readable, undamaged data"
            raise InputFileError(self._path, where, "", shorten(error), expected) from error
        view[: len(data)] = data
        self._offset += len(data)
        return len(data)

    def close(self) -> None:
        self._unpacked.close()
        self._source.close()  # gzip, lzma and zipfile leave open what they were given
        super().close()


class _Borrowed(io.RawIOBase):
    """A stream lent to a text wrapper, which would otherwise close it when it is collected."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)
