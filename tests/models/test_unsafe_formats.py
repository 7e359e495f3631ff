import bz2
import contextlib
import gzip
import io
import json
import lzma
import pickle
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save as save_safetensors

from caimi.errors.models import CodeExecutingFormat
from caimi.models.files import PackageFile
from caimi.models.package import Package
from caimi.models.unsafe_formats import find_code


class Malicious:
    def __reduce__(self):
        return (print, ("owned",))


def kind_of(name: str, content: bytes) -> str | None:
    found = find_code(PackageFile(name, len(content), content))
    return found.kind if found else None


def joblib_bytes(compress):
    buffer = io.BytesIO()
    joblib.dump({"w": np.zeros(3), "f": Malicious()}, buffer, compress=compress)
    return buffer.getvalue()


def archive(**members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            out.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def torch_legacy() -> bytes:
    """As torch.save wrote before 1.6: pickles one after the other, the magic number first."""
    return pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)


def numpy_bytes(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def lambda_config(kind="Lambda") -> bytes:
    return json.dumps({"config": {"layers": [{"class_name": kind, "config": {}}]}}).encode()


REFUSED = {
    **{f"protocol {p}": pickle.dumps(Malicious(), p) for p in range(6)},
    **{f"data, protocol {p}": pickle.dumps({"w": [1.5] * 9}, p) for p in range(2, 6)},
    "ordered dict of arrays": pickle.dumps(OrderedDict(a=np.zeros(2))),
    "numpy 2, protocol 0": pickle.dumps(np.zeros(3), 0),
    "torch archive": archive(m__data=b"", **{"m/data.pkl": pickle.dumps({}, 2)}),
    "torch archive, renamed member": archive(innocent=pickle.dumps(Malicious(), 2)),
    "archive with a protocol 0 pickle": archive(x=pickle.dumps(Malicious(), 0)),
    "torch legacy": torch_legacy(),
    "joblib": joblib_bytes(0),
    "joblib zlib": joblib_bytes(("zlib", 3)),
    "joblib gzip": joblib_bytes(("gzip", 3)),
    "joblib bz2": joblib_bytes(("bz2", 3)),
    "joblib xz": joblib_bytes(("xz", 3)),
    "joblib lzma": joblib_bytes(("lzma", 3)),
    "compressed long pickle": gzip.compress(pickle.dumps([Malicious()] + [0.5] * 100_000)),
    "npy of objects": numpy_bytes(np.array([Malicious()], dtype=object)),
    "npy of records with objects": numpy_bytes(np.zeros(2, dtype=[("a", "f4"), ("b", "O")])),
    "npz of objects": archive(**{"a.npy": numpy_bytes(np.array([None], dtype=object))}),
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("name", ["weights.bin", "model.safetensors", "README.md"])
def test_pickles_in_every_coat_are_found_whatever_their_name(name, content):
    assert kind_of(name, content) == "pickle"


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zlib.compress])
def test_compressed_pickles_are_found(compress):
    assert kind_of("x", compress(pickle.dumps(Malicious()))) == "pickle"


def test_keras_lambda_layers_are_found():
    assert kind_of("m.keras", archive(**{"config.json": lambda_config()})) == "keras-lambda"
    hdf = b"\x89HDF\r\n\x1a\n" + bytes(2 * 1024 * 1024 - 20) + lambda_config()
    assert kind_of("m.h5", hdf) == "keras-lambda"
    for cut in range(0, 60, 6):
        padded = b"\x89HDF\r\n\x1a\n" + bytes((1 << 20) - 8 - cut) + lambda_config()
        assert kind_of("m.h5", padded) == "keras-lambda"


def test_keras_lambda_layers_are_found_behind_escapes_and_other_bytes():
    escaped = lambda_config().replace(b"class_name", b"class\\u005Fname").replace(b"L", b"\\u004c")
    assert kind_of("m.keras", archive(**{"config.json": escaped})) == "keras-lambda"
    assert kind_of("model/config.json", escaped) == "keras-lambda"
    for start in (512, 4096):
        hdf = bytes(start) + b"\x89HDF\r\n\x1a\n" + lambda_config()
        assert kind_of("m.bin", hdf) == "keras-lambda"


@pytest.mark.parametrize("name", ["saved_model.pb", "dir/Saved_Model.PB", "saved_model.pbtxt"])
def test_tensorflow_graphs_are_found(name):
    assert kind_of(name, b"anything") == "tensorflow-graph"
    renamed = b"\x08\x01\x12" + bytes(50) + b"serving_default"
    assert kind_of("weights.dat", renamed) == "tensorflow-graph"


@pytest.mark.parametrize(
    "content", [b"\x7fELF" + bytes(20), b"MZ" + bytes(20), b"\xcf\xfa\xed\xfe" + bytes(20)]
)
def test_native_programs_are_found(content):
    assert kind_of("weights.bin", content) == "native-code"


@pytest.mark.parametrize("name", ["a.pkl", "A.PT", "x.pth", "x.ckpt", "x.joblib"])
def test_names_that_loaders_unpickle_are_refused_even_when_the_content_is_unclear(name):
    assert kind_of(name, b"??") == "pickle"


WELCOME = {
    "text": b"This is a card.\n",
    "text beginning like an import": b"class Foo\nimport bar\nconda install x\n",
    "text beginning with i": b"in the beginning\nthere was\na word.\n",
    "one dot": b".",
    "json": b'{"a": [1, 2, 3]}',
    "safetensors": save_safetensors({"w": np.zeros((2, 3), np.float32)}),
    "npy": numpy_bytes(np.zeros(3)),
    "npz": archive(**{"a.npy": numpy_bytes(np.zeros(3)), "b.npy": numpy_bytes(np.ones(2))}),
    "archive of text": archive(readme=b"hello\nworld\n" * 10_000),
    "keras without lambda": archive(
        **{"config.json": lambda_config("Dense"), "model.weights.h5": b"\x89HDF\r\n\x1a\n"}
    ),
    "gzip of text": gzip.compress(b"hello " * 1000),
    "broken gzip": b"\x1f\x8b" + bytes(20),
    "letter x": b"x is a letter",
    "empty": b"",
    "zeros": bytes(100_000),
}


@pytest.mark.parametrize("content", WELCOME.values(), ids=WELCOME.keys())
def test_other_files_are_welcome(content):
    assert kind_of("file.bin", content) is None


@pytest.mark.parametrize("size", range(0x0280, 0x0580, 0x40))
def test_a_safetensors_header_as_long_as_a_pickle_magic_is_welcome(size):
    for length in (0x0280, 0x0380, 0x0480, 0x0580, size):
        header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(length)
        assert kind_of("m.safetensors", length.to_bytes(8, "little") + header + bytes(4)) is None


@given(st.binary(max_size=300))
def test_what_unpickles_with_an_import_is_found(content):
    """Whatever bytes Python's own unpickler would act on, we say so."""
    acted = []

    class Watching(pickle.Unpickler):
        def find_class(self, module, name):
            acted.append((module, name))
            raise pickle.UnpicklingError

    with contextlib.suppress(Exception):
        Watching(io.BytesIO(content)).load()
    # An import that is reached by a stream that goes on as a pickle to its end.
    if acted and content.endswith(b"."):
        found = kind_of("x", content)
        assert found is not None or b"." in content[:-1]


@given(st.recursive(st.integers() | st.text() | st.binary(), st.lists, max_leaves=8),
       st.integers(2, 5))  # fmt: skip
def test_every_announced_pickle_is_found(value, protocol):
    assert kind_of("x", pickle.dumps([value], protocol)) == "pickle"


def test_a_package_with_a_pickle_is_refused_with_the_reason(tmp_path):
    (tmp_path / "m.bin").write_bytes(REFUSED["protocol 4"])
    with pytest.raises(CodeExecutingFormat, match=r"'m\.bin'.*pickle") as raised:
        Package.from_path(tmp_path)
    assert "ONNX" in raised.value.next_step


def test_a_permitted_format_is_published_with_a_warning(tmp_path):
    (tmp_path / "m.bin").write_bytes(REFUSED["protocol 4"])
    package = Package.from_path(tmp_path, permit={"pickle"})
    assert [(w.kind, w.path) for w in package.warnings] == [("permitted-code", "m.bin")]
    with pytest.raises(CodeExecutingFormat):
        Package.from_path(tmp_path, permit={"keras-lambda"})


def test_a_permission_for_an_unknown_format_is_refused(tmp_path):
    (tmp_path / "m.bin").write_bytes(b"x")
    with pytest.raises(CodeExecutingFormat, match="no format that can be permitted"):
        Package.from_path(tmp_path, permit={"everything"})


def test_python_source_is_warned_of(tmp_path):
    Path(tmp_path / "modeling.py").write_text("print('hi')\n")
    (warning,) = Package.from_path(tmp_path).warnings
    assert warning.kind == "python-source"
    assert "modeling.py" in str(warning)
