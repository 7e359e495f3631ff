"""Attributes that the standard defines for 0 and 1 only: engines disagree about other numbers."""

from __future__ import annotations

import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.refusals import _FLAGS, check_names

NUMBERS = frozenset(
    {
        *("axis", "batch_axis", "batch_dims", "block_size", "blocksize", "chunk_size", "dtype"),
        *("end", "group", "hidden_size", "ignore_index", "k", "kv_num_heads", "left_window_size"),
        *("max_gram_length", "max_skip_count", "maxsplit", "min_gram_length", "num_groups"),
        *("num_heads", "num_outputs", "num_scan_inputs", "offset_group", "output_datatype"),
        *("output_dtype", "output_height", "output_width", "p", "precision", "q_num_heads"),
        *("qk_matmul_output_mode", "right_window_size", "rotary_embedding_dim", "sample_size"),
        *("sampling_ratio", "size", "softmax_precision", "start", "stash_type", "time_axis"),
        *("to", "value_int"),
        # of opsets before 7, which are taken only where nothing has changed since
        *("broadcast", "is_test", "output_sequence", "seed"),
    }
)


def test_every_whole_attribute_of_the_standard_is_a_flag_or_a_number() -> None:
    whole = onnx.defs.OpSchema.AttrType.INT
    names = {
        name
        for schema in onnx.defs.get_all_schemas_with_history()
        for name, attribute in schema.attributes.items()
        if not schema.domain and attribute.type == whole
    }
    assert names == _FLAGS | NUMBERS
    assert not _FLAGS & NUMBERS


def turned(flag: int) -> ModelProto:
    node = helper.make_node("RotaryEmbedding", ["x", "c", "s"], ["y"], interleaved=flag)
    shapes = {"x": (1, 1, 2, 4), "c": (1, 2, 2), "s": (1, 2, 2), "y": (1, 1, 2, 4)}
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    }
    graph = helper.make_graph([node], "g", [values[name] for name in "xcs"], [values["y"]])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)])


def test_a_flag_that_is_neither_is_refused_by_name() -> None:
    check_names(turned(0))
    check_names(turned(1))
    with pytest.raises(ModelNotRunnable, match="RotaryEmbedding: interleaved is -2"):
        check_names(turned(-2))
