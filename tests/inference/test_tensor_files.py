"""Tensor files: what was written is read, and nothing hostile is unpacked, run or believed."""

import io
import json
import os
import struct
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from caimi.errors.inference import TensorsNotWritten, UnreadableTensors, WrongInput
from caimi.inference import tensor_files
from caimi.inference.tensor_files import parse_json, read_tensors, write_tensors
from caimi.inference.tensors import hash_tensors
from caimi.models.tensor import Tensor

DTYPES = ["bool", "float16", "float32", "float64", "int8", "int64", "uint8", "uint64"]
PLAIN = st.sampled_from(DTYPES).flatmap(
    lambda name: arrays.arrays(
        name,
        arrays.array_shapes(min_dims=0, min_side=0, max_side=4),
        elements=arrays.from_dtype(np.dtype(name), allow_nan=False, allow_infinity=False),
    )
)
X = [Tensor("x", "float32", ("n",))]
per_example = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def spec(name: str, value: np.ndarray) -> Tensor:
    kind = "string" if value.dtype.kind in "OU" else value.dtype.name
    return Tensor(name, kind, value.shape)


def npy(value: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    np.save(file, value, **options)
    return file.getvalue()


def npy_header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text.encode("latin1")


def file_of(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@per_example
@given(value=PLAIN, fortran=st.booleans(), big=st.booleans())
def test_a_npy_file_is_the_only_input(tmp_path, value, fortran, big):
    kept = np.asarray(value, order="F") if fortran else value
    kept = kept.astype(kept.dtype.newbyteorder(">")) if big else kept
    read = read_tensors(file_of(tmp_path, "x.npy", npy(kept)), [spec("x", value)])
    assert hash_tensors(read) == hash_tensors({"x": value})


@per_example
@given(tensors=st.dictionaries(st.sampled_from(["x", "file", "a/b", "é"]), PLAIN, min_size=1))
@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_what_was_written_is_read(tmp_path, tensors, ending):
    if ending == ".json":  # JSON has no shape: lists without elements lose what lies below them
        tensors = {name: value for name, value in tensors.items() if value.size} or {
            "x": np.zeros(1)
        }
    path = tmp_path / f"t{ending}"
    write_tensors(path, tensors)
    read = read_tensors(path, [spec(name, value) for name, value in tensors.items()])
    assert hash_tensors(read) == hash_tensors(tensors)


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_strings_are_written_and_read(tmp_path, ending):
    texts = {"x": np.array(["a", "", "bé\U0001f600"], dtype=object)}
    write_tensors(tmp_path / f"t{ending}", texts)
    read = read_tensors(tmp_path / f"t{ending}", [spec("x", texts["x"])])
    assert hash_tensors(read) == hash_tensors(texts)


def test_numpy_reads_what_is_written(tmp_path):
    write_tensors(tmp_path / "t.npz", {"x": np.arange(3), "t": np.array(["a"], dtype=object)})
    with np.load(tmp_path / "t.npz", allow_pickle=False) as loaded:
        assert loaded["x"].tolist() == [0, 1, 2]
        assert loaded["t"].tolist() == ["a"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("t.txt", np.zeros(1)),
        ("absent/t.npz", np.zeros(1)),
        ("absent/t.json", np.zeros(1)),
        ("t.json", np.array([np.nan])),
        ("t.json", np.array([np.inf])),
        ("t.npz", np.array(["ends\0"], dtype=object)),
    ],
)
def test_what_cannot_be_written_is_a_named_error(tmp_path, name, value):
    with pytest.raises(TensorsNotWritten):
        write_tensors(tmp_path / name, {"x": value})


class Malicious:
    def __reduce__(self):
        return (os.mkdir, ("pickle-was-run",))


def test_pickled_objects_are_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = npy(np.array([Malicious()], dtype=object), allow_pickle=True)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("x.npy", data)
    pickled = npy(np.zeros(1)).replace(b"\x93NUMPY", b"\x80\x04]q")
    for name, content in (("a.npy", data), ("b.npz", archive.getvalue()), ("c.npy", pickled)):
        with pytest.raises(UnreadableTensors):
            read_tensors(file_of(tmp_path, name, content), X)
    assert not (tmp_path / "pickle-was-run").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        npy(np.zeros(4, np.float32))[:-1],
        npy(np.zeros(4, np.float32)) + b"\0",
        npy(np.zeros(1, [("a", "f4"), ("b", "f4")])),
        npy(np.zeros(1, "M8[s]")),
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"),
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1), }") + bytes(4),
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 10**30), }"),
        npy_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': (0, {10**30}), }}"),
        npy_header("{'descr': '<U0', 'fortran_order': False, 'shape': (4,), }"),
        npy_header("(" * 5000),
        npy_header("[" * 9000 + "]" * 900),
        npy_header("__import__('os').mkdir('evil')"),
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", (3, 0)),
        npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", (9, 9)),
    ],
)
def test_a_damaged_npy_file_is_a_named_error(tmp_path, data):
    with pytest.raises(UnreadableTensors):
        read_tensors(file_of(tmp_path, "x.npy", data), X)


@per_example
@given(
    data=st.binary(max_size=200) | st.binary(max_size=120).map(lambda b: b"\x93NUMPY\x01\0v\0" + b)
)
@pytest.mark.parametrize("ending", ["npy", "npz", "json"])
def test_any_bytes_give_tensors_or_a_named_error(tmp_path, ending, data):
    with suppress(UnreadableTensors, WrongInput):
        read_tensors(file_of(tmp_path, f"x.{ending}", data), X)


@per_example
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_in_an_npz_gives_tensors_or_a_named_error(tmp_path, at, bit):
    file = io.BytesIO()
    np.savez_compressed(file, x=np.arange(40, dtype=np.float32))
    data = bytearray(file.getvalue())
    data[at % len(data)] ^= 1 << bit
    with suppress(UnreadableTensors, WrongInput):
        read_tensors(file_of(tmp_path, "x.npz", bytes(data)), X)


def bomb(mebibytes: int, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive, archive.open("x.npy", "w") as member:
        member.write(npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (9,), }"))
        for _ in range(mebibytes):
            member.write(bytes(1 << 20))
    return file.getvalue()


def peak_of_refusing(path: Path) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableTensors):
            read_tensors(path, X)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(tensor_files, "MAX_FILE_BYTES", 8 << 20)
    assert peak_of_refusing(file_of(tmp_path, "x.npz", bomb(64))) < 4 << 20


def test_a_bomb_that_declares_to_be_small_is_unpacked_no_further_than_that(tmp_path):
    data = bomb(64)
    size = struct.pack("<I", zipfile.ZipFile(io.BytesIO(data)).infolist()[0].file_size)
    lying = data.replace(size, struct.pack("<I", 200))
    assert lying != data
    assert peak_of_refusing(file_of(tmp_path, "x.npz", lying)) < 4 << 20


def test_a_bomb_in_a_packing_that_numpy_never_writes_is_refused(tmp_path):
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = file_of(tmp_path, "x.npz", bomb(64, method))
        assert peak_of_refusing(path) < 4 << 20


def test_many_members_are_refused(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(1025):
            archive.writestr(f"{number}.npy", b"")
    with pytest.raises(UnreadableTensors, match="1025 tensors"):
        read_tensors(file_of(tmp_path, "x.npz", file.getvalue()), X)


def test_two_members_of_one_name_are_refused(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", npy(np.zeros(1, np.float32)))
        archive.writestr("x", npy(np.ones(1, np.float32)))
    with pytest.raises(UnreadableTensors, match="one name"):
        read_tensors(file_of(tmp_path, "x.npz", file.getvalue()), X)


def test_an_encrypted_member_is_refused(tmp_path):
    file = io.BytesIO()
    np.savez(file, x=np.zeros(1, np.float32))
    data = file.getvalue()
    for magic, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = data.index(magic) + flags
        data = data[:at] + b"\x01" + data[at + 1 :]
    with pytest.raises(UnreadableTensors):
        read_tensors(file_of(tmp_path, "x.npz", data), X)


def test_a_file_over_the_bound_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tensor_files, "MAX_FILE_BYTES", 100)
    path = file_of(tmp_path, "x.npy", npy(np.zeros(100, np.float32)))
    with pytest.raises(UnreadableTensors, match="more than 100 bytes"):
        read_tensors(path, X)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    for name in ("absent.npy", "pipe.npy", "."):
        with pytest.raises(UnreadableTensors):
            read_tensors(tmp_path / name, X)
    with pytest.raises(UnreadableTensors):
        read_tensors(Path("/dev/zero"), X)


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(UnreadableTensors, match="neither"):
        read_tensors(file_of(tmp_path, "x.csv", b"1,2,3"), X)


def test_a_list_needs_names_where_there_are_two_inputs():
    two = [Tensor("a", "float32", ("n",)), Tensor("b", "float32", ("n",))]
    with pytest.raises(WrongInput, match="a, b"):
        parse_json(b"[1, 2]", two)
    assert list(parse_json(b'{"b": [1], "a": [2]}', two)) == ["a", "b"]


def test_numbers_take_the_declared_type():
    assert parse_json(b"[1, 2]", X)["x"].dtype == np.float32
    assert parse_json(b"[true, false]", [Tensor("x", "bool", (2,))])["x"].dtype == np.bool_
    assert parse_json(b"[]", [Tensor("x", "int8", ("n",))])["x"].dtype == np.int8
    big = 2**64 - 1
    assert parse_json(b"[%d]" % big, [Tensor("x", "uint64", (1,))])["x"] == big


@pytest.mark.parametrize(
    "text",
    ["", "{", '"x"', "1", "null", "[NaN]", "[Infinity]", "[-Infinity]", "[" * 100_000, "\ud800",
     "[" + "9" * 5000 + "]"],
)  # fmt: skip
def test_what_is_no_json_of_lists_is_unreadable(text):
    with pytest.raises(UnreadableTensors):
        parse_json(text.encode("utf-8", "surrogatepass"), X)


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("[1e999]", "float32"), ("[1e39]", "float32"), ("[1e5]", "float16"),
        ("[300]", "uint8"), ("[-1]", "uint8"), ("[18446744073709551616]", "uint64"),
        ("[1.5]", "int64"), ("[1.0]", "int64"), ("[true]", "int64"), ("[true]", "float32"),
        ("[1]", "bool"), ('["1"]', "float32"), ('["1"]', "int64"), ("[null]", "float32"),
        ("[{}]", "float32"), ("[[1], [2, 3]]", "float32"), ("[1, [2]]", "float32"),
        ("[" * 70 + "1" + "]" * 70, "float32"),
        ("[1]", "string"), ("[null]", "string"), ('[["a"], ["b", "c"]]', "string"),
        ('["\\ud800"]', "string"), ("[1]", "bfloat16"), ("[1]", "sequence"), ("[1]", "int4"),
    ],
)  # fmt: skip
def test_a_number_that_does_not_fit_its_type_is_refused(text, dtype):
    with pytest.raises(WrongInput, match="'x'"):
        parse_json(text.encode(), [Tensor("x", dtype, ("n",))])


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
))  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "int8", "bool", "string"])
def test_any_json_gives_tensors_or_a_named_error(dtype, document):
    with suppress(UnreadableTensors, WrongInput):
        parse_json(json.dumps(document).encode(), [Tensor("x", dtype, None)])
