"""Weights of the ResNet-50 shape streamed out of a sealed package, against a plain local file.

The peer reads all weights from a plain local file and keeps them. Streaming, each image fetches
every chunk from a store on disk, checks its hash, opens it and has the module copy it: the thread
that does so and the module that computes use two processors. The promise is about the first answer,
loading included; for every further image the peer has nothing to fetch. Writes a plot.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from bench.plot import Line, Plot
from bench.result import Result
from caimi.inference.wasm.compiling.compiler import compile_model
from caimi.inference.wasm.hosting.host import ModuleHost
from caimi.inference.wasm.hosting.runner import Mode
from caimi.inference.wasm.hosting.sealed_weights import SealedWeights
from caimi.inference.wasm.hosting.session import ModuleSession
from caimi.inference.wasm.hosting.weights import FileWeights
from caimi.models.content_key import ContentKey
from caimi.models.manifest import Manifest
from caimi.models.package import Package
from caimi.models.publication import build_manifest
from caimi.models.sealing import seal
from caimi.models.signing import PackageSigner
from caimi.storage import LocalStore
from zoo.resnet import resnet50

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
            again = _again(ours, peer, image)
        ratio, took = _first(
            lambda: host.load(module, streamed, mode=Mode.STREAMED),
            lambda: host.load(module, kept),
            image,
        )
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
            "of the time to the first answer",
            "ms from a plain local file, loading and one image",
            1000 * took,
            ratio,
            ceiling=1.2,
        ),
        Result(
            "wasm_stream_again_ratio",
            again,
            "of the time of a further image",
            "with all weights kept",
            1.0,
            again,
        ),
    ]


async def _sealed(package: Path, store: LocalStore, key: ContentKey) -> Manifest:
    sealed = await seal(
        Package.from_path(package),
        store,
        key=key,
        model_id=bytes(32),
        version="1.0.0",
        publisher=PUBLISHER,
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


def _first(
    ours: Callable[[], ModuleSession],
    peer: Callable[[], ModuleSession],
    image: dict[str, np.ndarray],
) -> tuple[float, float]:
    """Give the ratio of the medians of loading and one image, by turns, and the peer's, seconds."""
    took: dict[Callable[[], ModuleSession], list[float]] = {ours: [], peer: []}
    for _ in range(ROUNDS):
        for load, times in took.items():
            began = time.perf_counter()
            with load() as session:
                session.run(image)
                times.append(time.perf_counter() - began)
    return median(took[ours]) / median(took[peer]), median(took[peer])


def _again(ours: ModuleSession, peer: ModuleSession, image: dict[str, np.ndarray]) -> float:
    """Give the ratio of the fastest further image of both, by turns."""
    fastest = {ours: float("inf"), peer: float("inf")}
    for _ in range(ROUNDS):
        outcomes = {session: session.run(image) for session in fastest}
        if len({each.outputs["scores"].tobytes() for each in outcomes.values()}) > 1:
            raise AssertionError("Streaming changed the answer.")
        for session, outcome in outcomes.items():
            fastest[session] = min(fastest[session], outcome.cost.seconds)
    return fastest[ours] / fastest[peer]


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
def _sampling(look: Callable[[], float]) -> Iterator[Samples]:
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
