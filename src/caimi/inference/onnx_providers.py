"""What ONNX Runtime runs on, and how much memory it may take for that."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal

from onnx import TensorProto, helper

from caimi.errors.inference import ModelNotRunnable, ProviderMissing
from caimi.inference.confined.limits import OnnxLimits
from caimi.inference.confined.model_files import ModelFiles
from caimi.inference.confined.model_process import ModelProcess, Setting
from caimi.inference.confined.process import nursery

Provider = Literal["auto", "cpu", "cuda"]
PROVIDERS: Final = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def choose_provider(wanted: Provider) -> Literal["cpu", "cuda"]:
    """Give what runs: what is wanted, or for "auto" CUDA where it works, else the CPU.

    Raises:
        ProviderMissing: CUDA is wanted and does not run here.
    """
    if wanted == "cpu":
        return "cpu"
    offered = nursery().providers
    if PROVIDERS["cuda"] in offered and runs_on(PROVIDERS["cuda"]):
        return "cuda"
    if wanted == "cuda":
        raise ProviderMissing(f"CUDA does not run here; ONNX Runtime offers {', '.join(offered)}.")
    return "cpu"


def provider_settings(
    runs: str, memory_bytes: int | None
) -> tuple[tuple[str, Mapping[str, str]], ...]:
    """Give the providers of a session; what CUDA has no operators for goes to the CPU."""
    if runs == "cpu":
        return ((PROVIDERS["cpu"], {}),)
    settings = {"arena_extend_strategy": "kSameAsRequested"}
    if memory_bytes is not None:
        settings["gpu_mem_limit"] = str(memory_bytes)
    return ((PROVIDERS["cuda"], settings), (PROVIDERS["cpu"], {}))


@cache
def runs_on(provider: str) -> bool:
    """Whether a provider does not only say that it is there; asked once in a process."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    same = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "p", [value], [same])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    setting = Setting(1, True, 1, ((provider, {}),), None, False, OnnxLimits())
    with tempfile.TemporaryDirectory(prefix="caimi-provider-") as folder:
        file = Path(folder) / "identity.onnx"
        file.write_bytes(model.SerializeToString())
        files = ModelFiles(file)
        try:
            process = ModelProcess(files, setting)
        except ModelNotRunnable:
            return False
        finally:
            files.close()
    found = process.provider == provider
    process.close()
    return found
