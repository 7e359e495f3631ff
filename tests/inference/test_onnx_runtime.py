import ast
import signal
from pathlib import Path

import pytest
from confined_child import run_without_network

ROOT = Path(__file__).resolve().parents[2]
GUARD = ROOT / "src/caimi/inference/onnx_runtime.py"

RUN_A_MODEL = """
import time
import numpy as np
from onnx import helper
from caimi.inference.onnx_runtime import ort

value = [helper.make_tensor_value_info(name, 1, [2]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
opset = helper.make_opsetid("", 17)
model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
session = ort.InferenceSession(model.SerializeToString())
print(session.run(None, {"x": np.array([1, -1], np.float32)}))
try:
    ort.InferenceSession(b"no model")
except Exception as error:
    print(type(error).__name__)
# What it has to tell goes out nine seconds after it was loaded.
time.sleep(12)
"""


def test_a_model_runs_without_a_trace_and_without_a_look_up(tmp_path):
    status, output, left = run_without_network(RUN_A_MODEL, tmp_path)
    assert status == 0, output
    assert "array([1., 0.]" in output
    assert "InvalidProtobuf" in output
    assert left == set()


@pytest.mark.parametrize(
    "call",
    [
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.getaddrinfo('example.org', 80)",
        "threading.Thread(target=socket.getaddrinfo, args=('example.org', 80)).start()",
    ],
)
def test_such_a_child_that_reaches_for_anybody_dies(call, tmp_path):
    status, _, _ = run_without_network(f"import socket, threading\n{call}", tmp_path)
    assert status == -signal.SIGSYS


def test_nothing_else_imports_onnx_runtime():
    sources = [path for part in ("src", "tests", "bench") for path in (ROOT / part).rglob("*.py")]
    assert GUARD in sources
    importing = {
        path.relative_to(ROOT)
        for path in sources
        if "node_modules" not in path.parts and _imports_it(path.read_text())
    }
    assert importing == {GUARD.relative_to(ROOT)}


def _imports_it(source: str) -> bool:
    if "onnxruntime" not in source:
        return False
    return any(
        name.partition(".")[0] == "onnxruntime"
        for node in ast.walk(ast.parse(source))
        for name in _names(node)
    )


def _names(node: ast.AST) -> list[str]:
    """Give the modules that a statement imports, or that a call may import by name."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom(module=str(module)):
            return [module]
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)):
            wanted = called in {"import_module", "__import__", "importorskip", "find_spec"}
            given = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            return [name for name in given if wanted and isinstance(name, str)]
    return []


@pytest.mark.parametrize(
    "source",
    [
        "import onnxruntime",
        "def f():\n    import onnxruntime as ort",
        "from onnxruntime.capi import onnxruntime_pybind11_state",
        "import importlib\nimportlib.import_module('onnxruntime')",
        "pytest.importorskip('onnxruntime')",
    ],
)
def test_every_way_of_importing_it_is_noticed(source):
    assert _imports_it(source)


@pytest.mark.parametrize("source", ["'onnxruntime'", "from caimi.inference.onnx_runtime import x"])
def test_naming_it_is_no_import(source):
    assert not _imports_it(source)
