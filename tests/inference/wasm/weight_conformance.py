"""What every source of weights must do; one joins by subclassing with its fixtures."""

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import wasm_modules as modules

from caimi.errors.inference import ModuleLied, WeightsUnavailable
from caimi.inference.wasm.hosting.runner import Mode
from caimi.inference.wasm.metadata import Weight
from caimi.inference.wasm.module import CompiledModule

FILES = {
    "a.bin": random.Random(1).randbytes(5 * 65536 + 123),
    "weights/b.bin": random.Random(2).randbytes(70_000),
    "weights/whole.bin": random.Random(3).randbytes(2 * 65536),
}
WEIGHTS = (
    Weight("a.bin", 100, 400),
    Weight("a.bin", 500, 150_000),
    Weight("weights/b.bin", 0, 70_000),
    Weight("a.bin", 150_500, 0),
    Weight("weights/whole.bin", 65536, 65536),
    Weight("a.bin", 150_500, 5 * 65536 + 123 - 150_500),
    Weight("weights/whole.bin", 0, 65536),
    Weight("a.bin", 300_000, 7),
)
SCALAR = {"x": np.array(0, np.uint8)}


def parts(reads, weights=WEIGHTS) -> bytes:
    """Give the bytes that a module with these reads answers."""
    found = b""
    for weight, first, size in reads:
        at = weights[weight].offset + first
        found += FILES[weights[weight].file][at : at + size]
    return found


WHOLE = [(index, 0, weight.size) for index, weight in enumerate(WEIGHTS)]


class WeightConformance:
    """Subclasses provide `source`, of a package of `FILES`, and `damage`, which spoils a byte.

    `damage(file, place)` is called before anything is read; `altered` are the errors it leads to,
    or none where a source cannot tell.
    """

    altered: tuple[type[Exception], ...] = ()

    def load(self, host, source, wasm, **options):
        return host.load(CompiledModule.parse(wasm), source, **options)

    @pytest.mark.parametrize("mode", Mode)
    def test_whole_weights_arrive_in_their_order(self, host, source, mode):
        wasm = modules.echoing(WEIGHTS, keep=mode is Mode.RESIDENT)
        with self.load(host, source, wasm, mode=mode) as session:
            for _ in range(3):
                assert session.run(SCALAR).outputs["y"].tobytes() == parts(WHOLE)

    def test_a_module_that_was_to_keep_its_weights_cannot_read_them_again(self, host, source):
        with (
            self.load(host, source, modules.echoing(WEIGHTS)) as session,
            pytest.raises(ModuleLied, match="again"),
        ):
            session.run(SCALAR)

    @pytest.mark.parametrize("seed", range(4))
    def test_parts_arrive_in_any_order(self, host, source, seed):
        draw = random.Random(seed)
        reads = []
        for _ in range(40):
            index = draw.randrange(len(WEIGHTS))
            first = draw.randint(0, WEIGHTS[index].size)
            reads.append((index, first, draw.randint(0, WEIGHTS[index].size - first)))
        wasm = modules.echoing(WEIGHTS, reads)
        with self.load(host, source, wasm, mode=Mode.STREAMED) as session:
            for _ in range(2):
                assert session.run(SCALAR).outputs["y"].tobytes() == parts(reads)

    def test_each_row_has_its_weights(self, host, source):
        wasm = modules.echoing(WEIGHTS, rows="n")
        with self.load(host, source, wasm, mode=Mode.STREAMED) as session:
            given = session.run({"x": np.zeros(3, np.uint8)}).outputs["y"]
        assert [row.tobytes() for row in given] == [parts(WHOLE)] * 3

    def test_processes_at_once_do_not_disturb_each_other(self, host, source):
        wasm = modules.echoing(WEIGHTS)
        with (
            self.load(host, source, wasm, mode=Mode.STREAMED, processes=3) as session,
            ThreadPoolExecutor(3) as threads,
        ):
            given = threads.map(lambda _: session.run(SCALAR).outputs["y"].tobytes(), range(9))
            assert set(given) == {parts(WHOLE)}

    @pytest.mark.parametrize(
        "wrong",
        [
            Weight("absent.bin", 0, 1),
            Weight("weights", 0, 1),
            Weight("weights/whole.bin", 2 * 65536, 1),
            Weight("weights/whole.bin", 1, 2 * 65536),
        ],
    )
    def test_what_the_package_does_not_have_is_refused_on_loading(self, host, source, wrong):
        with pytest.raises(WeightsUnavailable, match=wrong.file):
            self.load(host, source, modules.echoing((wrong,), [(0, 0, 1)]))

    def test_an_altered_weight_stops_the_run_before_it_is_used(self, host, source, damage):
        damage("a.bin", 4 * 65536 + 1)
        harmless = [(0, 0, 400), (2, 0, 70_000)]
        with self.load(host, source, modules.echoing(WEIGHTS, harmless, keep=True)) as session:
            assert session.run(SCALAR).outputs["y"].tobytes() == parts(harmless)
        with self.load(host, source, modules.echoing(WEIGHTS), mode=Mode.STREAMED) as session:
            if not self.altered:
                session.run(SCALAR)
                return
            for _ in range(2):
                with pytest.raises(self.altered):
                    session.run(SCALAR)

    def test_a_missing_weight_is_named_whenever_it_is_missed(self, host, source, remove):
        remove("weights/b.bin")
        wasm = modules.echoing(WEIGHTS)

        def load_and_run():
            with self.load(host, source, wasm, mode=Mode.STREAMED) as session:
                session.run(SCALAR)

        with pytest.raises(self.missing):
            load_and_run()
