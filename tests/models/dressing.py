"""Bytes in coats: what archives and compressors make of them, for the tests that look inside."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable

Coat = Callable[[bytes], bytes]


def zipped(content: bytes, compression=zipfile.ZIP_DEFLATED, name="data/weights") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as out:
        out.writestr("readme", b"nothing here")
        out.writestr(name, content)
    return buffer.getvalue()


def tarred(content: bytes, mode="w", tar_format=tarfile.GNU_FORMAT, name="data/weights") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=tar_format) as out:
        for member, data in (("readme", b"nothing here"), (name, content)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


COATS: dict[str, Coat] = {
    "zip": zipped,
    "stored zip": lambda data: zipped(data, zipfile.ZIP_STORED),
    "lzma zip": lambda data: zipped(data, zipfile.ZIP_LZMA),
    "zip behind other bytes": lambda data: b"\x00 a picture " * 9 + zipped(data),
    "tar": tarred,
    "pax tar": lambda data: tarred(data, tar_format=tarfile.PAX_FORMAT, name="é" * 300),
    "long names in tar": lambda data: tarred(data, name="a" * 300),
    "tar.gz": lambda data: tarred(data, "w:gz"),
    "tar.bz2": lambda data: tarred(data, "w:bz2"),
    "tar.xz": lambda data: tarred(data, "w:xz"),
    "gzip": gzip.compress,
    "gzip, second member": lambda data: gzip.compress(b"") + gzip.compress(data),
    "gzip with its end cut off": lambda data: gzip.compress(data)[:-8],
    "bzip2": bz2.compress,
    "bzip2, second stream": lambda data: bz2.compress(b"") + bz2.compress(data),
    "xz": lzma.compress,
    "xz, second stream": lambda data: lzma.compress(b"") + lzma.compress(data),
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
    "zlib, uncompressed": lambda data: zlib.compress(data, 0),
}
