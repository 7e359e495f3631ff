"""What files travel in: compressed streams and archives, taken off one by one and within bounds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final, Self, cast

MAX_DEPTH: Final = 8
MAX_MEMBERS: Final = 20_000
_BASE_BYTES: Final = 64 * 1024 * 1024
_TIMES: Final = 16
_IN_MEMORY: Final = 8 * 1024 * 1024
_BLOCK: Final = 1024 * 1024
_HEADER_BYTES: Final = 1024 * 1024
_READ_WHOLE: Final = frozenset(
    {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.SOLARIS_XHDTYPE}
    | {tarfile.XHDTYPE, tarfile.XGLTYPE}
)

_CLOSED: Final = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard"),
    (b"\x04\x22\x4d\x18", "compressed with LZ4"),
    (b"\x02\x21\x4c\x18", "compressed with LZ4"),
    (b"\x1f\x9d", "compressed with compress"),
    (b"\x1f\xa0", "compressed with compress"),
    (b"LZIP", "compressed with lzip"),
    (b"\x89LZO\x00", "compressed with lzop"),
    (b"\xff\x06\x00\x00sNaPpY", "compressed with Snappy"),
    (b"MSCF\x00\x00", "a cabinet file"),
    (b"xar!", "a xar archive"),
    (b"070701", "a cpio archive"),
    (b"070702", "a cpio archive"),
    (b"070707", "a cpio archive"),
    (b"hsqs", "a file system image"),
)
_CLOSED_NAMES: Final = (".7z", ".rar", ".zst", ".lz4", ".br", ".lz", ".lzo", ".cab", ".cpio")
_CLOSED_NAMES_TEXT: Final = "an archive of a kind that is not looked into"
_DAMAGED: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    OverflowError,
    IndexError,
)


class CannotLookInto(Exception):
    """There is something inside that cannot be seen, or more of it than we look at."""


class UnpackingAllowance:
    """How much of one file may still be unpacked, all coats together."""

    def __init__(self, size: int) -> None:
        self._bytes = self._all = _BASE_BYTES + _TIMES * size
        self._members = MAX_MEMBERS

    def take(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise CannotLookInto(f"it unpacks to over {self._all} bytes")

    def take_member(self) -> None:
        self._members -= 1
        if self._members < 0:
            raise CannotLookInto(f"it is an archive of over {MAX_MEMBERS} members")


def closed_kind(path: str, head: bytes) -> str | None:
    """Give what a file is, when it is an archive that is not looked into."""
    for magic, kind in _CLOSED:
        if head.startswith(magic):
            return kind
    return _CLOSED_NAMES_TEXT if path.lower().endswith(_CLOSED_NAMES) else None


def inside(
    stream: IO[bytes], head: bytes, allowance: UnpackingAllowance
) -> Iterator[tuple[str, IO[bytes]]]:
    """Give the names and bytes of what is directly inside; each lives until the next is asked for.

    Raises:
        CannotLookInto: it is damaged, encrypted, or larger than is allowed.
    """
    for opened in (_unzip, _untar, _decompress):
        stream.seek(0)
        yield from opened(stream, head, allowance)


def _unzip(
    stream: IO[bytes], head: bytes, allowance: UnpackingAllowance
) -> Iterator[tuple[str, IO[bytes]]]:
    announced = head.startswith(b"PK\x03\x04")
    if not announced and not zipfile.is_zipfile(stream):
        return
    try:
        archive = zipfile.ZipFile(stream)
    except _DAMAGED as error:
        if announced:
            raise _unreadable(error) from error
        return  # Something looks like an archive's end by chance; no loader opens it.
    with archive:
        for member in archive.infolist():
            allowance.take_member()
            try:
                with archive.open(member) as packed:
                    content = _unpack(cast("io.BufferedIOBase", packed), allowance)
            except _DAMAGED as error:
                raise _unreadable(error) from error
            with content:
                yield member.filename, content


class _BoundedHeader(tarfile.TarInfo):
    """A member whose long names and extended headers, which are read whole, are bounded."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        if found.size < 0 or (found.type in _READ_WHOLE and found.size > _HEADER_BYTES):
            raise tarfile.ReadError("a header is too long")
        return found


def _untar(
    stream: IO[bytes], head: bytes, allowance: UnpackingAllowance
) -> Iterator[tuple[str, IO[bytes]]]:
    try:
        # By its checksum, signed or not, as `tarfile` itself goes by.
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return
    try:
        with tarfile.open(fileobj=stream, mode="r:", tarinfo=_BoundedHeader) as archive:
            while (member := archive.next()) is not None:
                allowance.take_member()
                if member.isreg() or member.type not in tarfile.SUPPORTED_TYPES:
                    packed = archive.extractfile(member)
                    with _unpack(cast("io.BufferedIOBase", packed), allowance) as content:
                        yield member.name, content
    except _DAMAGED as error:
        raise _unreadable(error) from error


def _decompress(
    stream: IO[bytes], head: bytes, allowance: UnpackingAllowance
) -> Iterator[tuple[str, IO[bytes]]]:
    """Take off a compressing coat, as far as it comes off: loaders begin before they see an end."""
    if head.startswith(b"\x1f\x8b"):
        coat: io.BufferedIOBase = gzip.GzipFile(fileobj=stream, mode="rb")
    elif head.startswith(b"BZh"):
        coat = bz2.BZ2File(stream)
    elif head.startswith((b"\xfd7zXZ\x00", b"]\x00")):
        coat = lzma.LZMAFile(stream)  # noqa: SIM115 - closed below
    elif head[:1] and head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0:
        coat = io.BufferedReader(_Deflated(stream))
    else:
        return
    with coat, _unpack(coat, allowance, _DAMAGED) as content:
        yield "", content


class _Deflated(io.RawIOBase):
    """A zlib stream, as joblib writes them."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._inflate = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._stream.read(_BLOCK)
            data = self._inflate.decompress(packed, len(buffer))
            if data or not packed:
                buffer[: len(data)] = data
                return len(data)
        return 0


def _unpack(
    packed: io.BufferedIOBase,
    allowance: UnpackingAllowance,
    forgiven: tuple[type[Exception], ...] = (),
) -> IO[bytes]:
    """Copy what a coat gives to a temporary file, up to its end or to damage that is forgiven."""
    content = cast("IO[bytes]", tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115
    try:
        while data := _read(packed, forgiven):
            allowance.take(len(data))
            content.write(data)
    except BaseException:
        content.close()
        raise
    content.seek(0)
    return content


def _read(packed: io.BufferedIOBase, forgiven: tuple[type[Exception], ...]) -> bytes:
    try:
        return packed.read1(_BLOCK)
    except forgiven:
        return b""


def _unreadable(error: Exception) -> CannotLookInto:
    return CannotLookInto(f"it is an archive that cannot be read: {str(error)[:200]}")
