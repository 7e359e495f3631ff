"""The oracles in a process of their own: questions on standard input, answers on standard output.

A valid model may end ONNX Runtime, or ask for all memory that there is.
"""

from __future__ import annotations

import pickle
import resource
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

MEMORY = 3 << 30


def main() -> None:
    """Answer until the questions end; a question is an oracle, a model's bytes, and its inputs."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    import numpy as np  # noqa: PLC0415 - within the limit
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - as above

    from caimi.inference.onnx_runtime import ort as onnxruntime  # noqa: PLC0415 - as above

    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4

    def run(model: bytes, values: Mapping[str, Any]) -> list[Any]:
        session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
        return list(session.run(None, values))

    answers = sys.stdout.buffer
    while True:
        try:
            oracle, data, inputs = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer: tuple[bool, object]
            if oracle == "reference":
                with np.errstate(all="ignore"):
                    answer = (True, list(ReferenceEvaluator(data).run(None, inputs)))
            else:
                answer = (True, by_node(data, inputs, run))
        except Exception as error:  # both raise what they like
            answer = (False, " ".join(str(error).split())[:200])
        pickle.dump(answer, answers)
        answers.flush()


def by_node(
    data: bytes, inputs: Mapping[str, Any], run: Callable[[bytes, Mapping[str, Any]], list[Any]]
) -> list[Any]:
    """Run a model node by node, so that each result is of its type.

    ONNX Runtime keeps float32 between nodes of float16.
    """
    from onnx import ModelProto, helper, numpy_helper  # noqa: PLC0415 - within the limit

    model = ModelProto.FromString(data)
    graph = model.graph
    if len(graph.node) == 1 or any(
        entry.HasField("g") or entry.graphs for node in graph.node for entry in node.attribute
    ):
        return run(data, inputs)
    fixed = {tensor.name: tensor for tensor in graph.initializer}
    known = dict(inputs) | {name: numpy_helper.to_array(each) for name, each in fixed.items()}
    for node in graph.node:
        read = dict.fromkeys(name for name in node.input if name)
        given = {name: known[name] for name in read if name not in fixed}
        step = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
        step.graph.name = "step"
        step.graph.node.append(node)
        step.graph.initializer.extend(fixed[name] for name in read if name in fixed)
        for name, value in given.items():
            kind = helper.np_dtype_to_tensor_dtype(value.dtype)
            step.graph.input.append(helper.make_tensor_value_info(name, kind, value.shape))
        written = [name for name in node.output if name]
        for name in written:
            step.graph.output.add(name=name)
        known.update(zip(written, run(step.SerializeToString(), given), strict=True))
    return [known[value.name] for value in graph.output]


if __name__ == "__main__":
    main()
