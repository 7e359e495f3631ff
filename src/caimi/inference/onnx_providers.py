"""What ONNX Runtime runs on, and how much memory it may take for that."""

from __future__ import annotations

import threading
from typing import Any, Final, Literal

from onnx import TensorProto, helper

from caimi.errors.inference import ProviderMissing
from caimi.errors.operations import ConfigInvalid
from caimi.inference.onnx_runtime import ort

Provider = Literal["auto", "cpu", "cuda"]
PROVIDERS: Final = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_SAME_AS_REQUESTED: Final = 1
_lock = threading.Lock()
_arena: list[int] = []


def choose_provider(wanted: Provider) -> Literal["cpu", "cuda"]:
    """Give what runs: what is wanted, or for "auto" CUDA where it works, else the CPU.

    Raises:
        ProviderMissing: CUDA is wanted and does not run here.
    """
    if wanted == "cpu":
        return "cpu"
    if _runs(PROVIDERS["cuda"]):
        return "cuda"
    if wanted == "cuda":
        offered = ", ".join(ort.get_available_providers())
        raise ProviderMissing(f"CUDA does not run here; ONNX Runtime offers {offered}.")
    return "cpu"


def provider_settings(runs: str, memory_bytes: int | None) -> list[Any]:
    """Give the providers of a session; what CUDA has no operators for goes to the CPU."""
    if runs == "cpu":
        return [PROVIDERS["cpu"]]
    settings = {"arena_extend_strategy": "kSameAsRequested"}
    if memory_bytes is not None:
        settings["gpu_mem_limit"] = str(memory_bytes)
    return [(PROVIDERS["cuda"], settings), PROVIDERS["cpu"]]


def bound_arena(memory_bytes: int) -> None:
    """Give the process its arena, of at most so many bytes, for sessions that ask for it.

    Raises:
        ConfigInvalid: it has one of another size.
    """
    with _lock:
        if _arena:
            if _arena != [memory_bytes]:
                raise ConfigInvalid(f"The process has an arena of {_arena[0]} bytes already.")
            return
        where = ort.OrtMemoryInfo(
            "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
        )
        limits = {"max_mem": memory_bytes, "arena_extend_strategy": _SAME_AS_REQUESTED}
        ort.create_and_register_allocator(where, ort.OrtArenaCfg(limits))
        _arena.append(memory_bytes)


def _runs(provider: str) -> bool:
    """Whether a provider does not only say that it is there."""
    if provider not in ort.get_available_providers():
        return False
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    same = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "p", [value], [same])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=[provider])
    except Exception:  # onnxruntime raises classes without a common public base
        return False
    return bool(session.get_providers()[0] == provider)
