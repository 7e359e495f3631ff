"""What the compiler makes of a graph: fused kernels, variants, sizes, and the same bytes again."""

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from caimi.errors.inference import ModelNotRunnable, ModuleMalformed, WrongInput
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.wasm.compiling.compiler import compile_files, compile_model
from caimi.inference.wasm.compiling.emitter import emit
from caimi.inference.wasm.compiling.folding import fold
from caimi.inference.wasm.compiling.graph import detach_weights, fix_sizes, open_model
from caimi.inference.wasm.compiling.sizes import sizes_of
from caimi.inference.wasm.compiling.variants import VARIANTS
from caimi.inference.wasm.engine import WasmEngine
from caimi.inference.wasm.hosting.host import ModuleHost
from caimi.inference.wasm.module import SECTION, CompiledModule, attach
from caimi.inference.wasm.rebuild import check_module
from caimi.inference.wasm.sections import custom_section

FLOAT = TensorProto.FLOAT
IMAGE = (1, 3, 12, 12)


def saved(folder: Path, proto: ModelProto) -> Path:
    file = folder / "model.onnx"
    file.write_bytes(proto.SerializeToString())
    return file


def residual_block(leading: int | str = 1) -> ModelProto:
    """Two normalised convolutions, a sum with the input, ReLU; then a product, a sum, a clip."""
    noise = np.random.default_rng(5)
    weights: dict[str, np.ndarray] = {
        "w1": noise.standard_normal((3, 3, 3, 3)).astype(np.float32),
        "b1": noise.standard_normal(3).astype(np.float32),
        "w2": noise.standard_normal((16, 3, 3, 3)).astype(np.float32),
        "w3": noise.standard_normal((16 * 144, 7)).astype(np.float32) / 480,
        "b3": noise.standard_normal(7).astype(np.float32),
        "low": np.float32(-3),
        "high": np.float32(3),
    }
    for part, size in (("1", 3), ("2", 16)):
        for name in "sbmv":
            weights[f"{name}n{part}"] = np.abs(noise.standard_normal(size)).astype(np.float32) + 0.1
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], **conv),
        helper.make_node("BatchNormalization", ["c1", *(f"{n}n1" for n in "sbmv")], ["n1"]),
        helper.make_node("Add", ["n1", "x"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], **conv),
        helper.make_node("BatchNormalization", ["c2", *(f"{n}n2" for n in "sbmv")], ["n2"]),
        helper.make_node("Relu", ["n2"], ["r2"]),
        helper.make_node("Flatten", ["r2"], ["f"]),
        helper.make_node("MatMul", ["f", "w3"], ["p"]),
        helper.make_node("Add", ["p", "b3"], ["q"]),
        helper.make_node("Clip", ["q", "low", "high"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "block",
        [helper.make_tensor_value_info("x", FLOAT, [leading, *IMAGE[1:]])],
        [helper.make_tensor_value_info("y", FLOAT, [leading, 7])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def c_code(file: Path) -> str:
    opened = open_model(file)
    graph = detach_weights(fold(fix_sizes(opened.proto, {"x": IMAGE})), opened)
    return emit(graph.model, graph.weights).code.split("static int32_t caimi_infer")[1]


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("block"), residual_block())


@pytest.fixture(scope="module")
def host():
    with ModuleHost() as made:
        yield made


class TestFusion:
    def test_normalisation_residual_and_activation_are_part_of_the_kernels(self, block: Path):
        code = c_code(block)
        assert code.count("caimi_conv_f32(") == 2
        assert code.count("caimi_gemm_f32(") == 1
        assert "node" not in code  # no operator is left to the generator

    def test_what_another_operator_reads_is_not_fused_away(self, tmp_path: Path):
        proto = residual_block()
        proto.graph.output.append(helper.make_tensor_value_info("sum", FLOAT, IMAGE))
        code = c_code(saved(tmp_path, proto))
        assert code.count("caimi_conv_f32(") == 2
        first, _, _ = code.partition("caimi_conv_f32(")
        assert "__builtin_inff" not in first  # the sum leaves unclipped


class TestVariants:
    @pytest.mark.parametrize(
        ("variant", "tolerance"), [("simd", 1e-5), ("mvp", 1e-5), ("f64", 1e-5), ("int8", 5e-2)]
    )
    def test_each_gives_the_answer(self, block: Path, host: ModuleHost, variant, tolerance):
        image = np.random.default_rng(1).standard_normal(IMAGE).astype(np.float32)
        expected = OnnxEngine().load(block).run({"x": image})["y"]
        session = WasmEngine(VARIANTS[variant], host=host).load(block)
        np.testing.assert_allclose(session.run({"x": image})["y"], expected, atol=tolerance)
        session.close()

    def test_sums_in_float64_are_nearer_to_the_truth(self, host: ModuleHost, tmp_path: Path):
        noise = np.random.default_rng(2)
        weights = noise.standard_normal((20_000, 4)).astype(np.float32)
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", FLOAT, [1, 20_000])],
            [helper.make_tensor_value_info("y", FLOAT, [1, 4])],
            [numpy_helper.from_array(weights, "w")],
        )
        opset = [helper.make_opsetid("", 18)]
        file = saved(tmp_path, helper.make_model(graph, opset_imports=opset, ir_version=9))
        row = noise.standard_normal((1, 20_000)).astype(np.float32)
        truth = row.astype(np.float64) @ weights.astype(np.float64)
        errors = []
        for name in ("simd", "f64"):
            session = WasmEngine(VARIANTS[name], host=host).load(file)
            errors.append(np.abs(session.run({"x": row})["y"] - truth).max())
            session.close()
        assert errors[1] < errors[0] / 4

    def test_int8_weights_are_a_quarter_in_a_file_of_their_own(self, block: Path):
        made = compile_files(block, VARIANTS["int8"])
        (name, data), *others = made.beside.items()
        assert not others
        assert {weight.file for weight in made.module.metadata.weights} == {name}
        assert len(data) < block.stat().st_size / 3


class TestSizes:
    def test_an_open_leading_dimension_is_taken_row_by_row(self, tmp_path: Path):
        module = compile_model(saved(tmp_path, residual_block("rows")))
        assert module.metadata.rows == "rows"
        assert module.metadata.inputs[0].shape == ("rows", *IMAGE[1:])

    def test_given_sizes_are_compiled_in(self, tmp_path: Path):
        file = saved(tmp_path, residual_block("rows"))
        module = compile_model(file, shapes=sizes_of(file, ["rows=3"]))
        assert module.metadata.rows is None
        assert module.metadata.outputs[0].shape == (3, 7)

    @pytest.mark.parametrize("given", [["rows"], ["rows=-1"], ["lines=3"], ["rows=3", "lines=1"]])
    def test_sizes_of_other_dimensions_are_refused(self, tmp_path: Path, given):
        with pytest.raises(WrongInput):
            sizes_of(saved(tmp_path, residual_block("rows")), given)

    def test_sizes_that_do_not_fit_are_refused(self, block: Path):
        with pytest.raises(WrongInput, match="do not fit"):
            compile_model(block, shapes={"x": (1, 4, 12, 12)})


class TestRebuilding:
    @pytest.fixture
    def package(self, block: Path, tmp_path: Path) -> Path:
        (tmp_path / "model.onnx").write_bytes(block.read_bytes())
        module = compile_model(tmp_path / "model.onnx")
        (tmp_path / "model.wasm").write_bytes(module.wasm)
        return tmp_path

    def test_a_module_is_what_its_onnx_file_compiles_to(self, package: Path):
        assert check_module(package / "model.wasm") == VARIANTS["simd"].engine_id

    def test_another_module_with_the_same_words_is_found(self, package: Path, tmp_path: Path):
        file = package / "model.wasm"
        words = CompiledModule.parse(file.read_bytes()).metadata
        (tmp_path / "other").mkdir()
        changed = residual_block()
        next(t for t in changed.graph.initializer if t.name == "high").CopyFrom(
            numpy_helper.from_array(np.array(2, np.float32), "high")
        )
        other = compile_model(saved(tmp_path / "other", changed))
        plain = other.wasm[: -len(custom_section(SECTION, other.metadata.encode()))]
        file.write_bytes(attach(plain, words))
        with pytest.raises(ModuleMalformed, match="not what"):
            check_module(file)

    def test_a_module_without_its_onnx_file_is_refused(self, package: Path):
        (package / "model.onnx").write_bytes((package / "model.onnx").read_bytes() + b"\x10\x00")
        with pytest.raises(ModuleMalformed, match="not beside it"):
            check_module(package / "model.wasm")


def test_control_flow_is_refused_by_name(tmp_path: Path):
    branch = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])],
        "b",
        [],
        [helper.make_tensor_value_info("z", FLOAT, [1])],
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph(
        [node],
        "g",
        [
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", FLOAT, [1]),
        ],
        [helper.make_tensor_value_info("y", FLOAT, [1])],
    )
    file = saved(tmp_path, helper.make_model(graph, ir_version=9))
    with pytest.raises(ModelNotRunnable, match="'If' chooses by what a run computes"):
        compile_model(file)
