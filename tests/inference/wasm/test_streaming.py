"""A compiled model gives the same bits whether it keeps its weights or has them streamed."""

import pytest
from sealed_world import World

from caimi.inference.wasm.compiling.compiler import compile_model
from caimi.inference.wasm.hosting.runner import Mode
from caimi.inference.wasm.hosting.sealed_weights import SealedWeights
from caimi.inference.wasm.hosting.weights import FileWeights
from zoo import named

ZOO = named("autoencoder")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("streaming"), {"model.onnx": ZOO.build(0)})


@pytest.fixture(scope="module")
def module(world):
    return compile_model(world.source / "model.onnx")


@pytest.fixture(scope="module")
def kept(host, world, module):
    with host.load(module, FileWeights(world.source)) as session:
        return session.run(ZOO.inputs(3, 0)), session.load_cost


@pytest.mark.parametrize("sealed", [False, True])
def test_streaming_changes_no_bit_and_needs_no_more_memory(host, world, module, kept, sealed):
    source = FileWeights(world.source)
    if sealed:
        source = SealedWeights(world.published(), world.store, world.key)
    with host.load(module, source, mode=Mode.STREAMED) as session:
        for _ in range(2):
            streamed = session.run(ZOO.inputs(3, 0))
            expected, loaded = kept
            for name, value in expected.outputs.items():
                assert streamed.outputs[name].tobytes() == value.tobytes()
        assert session.load_cost.fuel < loaded.fuel
        assert streamed.cost.memory_bytes <= expected.cost.memory_bytes


def test_sealed_weights_may_be_kept_too(host, world, module, kept):
    source = SealedWeights(world.published(), world.store, world.key)
    with host.load(module, source) as session:
        given = session.run(ZOO.inputs(3, 0))
    expected, _ = kept
    assert all(
        given.outputs[name].tobytes() == expected.outputs[name].tobytes()
        for name in expected.outputs
    )
    assert given.cost.fuel == expected.cost.fuel
