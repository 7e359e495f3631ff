import os
import socket
import struct

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save as save_safetensors
from sealed_world import write_files
from sklearn.cluster import OPTICS
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from caimi.errors.models import (
    EmptyPackage,
    InvalidModel,
    PackageTooLarge,
    UnreadablePackage,
    UnsafeFile,
    UnsafePath,
    UnsupportedEstimator,
)
from caimi.models.package import Package
from caimi.models.tensor import Tensor


def onnx_model(weights=None, *, name="W", shape=("N", 3)):
    weights = np.ones((3, 2), np.float32) if weights is None else weights
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["X", name], ["Y"])],
        "g",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(weights, name)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def with_external(location, **entries):
    model = onnx_model()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return model.SerializeToString()


# -- directories


def test_a_directory_is_listed_by_path(tmp_path):
    files = {"b/c": b"1", "a": b"22", ".hidden": b"", "b-1": b"333"}
    package = Package.from_path(write_files(tmp_path, files), include=[".hidden"])
    assert [(f.path, f.size) for f in package.files] == sorted(
        (p, len(c)) for p, c in files.items()
    )
    assert package.framework == "opaque"
    assert package.total_bytes == 6


def test_one_file_is_a_package(tmp_path):
    (tmp_path / "weights.bin").write_bytes(b"w")
    package = Package.from_path(tmp_path / "weights.bin")
    assert [f.path for f in package.files] == ["weights.bin"]


def test_git_files_at_the_root_are_left_out_with_a_warning(tmp_path):
    write_files(tmp_path, {".git/config": b"", ".gitattributes": b"", "w": b""})
    package = Package.from_path(tmp_path)
    assert [f.path for f in package.files] == ["w"]
    assert {(w.kind, w.path) for w in package.warnings} == {
        ("left-out", ".git"),
        ("left-out", ".gitattributes"),
    }


def test_a_git_directory_further_down_is_left_out_and_cannot_be_included(tmp_path):
    write_files(tmp_path, {"sub/.git/config": b"", "w": b""})
    assert [f.path for f in Package.from_path(tmp_path).files] == ["w"]
    with pytest.raises(UnsafePath):
        Package.from_path(tmp_path, include=["sub/.git"])


@pytest.mark.parametrize("where", ["itself", "file", "directory", "dangling", "deep"])
def test_symbolic_links_are_refused(tmp_path, where):
    write_files(tmp_path / "secret", {"s": b"secret"})
    root = write_files(tmp_path / "package", {"w": b"w", "d/x": b""})
    if where == "itself":
        (tmp_path / "link").symlink_to(root)
        root = tmp_path / "link"
    elif where == "file":
        (root / "l").symlink_to(tmp_path / "secret" / "s")
    elif where == "directory":
        (root / "l").symlink_to(tmp_path / "secret")
    elif where == "dangling":
        (root / "l").symlink_to("nowhere")
    else:
        (root / "d" / "l").symlink_to("../w")
    with pytest.raises(UnsafeFile):
        Package.from_path(root)


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_special_files_are_refused_without_waiting(tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if kind == "fifo":
        os.mkfifo("x")
    else:
        socket.socket(socket.AF_UNIX).bind("x")
    with pytest.raises(UnsafeFile):
        Package.from_path(tmp_path)
    with pytest.raises(UnsafeFile):
        Package.from_path(tmp_path / "x")


@pytest.mark.parametrize("name", [b"a\\b", b"c:x", b"a\nb", b"\xff\xfe", b"nul", b"end."])
def test_names_that_are_not_portable_are_refused(tmp_path, name):
    os.close(os.open(os.fsencode(tmp_path) + b"/" + name, os.O_CREAT))
    with pytest.raises(UnsafePath):
        Package.from_path(tmp_path)


def test_names_that_differ_only_in_case_are_refused(tmp_path):
    write_files(tmp_path, {"Model": b"", "model": b""})
    with pytest.raises(UnsafePath):
        Package.from_path(tmp_path)


def test_an_empty_directory_is_refused(tmp_path):
    (tmp_path / "sub").mkdir()
    with pytest.raises(EmptyPackage):
        Package.from_path(tmp_path)


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(UnreadablePackage):
        Package.from_path(tmp_path / "nowhere")


def test_too_deep_a_directory_is_refused(tmp_path):
    write_files(tmp_path, {"/".join("d" * 33) + "/x": b""})
    with pytest.raises((PackageTooLarge, UnsafePath)):
        Package.from_path(tmp_path)


def test_too_many_files_are_refused(tmp_path):
    for index in range(10_001):
        os.close(os.open(tmp_path / str(index), os.O_CREAT))
    with pytest.raises(PackageTooLarge):
        Package.from_path(tmp_path)


# -- ONNX


def test_an_onnx_signature_is_read_with_symbols(tmp_path):
    onnx.save(onnx_model(), tmp_path / "m.onnx")
    package = Package.from_path(tmp_path)
    assert package.framework == "onnx"
    assert package.inputs == (Tensor("X", "float32", ("N", 3)),)
    assert package.outputs == (Tensor("Y", "float32", ("?", 2)),)
    assert package.warnings == ()


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x08\x08" * 10])
def test_a_damaged_onnx_file_is_refused(tmp_path, content):
    write_files(tmp_path, {"m.onnx": content})
    with pytest.raises(InvalidModel):
        Package.from_path(tmp_path)


def test_a_truncated_onnx_file_is_refused(tmp_path):
    write_files(tmp_path, {"m.onnx": onnx_model().SerializeToString()[:-20]})
    with pytest.raises(InvalidModel):
        Package.from_path(tmp_path)


def test_weights_with_more_values_than_their_shape_are_refused(tmp_path):
    model = onnx_model()
    model.graph.initializer.append(helper.make_tensor("v", TensorProto.FLOAT, [4], [1.0] * 4))
    model.graph.initializer[-1].dims[0] = 2
    write_files(tmp_path, {"m.onnx": model.SerializeToString()})
    with pytest.raises(InvalidModel):
        Package.from_path(tmp_path)


def test_a_graph_that_onnx_refuses_is_refused(tmp_path):
    model = onnx_model()
    model.graph.node[0].input[1] = "unknown"
    write_files(tmp_path, {"m.onnx": model.SerializeToString()})
    with pytest.raises(InvalidModel, match="fails ONNX's checks"):
        Package.from_path(tmp_path)


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "a/../../secret", "", "d\\x", "C:/x"]
)
def test_external_weights_outside_the_package_are_refused(tmp_path, location):
    (tmp_path / "secret").write_bytes(bytes(24))
    root = write_files(tmp_path / "p", {"m.onnx": with_external(location)})
    with pytest.raises(UnsafePath, match="outside the package"):
        Package.from_path(root)


@pytest.mark.parametrize(
    ("entries", "size"),
    [({}, None), ({"offset": 1, "length": 24}, 24), ({"length": 25}, 24), ({"offset": -8}, 24),
     ({"offset": "x"}, 24), ({"offset": 100}, 24)],
)  # fmt: skip
def test_external_weights_that_are_missing_or_too_short_are_refused(tmp_path, entries, size):
    write_files(tmp_path, {"d/m.onnx": with_external("w.bin", **entries)})
    if size is not None:
        write_files(tmp_path, {"d/w.bin": bytes(size)})
    with pytest.raises(InvalidModel):
        Package.from_path(tmp_path)


def test_external_weights_beside_the_model_are_looked_at(tmp_path):
    weights = np.ones(6, np.float32)
    write_files(tmp_path, {"d/m.onnx": with_external("w.bin"), "d/w.bin": weights.tobytes()})
    assert Package.from_path(tmp_path).warnings == ()
    weights[4] = np.nan
    write_files(tmp_path, {"d/w.bin": weights.tobytes()})
    (warning,) = Package.from_path(tmp_path).warnings
    assert (warning.kind, warning.path) == ("non-finite-weights", "d/m.onnx")
    assert "1 of 6" in warning.message


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_weights_that_are_not_finite_are_warned_of(tmp_path, bad, dtype):
    weights = np.full((3, 2), bad, dtype)
    model = onnx_model(weights.astype(np.float32))
    model.graph.initializer.append(numpy_helper.from_array(weights, "unused"))
    onnx.save(model, tmp_path / "m.onnx")
    warnings = Package.from_path(tmp_path).warnings
    assert [w.kind for w in warnings] == ["non-finite-weights"] * 2
    assert "6 of 6" in warnings[1].message


def test_weights_stored_as_numbers_instead_of_bytes_are_looked_at(tmp_path):
    model = onnx_model()
    model.graph.initializer.append(
        helper.make_tensor("unused", TensorProto.FLOAT, [2], [1.0, float("nan")])
    )
    onnx.save(model, tmp_path / "m.onnx")
    assert [w.kind for w in Package.from_path(tmp_path).warnings] == ["non-finite-weights"]


def test_weights_inside_a_subgraph_are_looked_at(tmp_path):
    bad = numpy_helper.from_array(np.array([np.inf], np.float32), "c")
    constant = helper.make_node("Constant", [], ["z"], value=bad)
    body = helper.make_graph(
        [constant], "b", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1])]
    )
    model = onnx_model()
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node.append(
        helper.make_node("If", ["yes"], ["Z"], then_branch=body, else_branch=body)
    )
    onnx.save(model, tmp_path / "m.onnx")
    assert {w.kind for w in Package.from_path(tmp_path).warnings} == {"non-finite-weights"}


# -- safetensors


def bfloat16_file(values) -> bytes:
    data = b"".join(struct.pack("<f", v)[2:] for v in values)
    header = b'{"w":{"dtype":"BF16","shape":[%d],"data_offsets":[0,%d]}}' % (len(values), len(data))
    return struct.pack("<Q", len(header)) + header + data


@pytest.mark.parametrize(
    ("content", "warned"),
    [
        (save_safetensors({"w": np.ones(4, np.float32), "i": np.arange(3)}), False),
        (save_safetensors({"w": np.array([1, np.inf], np.float16)}), True),
        (save_safetensors({"v": np.ones(4), "w": np.array([np.nan])}, {"k": "v"}), True),
        (save_safetensors({"w": np.zeros((0, 3), np.float32)}), False),
        (bfloat16_file([1.0, -2.5, 3e38]), False),
        (bfloat16_file([1.0, float("nan")]), True),
        (bfloat16_file([float("-inf")]), True),
    ],
)
def test_safetensors_weights_are_looked_at(tmp_path, content, warned):
    write_files(tmp_path, {"m.safetensors": content})
    package = Package.from_path(tmp_path)
    assert package.framework == "safetensors"
    assert [w.kind for w in package.warnings] == ["non-finite-weights"] * warned


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 2) + b"{]",
        save_safetensors({"w": np.ones(4)})[:-1],
        save_safetensors({"w": np.ones(4)}) + b"x",
    ],
)
def test_a_damaged_safetensors_file_is_refused(tmp_path, content):
    write_files(tmp_path, {"m.safetensors": content})
    with pytest.raises(InvalidModel):
        Package.from_path(tmp_path)


# -- scikit-learn


def test_a_classifier_becomes_an_onnx_package():
    features = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    labels = (features[:, 0] > 0).astype(int)
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, labels)
    package = Package.from_sklearn(estimator, features)
    assert package.framework == "onnx"
    assert package.inputs == (Tensor("X", "float32", ("?", 3)),)
    assert [(t.name, t.dtype) for t in package.outputs] == [
        ("label", "int64"),
        ("probabilities", "float32"),
    ]
    (file,) = package.files
    assert file.path == "model.onnx"
    with file.open() as content:
        onnx.checker.check_model(content.read())


def test_a_regressor_becomes_an_onnx_package():
    estimator = LinearRegression().fit(np.eye(3), [1.0, 2.0, 3.0])
    package = Package.from_sklearn(estimator, np.eye(3))
    assert package.inputs == (Tensor("X", "float64", ("?", 3)),)


@pytest.mark.parametrize("estimator", [LogisticRegression(), OPTICS(), object()])
def test_what_cannot_be_converted_is_refused_by_name(estimator):
    with pytest.raises(UnsupportedEstimator, match=type(estimator).__name__):
        Package.from_sklearn(estimator, np.eye(3))
