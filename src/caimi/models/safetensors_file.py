"""safetensors files: the header checked, the weights looked at.

Format: an unsigned 64-bit little-endian header length, that many bytes of JSON (tensor names to
dtype, shape and offsets), then the data. The reference reader does the checking.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Final

from safetensors import SafetensorError, safe_open

from caimi.errors.models import InvalidModel
from caimi.json_text import read_json
from caimi.models.files import PackageFile
from caimi.models.weights import NonFinite, non_finite
from caimi.storage.cid import Octets

_DTYPES: Final = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}


def check_safetensors(file: PackageFile) -> list[NonFinite]:
    """Check a safetensors file; give its tensors with NaN or infinite values.

    Raises:
        InvalidModel: the file does not follow the format.
        SourceChanged: the file is gone or has changed.
    """
    if not file.size:
        raise InvalidModel(f"{file.path!r} is empty.")
    try:
        with safe_open(str(file.content), framework="numpy"):
            pass
    except (SafetensorError, OSError, ValueError) as error:
        raise InvalidModel(f"{file.path!r} is no safetensors file: {error}") from error
    with (
        file.open() as raw,
        mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data,
        memoryview(data) as view,
    ):
        return list(non_finite(_tensors(view)))


def _tensors(view: memoryview) -> Iterator[tuple[str, str, Octets]]:
    length = int.from_bytes(view[:8], "little")
    header = read_json(bytes(view[8 : 8 + length]))
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] in _DTYPES:
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            with view[start:end] as data:
                yield name, _DTYPES[entry["dtype"]], data
