"""The process that has one model in ONNX Runtime: confined before it sees the model.

It has the model's files as descriptors, and opens nothing. It runs the model in as many threads as
it was given sockets, and ends when its host is gone.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np

from caimi.inference.confined import wire
from caimi.inference.onnx_runtime import ort
from caimi.inference.wasm.hosting.confinement import confine_threads

_SAME_AS_REQUESTED: Final = 1
_TYPES: Final = {"float": "float32", "double": "float64"}


def serve(descriptor: int) -> None:
    """Load what the host at the other end of a socket says, and run it until the host is gone."""
    channel = socket.socket(fileno=descriptor)
    threading.Thread(target=_end_with, args=(channel,), daemon=True).start()
    message, descriptors, _, _ = socket.recv_fds(channel, wire.MAX_PACKET, wire.MAX_DESCRIPTORS)
    if not message:
        return
    _, size = wire.LOAD.unpack(message)
    given = json.loads(os.pread(descriptors[0], size, 0))
    model, report = descriptors[1:3]
    lanes = [socket.socket(fileno=number) for number in descriptors[3 : 3 + given["lanes"]]]
    files = dict(zip(given["files"], descriptors[3 + given["lanes"] :], strict=True))
    loaded: list[_Model] = []
    begin = threading.Event()
    threads = [
        threading.Thread(target=_serve_lane, args=(lane, loaded, begin), daemon=True)
        for lane in lanes
    ]
    for thread in threads:
        thread.start()
    with suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as score:  # noqa: PTH123 - pathlib is not loaded
        score.write(b"1000")
    if given["sealed"]:
        confine_threads(given["memory_bytes"])
    try:
        loaded.append(_Model(given, model, files))
        said = json.dumps(loaded[0].signature()).encode()
        if len(said) > wire.MAX_REPORT_BYTES:
            raise ValueError("its signature is too long")
    except Exception as error:  # whatever it is, the host hears it as this model's failure
        channel.send(wire.FAILED + _text(error))
        return
    with mmap.mmap(report, wire.MAX_REPORT_BYTES) as shared:
        shared[: len(said)] = said
    begin.set()
    channel.send(wire.DONE.pack(b"D", len(said)))
    threading.Event().wait()


def _end_with(channel: socket.socket) -> None:
    """End this process, whatever it is doing, when the other end of its channel is closed."""
    ended = select.poll()
    ended.register(channel, 0)
    ended.poll()
    os._exit(0)


class _Model:
    """A session of ONNX Runtime and the types of its tensors."""

    def __init__(self, given: dict[str, Any], model: int, files: dict[str, int]) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = given["threads"]
        options.inter_op_num_threads = 1
        if not given["optimised"]:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        if given["arena_bytes"] is not None:
            _bound_arena(given["arena_bytes"])
            options.add_session_config_entry("session.use_env_allocators", "1")
        mapped = {name: _mapped(number) for name, number in files.items()}
        if mapped:
            options.add_external_initializers_from_files_in_memory(
                list(mapped), list(mapped.values()), [len(each) for each in mapped.values()]
            )
        providers = [(name, settings) for name, settings in given["providers"]]
        with _mapped(model) as data:
            whole = bytes(data)
        self.session = ort.InferenceSession(whole, options, providers=providers)
        self.session.disable_fallback()
        self.kinds = [_kind(entry.type) for entry in self.session.get_inputs()]
        self.inputs = [entry.name for entry in self.session.get_inputs()]
        self.outputs = [entry.name for entry in self.session.get_outputs()]

    def signature(self) -> list[object]:
        """Tell which provider runs it first, and each input and output."""
        ends = (self.session.get_inputs(), self.session.get_outputs())
        named = [[[entry.name, entry.type, entry.shape] for entry in end] for end in ends]
        return [self.session.get_providers()[0], *named]


def _mapped(descriptor: int) -> mmap.mmap:
    # Seeking tells the size too, and is one of the calls that are left.
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if not size:
        raise ValueError("a file is empty")
    return mmap.mmap(descriptor, size, prot=mmap.PROT_READ)


def _bound_arena(memory_bytes: int) -> None:
    where = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    limits = {"max_mem": memory_bytes, "arena_extend_strategy": _SAME_AS_REQUESTED}
    ort.create_and_register_allocator(where, ort.OrtArenaCfg(limits))


def _kind(type_name: str) -> str:
    name = type_name.removeprefix("tensor(").removesuffix(")")
    return _TYPES.get(name, name)


def _serve_lane(lane: socket.socket, loaded: list[_Model], begin: threading.Event) -> None:
    begin.wait()
    shared: mmap.mmap | None = None
    while True:
        message, descriptors, _, _ = socket.recv_fds(lane, wire.MAX_PACKET, 1)
        if not message:
            return
        if descriptors:
            shared = _taken(descriptors[0])
        assert shared is not None
        _, head, start = wire.RUN.unpack(message)
        try:
            values = _run(loaded[0], shared, head)
            parts = [_bytes(value) for value in values]
            said = wire.describe(
                [(len(part), value.shape) for part, value in zip(parts, values, strict=True)]
            )
            starts, end = wire.layout(
                start + wire.aligned(len(said)), [len(part) for part in parts]
            )
        except Exception as error:  # whatever it is, who asked must hear of it
            lane.send(wire.FAILED + _text(error))
            continue
        if end > len(shared):
            lane.send(wire.ROOM.pack(b"W", end))
            answer, descriptors, _, _ = socket.recv_fds(lane, wire.MAX_PACKET, 1)
            if answer != wire.MORE:
                continue
            shared = _taken(descriptors[0])
        shared[start : start + len(said)] = said
        for at, part in zip(starts, parts, strict=True):
            shared[at : at + len(part)] = part
        lane.send(wire.DONE.pack(b"D", len(said)))


def _taken(descriptor: int) -> mmap.mmap:
    shared = mmap.mmap(descriptor, os.lseek(descriptor, 0, os.SEEK_END))
    os.close(descriptor)
    return shared


def _run(model: _Model, shared: mmap.mmap, head: int) -> list[Any]:
    found = wire.described(shared[:head], len(model.inputs))
    starts, _ = wire.layout(wire.aligned(head), [length for length, _ in found])
    feeds = {
        name: _array(shared, at, length, shape, kind)
        for name, kind, at, (length, shape) in zip(
            model.inputs, model.kinds, starts, found, strict=True
        )
    }
    return list(model.session.run(model.outputs, feeds))


def _array(
    shared: mmap.mmap, at: int, length: int, shape: Sequence[int], kind: str
) -> np.ndarray[Any, Any]:
    if kind == "string":
        texts = [text.decode() for text in wire.unpack_texts(shared[at : at + length])]
        return np.array(texts, object).reshape(shape)
    dtype = np.dtype(kind)
    return np.frombuffer(shared, dtype, length // dtype.itemsize, at).reshape(shape)


def _bytes(value: Any) -> memoryview | bytes:  # noqa: ANN401 - untyped library
    if not isinstance(value, np.ndarray):
        raise TypeError("an output is no tensor")
    if value.dtype.kind in "OU":
        return wire.pack_texts([str(text).encode() for text in value.ravel()])
    if not value.size:
        return b""
    return np.ascontiguousarray(value).data.cast("B")


def _text(error: Exception) -> bytes:
    return str(error).encode("utf-8", "replace")[: wire.MAX_TEXT]
