"""What fails in our own code is a fault of ours, and never a refusal."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from emx_onnx_cgen.errors import UnsupportedOpError
from emx_onnx_cgen.ir.model import Node
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper

from caimi.errors.inference import CompilerFault, ModelNotRunnable
from caimi.inference.wasm.compiling import compiler, emitter, graph
from caimi.inference.wasm.compiling.compiler import translate
from caimi.inference.wasm.compiling.fresh_names import FreshNames
from caimi.inference.wasm.compiling.operators.lowering import _Watched
from inference import onnx_models as models
from onnx_conformance.judge import WRONG, judge

OURS = (AttributeError, KeyError, IndexError, TypeError, AssertionError, ValueError, RuntimeError,
        ZeroDivisionError, UnicodeDecodeError)  # fmt: skip
PLACES = ((emitter, "kernel_calls"), (compiler, "fold"), (compiler, "decompose"),
          (compiler, "detach_weights"), (graph, "rewrite"))  # fmt: skip
TOGETHER = [*((*PLACES[0], kind) for kind in OURS), *((*place, ValueError) for place in PLACES[1:])]


def failing(kind: type[Exception]) -> Any:
    def fail(*_: object, **__: object) -> None:
        if kind is UnicodeDecodeError:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")
        raise kind("op.output")

    return fail


@pytest.mark.parametrize(("module", "name", "kind"), TOGETHER)
def test_an_exception_of_our_own_is_no_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, kind: type[Exception]
) -> None:
    file = models.saved(tmp_path, models.perceptron())
    monkeypatch.setattr(module, name, failing(kind))
    with pytest.raises(CompilerFault, match=kind.__name__):
        translate(file)


def test_the_node_tests_count_a_fault_of_ours_as_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emitter, "kernel_calls", failing(AttributeError))
    given = [np.zeros((2, 4), np.float32)]
    case = SimpleNamespace(name="test", model=models.perceptron(), data_sets=[(given, [])])
    assert judge(case).what == WRONG


def test_an_attribute_that_a_lowering_passes_over_is_refused() -> None:
    node = Node("Softmax", "n", ("x",), ("y",), {"axis": 1})
    reads, ignores = _Watched(lambda _, node: node.attrs["axis"]), _Watched(lambda *_: 5)
    assert reads(None, node) == 1
    with pytest.raises(UnsupportedOpError, match="Softmax with axis"):
        ignores(None, node)


def test_an_attribute_of_its_default_value_may_be_passed_over() -> None:
    node = Node("Softmax", "n", ("x",), ("y",), {"axis": -1})
    assert _Watched(lambda *_: 5)(None, node) == 5


def test_a_tensor_whose_elements_do_not_fit_its_sizes_is_refused(tmp_path: Path) -> None:
    model = models.perceptron()
    model.graph.initializer[0].dims[0] -= 1
    with pytest.raises(ModelNotRunnable, match="do not fit"):
        translate(models.saved(tmp_path, model))


def test_a_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    model = models.perceptron()
    model.graph.node[0].attribute.append(helper.make_attribute("note", b"\xff"))
    with pytest.raises(ModelNotRunnable):
        translate(models.saved(tmp_path, model))


@given(st.lists(st.text(max_size=3), max_size=6), st.lists(st.text(max_size=3), max_size=6))
def test_a_fresh_name_is_no_name_of_the_graph_and_given_once(
    taken: list[str], wishes: list[str]
) -> None:
    model = ModelProto()
    for place, name in enumerate(taken):
        owner = (model.graph.input, model.graph.output, model.graph.value_info)[place % 3]
        owner.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, []))
    model.graph.node.append(helper.make_node("Add", taken, [f"{name}.1" for name in taken]))
    names = FreshNames(model)
    given_out = [names.fresh(wish) for wish in wishes]
    assert len(set(given_out)) == len(given_out)
    assert set(given_out).isdisjoint({*taken, *(f"{name}.1" for name in taken)})
    prefix = FreshNames(model).free_prefix("a")
    assert not any(name.startswith(f"{prefix}.") for name in taken)
