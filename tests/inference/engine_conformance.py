"""What every engine must do; one joins by subclassing `EngineConformance` with its fixture."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx_models as models
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from caimi.errors.inference import ModelNotRunnable, RunFailed, WrongInput
from caimi.inference.engine import Engine, Session
from caimi.models.tensor import Tensor

PLAIN_TYPES = [
    np.bool_, np.float16, np.float32, np.float64,
    np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64,
]  # fmt: skip


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 4)).astype(np.float32)


class EngineConformance:
    """Subclasses provide the fixture `engine`: an `Engine`."""

    @pytest.fixture
    def perceptron(self, engine: Engine, tmp_path: Path) -> Session:
        return engine.load(models.saved(tmp_path, models.perceptron()))

    def test_it_names_itself_in_plain_text(self, engine: Engine):
        assert 1 <= len(engine.id) <= 128
        assert engine.id.isascii()

    def test_the_signature_is_the_models(self, perceptron: Session):
        assert tuple(perceptron.inputs) == (Tensor("x", "float32", ("rows", 4)),)
        assert tuple(perceptron.outputs) == (
            Tensor("scores", "float32", ("rows", 3)),
            Tensor("label", "int64", ("rows",)),
        )

    @pytest.mark.parametrize("count", [1, 2, 7, 64])
    def test_every_batch_size_gives_what_the_reference_gives(self, perceptron: Session, count):
        inputs = {"x": rows(count)}
        outputs = perceptron.run(inputs)
        scores, label = ReferenceEvaluator(models.perceptron()).run(None, inputs)
        assert list(outputs) == ["scores", "label"]
        np.testing.assert_allclose(outputs["scores"], scores, rtol=1e-5)
        np.testing.assert_array_equal(outputs["label"], label)

    def test_an_empty_batch_gives_an_empty_answer(self, perceptron: Session):
        outputs = perceptron.run({"x": rows(0)})
        assert (outputs["scores"].shape, outputs["label"].shape) == ((0, 3), (0,))

    def test_the_same_input_gives_the_same_bits(self, perceptron: Session):
        first, second = (perceptron.run({"x": rows(5)})["scores"].tobytes() for _ in range(2))
        assert first == second

    def test_threads_at_once_do_not_disturb_each_other(self, perceptron: Session):
        expected = [perceptron.run({"x": rows(3, seed)})["scores"] for seed in range(200)]
        with ThreadPoolExecutor(8) as threads:
            found = threads.map(
                lambda seed: perceptron.run({"x": rows(3, seed)})["scores"], range(200)
            )
            for answer, wanted in zip(found, expected, strict=True):
                np.testing.assert_array_equal(answer, wanted)

    @pytest.mark.parametrize("kind", PLAIN_TYPES)
    def test_every_plain_type_passes_unchanged(self, engine: Engine, tmp_path: Path, kind):
        built = models.identity(TensorProto.DataType.Value(_onnx_name(kind)), ["n"])
        session = engine.load(models.saved(tmp_path, built))
        sent = np.array([0, 1, 1, 0, 1]).astype(kind)
        got = session.run({"x": sent})["y"]
        assert got.dtype == sent.dtype
        np.testing.assert_array_equal(got, sent)

    def test_byte_order_and_memory_layout_do_not_matter(self, perceptron: Session):
        plain = rows(6)
        expected = perceptron.run({"x": plain})["scores"]
        for same in (
            plain.astype(">f4"),
            np.asfortranarray(plain),
            np.repeat(plain, 2, axis=0)[::2],
        ):
            np.testing.assert_array_equal(perceptron.run({"x": same})["scores"], expected)

    def test_a_missing_input_is_refused_naming_what_is_taken(self, perceptron: Session):
        with pytest.raises(WrongInput, match=r"'x' is missing.*x.*float32"):
            perceptron.run({})

    def test_an_unknown_input_is_refused_naming_both(self, perceptron: Session):
        with pytest.raises(WrongInput, match=r"'z'.*x.*float32"):
            perceptron.run({"x": rows(1), "z": rows(1)})

    def test_another_type_is_refused_naming_both(self, perceptron: Session):
        with pytest.raises(WrongInput, match=r"'x' is float64, not float32"):
            perceptron.run({"x": rows(1).astype(np.float64)})

    @pytest.mark.parametrize("shape", [(4,), (1, 5), (1, 4, 1), ()])
    def test_another_shape_is_refused_naming_both(self, perceptron: Session, shape):
        with pytest.raises(WrongInput) as refused:
            perceptron.run({"x": np.zeros(shape, np.float32)})
        assert str(list(shape)) in refused.value.what
        assert "['rows', 4]" in refused.value.what

    def test_one_symbol_has_one_size_in_all_inputs(self, engine: Engine, tmp_path: Path):
        session = engine.load(models.saved(tmp_path, models.two_sided()))
        two, one = np.ones((2, 2), np.float32), np.ones((1, 2), np.float32)
        np.testing.assert_array_equal(session.run({"b": two, "a": two})["sum"], two * 2)
        with pytest.raises(WrongInput, match=r"'b' has shape \[1, 2\], not \['n', 2\]"):
            session.run({"a": two, "b": one})

    def test_an_open_dimension_takes_any_size(self, engine: Engine, tmp_path: Path):
        built = models.identity(TensorProto.FLOAT, [None, None])
        session = engine.load(models.saved(tmp_path, built))
        assert session.run({"x": np.zeros((2, 3), np.float32)})["y"].shape == (2, 3)

    def test_a_scalar_takes_no_array(self, engine: Engine, tmp_path: Path):
        scalar = engine.load(models.saved(tmp_path, models.identity(TensorProto.FLOAT, [])))
        assert scalar.run({"x": np.float32(2).reshape(())})["y"] == 2
        with pytest.raises(WrongInput, match=r"shape \[2, 3\], not \[\]"):
            scalar.run({"x": np.zeros((2, 3), np.float32)})

    def test_an_operator_that_fails_is_a_named_error(self, engine: Engine, tmp_path: Path):
        session = engine.load(models.saved(tmp_path, models.gathering()))
        assert session.run({"index": np.array([2])})["rows"].tolist() == [[4, 5]]
        with pytest.raises(RunFailed):
            session.run({"index": np.array([3])})

    def test_custom_operators_are_refused(self, engine: Engine, tmp_path: Path):
        with pytest.raises(ModelNotRunnable):
            engine.load(models.saved(tmp_path, models.with_custom_operator()))

    def test_weights_in_a_file_of_the_package_are_read(self, engine: Engine, tmp_path: Path):
        (tmp_path / "w.bin").write_bytes(np.array([1, 2], np.float32).tobytes())
        session = engine.load(models.saved(tmp_path, models.with_external_weights("w.bin")))
        assert session.run({"x": np.zeros(2, np.float32)})["y"].tolist() == [1, 2]

    @pytest.mark.parametrize("where", ["../w.bin", "{outside}/w.bin", "link.bin", "missing.bin"])
    def test_data_outside_the_package_is_refused(self, engine: Engine, tmp_path: Path, where):
        package = tmp_path / "package"
        package.mkdir()
        (tmp_path / "w.bin").write_bytes(bytes(8))
        (package / "link.bin").symlink_to(tmp_path / "w.bin")
        built = models.with_external_weights(where.format(outside=tmp_path))
        with pytest.raises(ModelNotRunnable):
            engine.load(models.saved(package, built))

    def test_weights_shorter_than_declared_are_refused(self, engine: Engine, tmp_path: Path):
        (tmp_path / "w.bin").write_bytes(bytes(7))
        with pytest.raises(ModelNotRunnable):
            engine.load(models.saved(tmp_path, models.with_external_weights("w.bin")))

    @pytest.mark.parametrize("data", [b"", b"no model at all", bytes(4096)])
    def test_a_file_that_is_no_model_is_refused(self, engine: Engine, tmp_path: Path, data):
        file = tmp_path / "model.onnx"
        file.write_bytes(data)
        with pytest.raises(ModelNotRunnable, match=r"model\.onnx"):
            engine.load(file)

    def test_a_truncated_model_is_refused(self, engine: Engine, tmp_path: Path):
        file = models.saved(tmp_path, models.perceptron())
        file.write_bytes(file.read_bytes()[:-20])
        with pytest.raises(ModelNotRunnable):
            engine.load(file)

    def test_a_missing_file_is_refused(self, engine: Engine, tmp_path: Path):
        with pytest.raises(ModelNotRunnable):
            engine.load(tmp_path / "absent.onnx")


class OpenRankConformance:
    """What engines must do besides that take tensors of any rank."""

    def test_an_open_rank_takes_any(self, engine: Engine, tmp_path: Path):
        any_rank = engine.load(models.saved(tmp_path, models.identity(TensorProto.FLOAT, None)))
        assert any_rank.run({"x": np.zeros((2, 3), np.float32)})["y"].shape == (2, 3)


class TextConformance:
    """What engines that take strings must do besides; joined like `EngineConformance`."""

    @pytest.mark.parametrize(
        "texts", [np.array(["a", "bé\U0001f600", ""], dtype=object), np.array(["a", "bé"])]
    )
    def test_strings_pass_unchanged(self, engine: Engine, tmp_path: Path, texts):
        session = engine.load(models.saved(tmp_path, models.identity(TensorProto.STRING, ["n"])))
        assert list(session.run({"x": texts})["y"]) == list(texts)

    @pytest.mark.parametrize("wrong", [[None], [b"a"], ["\ud800"], [["a"]]])
    def test_what_is_no_text_is_refused_as_a_string(self, engine: Engine, tmp_path: Path, wrong):
        session = engine.load(models.saved(tmp_path, models.identity(TensorProto.STRING, ["n"])))
        value = np.empty(1, dtype=object)
        value[0] = wrong[0]
        with pytest.raises(WrongInput):
            session.run({"x": value})


def _onnx_name(kind: type) -> str:
    name = np.dtype(kind).name
    return {"float32": "FLOAT", "float64": "DOUBLE"}.get(name, name.upper())
