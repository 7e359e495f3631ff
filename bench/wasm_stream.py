"""Weights of the ResNet-50 shape streamed out of a sealed package, against keeping them all.

The peer has read its weights from a plain local file, once, and keeps them. Streaming, each image
fetches every chunk from a store on disk, checks its hash, opens it and has the module copy it: the
thread that does so and the module that computes use two processors. Writes a plot.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench.plot import Line, Plot
from bench.result import Result
from caimi.inference.wasm.compiling.compiler import compile_model
from caimi.inference.wasm.hosting.host import ModuleHost
from caimi.inference.wasm.hosting.runner import Mode
from caimi.inference.wasm.hosting.sealed_weights import SealedWeights
from caimi.inference.wasm.hosting.session import ModuleSession
from caimi.inference.wasm.hosting.weights import FileWeights
from caimi.models import ContentKey, Manifest, Package, PackageSigner, build_manifest, seal
from caimi.storage import LocalStore
from caimi.zoo.resnet import resnet50

CHUNK_BYTES = 1024 * 1024
ROUNDS = 15
EVERY_SECONDS = 0.003
PICTURE = Path(__file__).parents[1] / "docs" / "wasm-streaming.svg"
PUBLISHER = "eip155:31337:0x52908400098527886E0F7030069857D2E4169EE7"

Samples = list[tuple[float, float]]


def measure() -> list[Result]:
    """Run images in turns, then one of each with a look at the memory."""
    with tempfile.TemporaryDirectory(prefix="caimi-bench-") as name, ModuleHost() as host:
        package = Path(name, "package")
        package.mkdir()
        model = package / "model.onnx"
        model.write_bytes(resnet50(seed=0))
        module = compile_model(model)
        store, key = LocalStore(Path(name, "store")), ContentKey.generate()
        manifest = asyncio.run(_sealed(package, store, key))
        streamed = SealedWeights(manifest, store, key)
        kept = FileWeights(package)
        image = _image()
        with (
            host.load(module, kept) as peer,
            host.load(module, streamed, mode=Mode.STREAMED) as ours,
        ):
            ratio, took = _times(ours, peer, image)
        weights = module.metadata.weight_bytes / 1e6
        before = _memory(lambda: host.load(module, kept), image)
        after = _memory(lambda: host.load(module, streamed, mode=Mode.STREAMED), image)
    # What is resident beside the weights is the same for both: code, tensors, Python, wasmtime.
    beside = max(size for _, size in before) - weights
    held = max(size for _, size in after) - beside
    _draw(before, after, weights)
    return [
        Result(
            "wasm_stream_memory_ratio",
            held / weights,
            "of the weights resident",
            "MB of weights, ResNet-50 shape",
            weights,
            held / weights,
            ceiling=0.25,
        ),
        Result(
            "wasm_stream_time_ratio",
            ratio,
            "of the time with all weights kept",
            "ms an image, weights read once from a local file",
            1000 * took,
            ratio,
            ceiling=1.2,
        ),
    ]


async def _sealed(package: Path, store: LocalStore, key: ContentKey) -> Manifest:
    sealed = await seal(
        Package.from_path(package),
        store,
        key=key,
        model_id=bytes(32),
        version="1.0.0",
        signer=PackageSigner.generate(),
        chunk_bytes=CHUNK_BYTES,
    )
    return build_manifest(
        sealed,
        name="resnet50",
        publisher=PUBLISHER,
        licence="Apache-2.0",
        capsule=b"capsule",
        group_key=b"\2" * 33,
    )


def _image() -> dict[str, np.ndarray]:
    noise = np.random.default_rng(0)
    return {"image": noise.standard_normal((1, 3, 224, 224)).astype(np.float32)}


def _times(
    ours: ModuleSession, peer: ModuleSession, image: dict[str, np.ndarray]
) -> tuple[float, float]:
    """Give the ratio of the fastest of both by turns, and the peer's fastest, in seconds."""
    fastest = {ours: float("inf"), peer: float("inf")}
    for _ in range(ROUNDS):
        outcomes = {session: session.run(image) for session in fastest}
        if len({each.outputs["scores"].tobytes() for each in outcomes.values()}) > 1:
            raise AssertionError("Streaming changed the answer.")
        for session, outcome in outcomes.items():
            fastest[session] = min(fastest[session], outcome.cost.seconds)
    return fastest[ours] / fastest[peer], fastest[peer]


def _memory(load: Callable[[], ModuleSession], image: dict[str, np.ndarray]) -> Samples:
    """Give (ms, resident MB) over one run: the module's process, with all that it shares with its
    host, and what the host alone holds since before it loaded.
    """
    alone = _resident("self", "RssAnon")
    with load() as session:
        (pid,) = session.pids
        with _sampling(
            lambda: _resident(pid, "VmRSS") + max(0.0, _resident("self", "RssAnon") - alone)
        ) as samples:
            session.run(image)
    return samples


@contextmanager
def _sampling(look) -> Iterator[Samples]:
    samples: Samples = []
    began, done = time.monotonic(), threading.Event()

    def watch() -> None:
        while not done.wait(EVERY_SECONDS):
            samples.append((1000 * (time.monotonic() - began), look()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def _resident(process: int | str, kind: str) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) * 1024 / 1e6


def _draw(before: Samples, after: Samples, weights: float) -> None:
    PICTURE.write_text(
        Plot(
            f"Resident memory over one image; {weights:.0f} MB of weights",
            "ms since the run began",
            "MB",
            (Line("kept", tuple(before)), Line("streamed", tuple(after))),
        ).svg()
    )
