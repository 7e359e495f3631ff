"""A module is taken when it declares what ABI 1 allows, and nothing else."""

import hashlib

import pytest
import wasm_modules as modules
from wasmtime import wat2wasm

from caimi.errors.inference import ModelNotRunnable, ModuleMalformed
from caimi.inference.wasm.metadata import Metadata, Weight
from caimi.inference.wasm.module import SECTION, CompiledModule, attach
from caimi.inference.wasm.sections import custom_section
from caimi.models.tensor import Tensor

ROWS = Tensor("x", "float32", ("n", 3))
FIXED = Tensor("z", "float32", (4,))
ROWS_OUT = Tensor("y", "int64", ("n",))
WEIGHTS = (Weight("model.onnx", 1000, 64), Weight("weights/b.bin", 0, 16))


def test_a_module_says_what_it_takes_and_gives():
    wasm = modules.compiled()
    module = CompiledModule.parse(wasm)
    assert module.wasm == wasm
    assert module.sha256 == hashlib.sha256(wasm).digest()
    assert module.metadata == modules.metadata()
    assert (module.interface.first_pages, module.interface.most_pages) == (1, 1)
    assert not module.interface.reads_weights


def test_metadata_survives_its_encoding():
    metadata = modules.metadata((ROWS,), (ROWS_OUT,), "n", WEIGHTS)
    assert Metadata.decode(metadata.encode()) == metadata
    assert metadata.weight_bytes == 80


def test_a_row_is_what_one_call_takes():
    metadata = modules.metadata((ROWS, FIXED), (ROWS_OUT,), "n")
    assert [metadata.is_by_row(tensor) for tensor in metadata.inputs] == [True, False]
    assert [metadata.call_bytes(tensor) for tensor in metadata.inputs] == [12, 16]
    assert metadata.call_bytes(ROWS_OUT) == 8


@pytest.mark.parametrize(
    ("inputs", "outputs", "rows"),
    [
        ([Tensor("x", "string", (1,))], [modules.Y], None),
        ([Tensor("x", "float32", None)], [modules.Y], None),
        ([Tensor("x", "float32", ("n", 3))], [modules.Y], None),
        ([Tensor("x", "float32", (3, "n"))], [modules.Y], "n"),
        ([modules.X, modules.X], [modules.Y], None),
        ([modules.X], [ROWS_OUT], "n"),
        ([ROWS], [modules.Y], "n"),
        ([Tensor("x", "float32", (2**30,))], [modules.Y], None),
    ],
)
def test_a_signature_that_no_module_can_have_is_refused(inputs, outputs, rows):
    with pytest.raises(ModuleMalformed):
        modules.metadata(inputs, outputs, rows)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"abi":1', b'"abi":2'),
        (b'"abi":1', b'"abi":1,"more":1'),
        (b'"abi":1', b'"abi": 1'),
        (b'"rows":null,', b""),
        (b'"engine":"caimi-wasm/2/simd"', b'"engine":"native"'),
        (b'"file":"model.onnx"', b'"file":"../model.onnx"'),
        (b'"offset":1000', b'"offset":-1'),
        (b'"size":64', b'"size":4294967296'),
    ],
)
def test_other_metadata_is_refused(old, new):
    data = modules.metadata(weights=WEIGHTS).encode()
    assert old in data
    with pytest.raises(ModuleMalformed):
        Metadata.decode(data.replace(old, new))


OTHER_IMPORT = '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32)))'
WITHOUT_RUN = ("_initialize", "caimi_load", "caimi_input", "caimi_output")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"imports": OTHER_IMPORT}, "fd_write"),
        ({"imports": modules.READ + OTHER_IMPORT}, "caimi.read"),
        ({"imports": modules.READ.replace("$read", "") + modules.READ}, "once"),
        ({"imports": '(import "caimi" "read" (func (param i32)))'}, "another type"),
        ({"imports": '(import "caimi" "read" (global i32))'}, "no function"),
        ({"imports": modules.READ}, "without weights"),
        ({"exports": WITHOUT_RUN}, "exports"),
        ({"exports": WITHOUT_RUN, "more": '(func (export "caimi_run"))'}, "another type"),
        (
            {"exports": WITHOUT_RUN, "more": '(global (export "caimi_run") i32 (i32.const 0))'},
            "type",
        ),
        ({"more": '(func (export "spare"))'}, "spare"),
        ({"more": "(func $s) (start $s)"}, "start"),
        ({"memory": "(memory 1 1)"}, "exports"),
        ({"memory": '(memory (export "memory") 1)'}, "no maximum"),
        ({"memory": '(memory (export "memory") 1 1 shared)'}, "shared"),
        ({"memory": '(memory (export "memory") i64 1 1)'}, "64 bits"),
        ({"memory": '(memory (export "memory") 1 1) (memory 1 1)'}, "2 memories"),
        ({"more": "(tag)"}, "Section 13"),
    ],
)
def test_a_module_that_asks_for_more_or_offers_less_is_refused(parts, said):
    with pytest.raises(ModuleMalformed) as refused:
        attach(modules.module(**parts), modules.metadata())
    assert said in refused.value.what


def test_a_module_that_cannot_read_the_weights_it_names_is_refused():
    with pytest.raises(ModuleMalformed, match=r"caimi\.read"):
        attach(modules.module(), modules.metadata(weights=WEIGHTS))


OURS = custom_section(SECTION, modules.metadata().encode())


@pytest.mark.parametrize(
    "damage",
    [
        lambda wasm: b"",
        lambda wasm: b"\0asm\2\0\0\0" + wasm[8:],
        lambda wasm: wasm[:-1],
        lambda wasm: wasm + b"\0",
        lambda wasm: wasm + custom_section("later", b""),
        lambda wasm: wasm + custom_section(SECTION, b"{}"),
        lambda wasm: modules.module(),
        lambda wasm: wasm[: -len(OURS)] + OURS + OURS,
        lambda wasm: wasm[: -len(OURS)] + OURS[:2] + bytes([OURS[2] | 0x80, 0]) + OURS[3:],
        lambda wasm: wasm.replace(b"\x05\x04\x01\x01\x01\x01", b"\x05\x05\x01\x01\x01\x01\0"),
        lambda wasm: wasm[:8] + wasm[8:].replace(b"\x60", b"\x5f", 1),
        lambda wasm: wasm[:8] + b"\x01\x80\x80\x80\x80\x10" + wasm[8:],
        lambda wasm: bytes(wat2wasm("(module)")) + custom_section(SECTION, b"{}"),
    ],
)
def test_a_damaged_module_is_refused(damage):
    damaged = damage(modules.compiled())
    assert damaged != modules.compiled()
    with pytest.raises(ModuleMalformed):
        CompiledModule.parse(damaged)


def test_a_refused_module_is_a_model_that_cannot_be_run():
    with pytest.raises(ModelNotRunnable):
        CompiledModule.parse(b"no module")


@pytest.mark.parametrize("revision", [1, 3])
def test_a_module_of_another_revision_is_refused_by_name(revision):
    said = modules.metadata().encode().replace(b"caimi-wasm/2/", f"caimi-wasm/{revision}/".encode())
    with pytest.raises(ModuleMalformed, match=f"of caimi-wasm/{revision}/simd, .* revision 2: "):
        Metadata.decode(said)


def test_a_module_names_the_answer_id():
    said = modules.metadata().encode()
    assert Metadata.decode(said).answer == "caimi/2/f32"
    with pytest.raises(ModuleMalformed, match="no answer id"):
        Metadata.decode(said.replace(b"caimi/2/f32", b"caimi/f32"))
