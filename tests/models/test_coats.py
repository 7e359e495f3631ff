import functools
import gzip
import io
import json
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from dressing import COATS, tarred, zipped
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as save_safetensors

from caimi.models import coats
from caimi.models.files import PackageFile
from caimi.models.unsafe_formats import find_code


class Malicious:
    def __reduce__(self):
        return (print, ("owned",))


def kind_of(content: bytes, name: str = "weights.bin") -> str | None:
    found = find_code(PackageFile(name, len(content), content))
    return found.kind if found else None


def objects() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Malicious()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


HARMFUL = {
    **{f"protocol {p}": pickle.dumps(Malicious(), p) for p in range(6)},
    "npy of objects": objects(),
    "two pickles": pickle.dumps(1, 0) + pickle.dumps(Malicious(), 0),
    "a program": b"\x7fELF" + bytes(60),
}
HARMLESS = {
    "text": b"This is a card.\n" * 20,
    "words": b"".join(b"%s\nthe\ncat\n" % word for word in (b"cos", b"in", b"(as", b"Read")),
    "json": json.dumps({"class_name": "Dense", "weights": [0.5] * 40}).encode(),
    "safetensors": save_safetensors({"w": np.linspace(-1, 1, 500, dtype=np.float32)}),
    "weights": np.random.default_rng(7).normal(size=5000).astype(np.float32).tobytes(),
    "bytes": np.random.default_rng(8).integers(0, 256, 20_000, np.uint8).tobytes(),
    "nothing": b"",
}
worn = st.lists(st.sampled_from(sorted(COATS)), max_size=4)


def dress(content: bytes, names: list[str]) -> bytes:
    return functools.reduce(lambda data, name: COATS[name](data), names, content)


@pytest.mark.parametrize("coat", COATS)
@pytest.mark.parametrize("content", HARMFUL)
def test_one_coat_hides_nothing(coat, content):
    assert kind_of(dress(HARMFUL[content], [coat])) in {"pickle", "native-code"}


@settings(max_examples=60)
@given(st.sampled_from(sorted(HARMFUL)), worn)
def test_whatever_coats_it_wears_it_is_found(content, names):
    assert kind_of(dress(HARMFUL[content], names)) in {"pickle", "native-code"}


@settings(max_examples=60)
@given(st.sampled_from(sorted(HARMLESS)), worn)
def test_harmless_files_are_welcome_in_every_coat(content, names):
    assert kind_of(dress(HARMLESS[content], names)) is None


@pytest.mark.parametrize("coat", COATS)
def test_more_coats_than_anybody_needs_are_refused(coat):
    assert kind_of(dress(HARMLESS["text"], [coat] * 3)) is None
    assert kind_of(dress(HARMLESS["text"], [coat] * (coats.MAX_DEPTH + 1))) == "archive"


@pytest.mark.parametrize("coat", ["gzip", "bzip2", "xz", "zlib", "zip", "tar.gz"])
def test_what_unpacks_to_too_much_is_refused(coat, monkeypatch):
    monkeypatch.setattr(coats, "_BASE_BYTES", 1 << 20)
    assert kind_of(dress(bytes(1 << 19), [coat])) is None
    assert kind_of(dress(bytes(2 << 20), [coat])) == "archive"


def test_what_multiplies_by_its_depth_is_refused(monkeypatch):
    monkeypatch.setattr(coats, "_BASE_BYTES", 1 << 20)
    ten = zipped(bytes(40_000))
    for _ in range(2):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as out:
            for number in range(10):
                out.writestr(str(number), ten)
        ten = buffer.getvalue()
    assert kind_of(gzip.compress(ten)) == "archive"


def test_too_many_members_are_refused(monkeypatch):
    monkeypatch.setattr(coats, "MAX_MEMBERS", 3)
    assert kind_of(tarred(tarred(b"x"))) == "archive"
    assert kind_of(tarred(b"x")) is None


def test_a_header_that_would_be_read_whole_is_refused():
    """A long name of a gigabyte costs its sender little, and a reader a gigabyte of memory."""
    for size, found in ((1 << 10, None), (2 << 20, "archive")):
        header = tarfile.TarInfo("././@LongLink")
        header.type, header.size = tarfile.GNUTYPE_LONGNAME, size
        assert kind_of(header.tobuf(tarfile.GNU_FORMAT) + b"a" * size + tarred(b"x")) == found


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04" + bytes(100),
        zipped(b"x")[:-10],
        tarred(b"x" * 5000)[:1700],
        zipped(b"x").replace(b"\x08\x00", b"\x63\x00"),
    ],
    ids=["no archive", "cut off", "cut tar", "unknown compression"],
)
def test_archives_that_cannot_be_read_are_refused(content):
    assert kind_of(content) == "archive"


def test_an_encrypted_member_is_refused():
    packed = bytearray(zipped(b"secret", zipfile.ZIP_STORED))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = packed.find(mark)
        while at >= 0:
            packed[at + flags] |= 1
            at = packed.find(mark, at + 1)
    assert kind_of(bytes(packed)) == "archive"


@pytest.mark.parametrize("magic", [magic for magic, _ in coats._CLOSED])
def test_archives_that_are_not_looked_into_are_refused(magic):
    assert kind_of(magic + os.urandom(50), "README.md") == "archive"
    assert kind_of(zipped(magic + bytes(50))) == "archive"


@pytest.mark.parametrize("name", ["a.7z", "A.RAR", "x/model.zst", "w.lz4", "w.br"])
def test_and_so_are_their_names(name):
    assert kind_of(b"??", name) == "archive"


@given(st.binary(min_size=1, max_size=400))
def test_damage_is_refused_or_welcome_and_never_an_accident(noise):
    for coat in ("zip", "tar", "gzip", "xz", "bzip2", "zlib"):
        packed = bytearray(dress(HARMLESS["text"], [coat]))
        at = int.from_bytes(noise[:2], "big") % len(packed)
        packed[at : at + len(noise) // 8 + 1] = noise[: len(noise) // 8 + 1]
        assert kind_of(bytes(packed)) in {None, "archive", "pickle"}
