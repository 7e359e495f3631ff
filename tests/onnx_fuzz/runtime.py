"""The oracles in a process of their own: questions on standard input, answers on standard output.

A valid model may end ONNX Runtime, or ask for all memory that there is.
"""

from __future__ import annotations

import pickle
import resource
import sys
import warnings

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
                session = onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
                answer = (True, session.run(None, inputs))
        except Exception as error:  # both raise what they like
            answer = (False, " ".join(str(error).split())[:200])
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
