"""Small modules of ABI 1 in text form, for the host's tests."""

import hashlib

from wasmtime import wat2wasm

from caimi.inference.wasm.metadata import Metadata
from caimi.inference.wasm.module import attach
from caimi.models.tensor import Tensor

SOURCE = hashlib.sha256(b"no model").digest()
X = Tensor("x", "float32", (4,))
Y = Tensor("y", "float32", (4,))
READ = '(import "caimi" "read" (func $read (param i32 i32 i32 i32)))'
DOUBLE = """
  (v128.store (i32.const 2048)
    (f32x4.add (v128.load (i32.const 1024)) (v128.load (i32.const 1024))))
  (i32.const 0)
"""
"""The output, at 2048, is the input, at 1024, twice."""


def module(
    run=DOUBLE,
    *,
    load="(i32.const 0)",
    initialize="",
    given="(i32.const 1024)",
    taken="(i32.const 2048)",
    memory='(memory (export "memory") 1 1)',
    imports="",
    more="",
    exports=("_initialize", "caimi_load", "caimi_run", "caimi_input", "caimi_output"),
) -> bytes:
    """Give a module without metadata; by default it doubles four numbers."""
    names = {name: f'(export "{name}")' if name in exports else "" for name in (
        "_initialize", "caimi_load", "caimi_run", "caimi_input", "caimi_output"
    )}  # fmt: skip
    return bytes(wat2wasm(f"""(module {imports} {memory}
      (func {names["_initialize"]} {initialize})
      (func {names["caimi_load"]} (param $mode i32) (result i32) {load})
      (func {names["caimi_run"]} (result i32) {run})
      (func {names["caimi_input"]} (param $index i32) (result i32) {given})
      (func {names["caimi_output"]} (param $index i32) (result i32) {taken})
      {more})"""))  # fmt: skip


def metadata(inputs=(X,), outputs=(Y,), rows=None, weights=()) -> Metadata:
    return Metadata(
        engine="caimi-wasm/2/simd",
        answer="caimi/2/f32",
        source=SOURCE,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        rows=rows,
        weights=tuple(weights),
    )


def compiled(*, inputs=(X,), outputs=(Y,), rows=None, weights=(), **parts) -> bytes:
    """Give a whole module of ABI 1."""
    return attach(module(**parts), metadata(inputs, outputs, rows, weights))


def echoing(weights, reads=None, rows=None, keep=False) -> bytes:
    """Give a module that answers each run with the parts of its weights that it then reads.

    `reads` are (weight, first byte, bytes); all weights, whole and in their order, unless told.
    If it is to `keep` them, it reads them when it is loaded.
    """
    wanted = reads or [(index, 0, weight.size) for index, weight in enumerate(weights)]
    run, end = "", 65536
    for weight, first, size in wanted:
        run += f"(call $read (i32.const {weight}) (i32.const {end})"
        run += f" (i32.const {first}) (i32.const {size}))"
        end += size
    pages = -(-end // 65536) + 1
    answer = Tensor("y", "uint8", ((rows, end - 65536) if rows else (end - 65536,)))
    return compiled(
        inputs=[Tensor("x", "uint8", (rows,) if rows else ())],
        outputs=[answer],
        rows=rows,
        weights=weights,
        imports=READ,
        memory=f'(memory (export "memory") {pages} {pages})',
        load=f"{run if keep else ''} (i32.const 0)",
        run=f"{'' if keep else run} (i32.const 0)",
        taken="(i32.const 65536)",
    )
