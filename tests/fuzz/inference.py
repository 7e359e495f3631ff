"""Decoders of what callers and workers send, and of files of tensors."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from wasmtime import wat2wasm

from caimi.inference.calibration import parse_rates
from caimi.inference.inclusion import Inclusion
from caimi.inference.prices import Offer, PriceList, parse_prices
from caimi.inference.receipt import Receipt, SignedReceipt
from caimi.inference.receipt_json import receipt_from_document, receipt_from_json
from caimi.inference.tensor_files import _parse_npy, _parse_npz, parse_json
from caimi.inference.wasm.fuel.schedule import Schedule
from caimi.inference.wasm.metadata import Metadata, Weight
from caimi.inference.wasm.module import CompiledModule, attach
from caimi.inference.wire import shapes_from_json, tensors_from_json, tensors_to_json
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import LedgerId
from caimi.models.tensor import Tensor
from fuzz.decoder import Decoder, Document, Law

SIGNER = LocalSigner((7).to_bytes(32))
ACCOUNTS = EvmAccounts(LedgerId("eip155:31337"))
FIRST_RECEIPT = Path(__file__).parent.parent / "inference" / "first_receipt.json"
SIGNATURE = (
    Tensor("x", "float32", ("N", 2)),
    Tensor("s", "string", (2,)),
    Tensor("n", "int8", None),
)
TENSORS: dict[str, Any] = {
    "x": np.array([[1.5, -0.0], [2.0, 3.0]], "float32"),
    "s": np.array(["a", "é"], dtype=object),
    "n": np.array(5, "int8"),
    "e": np.zeros((0, 3), "float64"),
    "b": np.array([True, False]),
}
HERE = Path("tensors")


def _receipt() -> SignedReceipt:
    word = bytes(range(32))
    return Receipt(
        ledger="eip155:31337",
        model_id=word,
        version="1.0.0",
        manifest=word,
        input_hash=word,
        output_hash=word,
        engine="onnxruntime/1.23.2/cpu",
        price=5,
        time=1_700_000_000,
        worker=ACCOUNTS.wallet(SIGNER).name,
        nonce=word,
    ).sign(ACCOUNTS.wallet(SIGNER))


def _receipts() -> list[str]:
    return [_receipt().to_json(), FIRST_RECEIPT.read_text()]


def _npy() -> list[bytes]:
    made = []
    for value in (np.arange(6, dtype="<f4").reshape(2, 3), np.array(["ab", "é"]), np.array(True)):
        for version in ((1, 0), (2, 0)):
            whole = io.BytesIO()
            np.lib.format.write_array(whole, value, version=version, allow_pickle=False)
            made.append(whole.getvalue())
    return made


def _npz() -> list[bytes]:
    made = []
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w", packing) as archive:
            for at, data in enumerate(_npy()[:3]):
                archive.writestr(zipfile.ZipInfo(f"t{at}.npy"), data, packing)
        made.append(whole.getvalue())
    return made


def _lists() -> list[bytes]:
    return [
        b'{"x":[[1,2.5],[3,4]],"s":["a","b"],"n":5}',
        b'{"x":[],"s":[],"n":[[1,-2],[3,127]]}',
    ]


_MODULE = """(module
  (import "caimi" "read" (func (param i32 i32 i32 i32)))
  (memory (export "memory") 1 2)
  (func (export "_initialize"))
  (func $at (export "caimi_load") (export "caimi_input") (export "caimi_output")
    (param i32) (result i32) (local.get 0))
  (func (export "caimi_run") (result i32) (i32.const 0)))"""


def _module() -> list[bytes]:
    metadata = Metadata(
        engine="caimi-wasm/2/simd",
        answer="caimi/2/f32",
        source=bytes(range(32)),
        inputs=(Tensor("x", "float32", ("n", 4)), Tensor("k", "int64", ())),
        outputs=(Tensor("y", "float32", ("n", 2)),),
        rows="n",
        weights=(Weight("model.onnx", 100, 32), Weight("w/b.bin", 0, 0)),
    )
    return [attach(bytes(wat2wasm(_MODULE)), metadata)]


DECODERS = (
    Decoder(
        "wasm-module",
        ("caimi.inference.wasm.module", "caimi.inference.wasm.sections"),
        _module,
        CompiledModule.parse,
        lambda module: module.wasm,
        share=2,
    ),
    Decoder(
        "wasm-metadata",
        ("caimi.inference.wasm.metadata",),
        lambda: [CompiledModule.parse(_module()[0]).metadata.encode()],
        Metadata.decode,
        Metadata.encode,
        Law.ONE_SPELLING,
        share=2,
    ),
    Decoder(
        "fuel-schedule",
        ("caimi.inference.wasm.fuel.schedule",),
        lambda: [
            Schedule(
                "caimi-wasm/2/simd", {"add.row": 5, "product.step": 7}, {"add": 40}, 9
            ).encode()
        ],
        Schedule.decode,
        Schedule.encode,
        Law.ONE_SPELLING,
    ),
    Decoder(
        "prices",
        (
            "caimi.inference.prices.parse_prices",
            "caimi.inference.prices.PriceList.from_document",
            "caimi.inference.prices.read_prices",
        ),
        lambda: [b'minimum = 5\ngigafuel = "1000000"\nmegabyte_in = 7\n'],
        parse_prices,
        PriceList.as_document,
    ),
    Decoder(
        "offer",
        ("caimi.inference.prices.Offer.from_document",),
        lambda: [Document(json.dumps(Offer(5, PriceList(minimum=5)).as_document()))],
        Offer.from_document,
        Offer.as_document,
        Law.SETTLES,
    ),
    Decoder(
        "shapes",
        ("caimi.inference.wire.shapes_from_json",),
        lambda: [Document('{"x":[2,3],"n":[]}')],
        shapes_from_json,
    ),
    Decoder(
        "rates",
        ("caimi.inference.calibration.parse_rates", "caimi.inference.calibration.load_rates"),
        lambda: [b'{"onnx":5000000,"simd":7}'],
        parse_rates,
    ),
    Decoder(
        "tensors",
        ("caimi.inference.wire.tensors_from_json", "caimi.inference.wire._from_json"),
        lambda: [Document(json.dumps(tensors_to_json(TENSORS)))],
        tensors_from_json,
        tensors_to_json,
        Law.SETTLES,
        share=2,
    ),
    Decoder(
        "receipt",
        ("caimi.inference.receipt_json.receipt_from_json",),
        _receipts,
        receipt_from_json,
        lambda value: value.to_json(),
        # A line end after it, as editors add, is no part of it.
        Law.SETTLES,
        share=2,
    ),
    Decoder(
        "receipt-fields",
        (
            "caimi.inference.receipt_json.receipt_from_document",
            "caimi.inference.receipt_json._bytes",
        ),
        lambda: [Document(text) for text in _receipts()],
        receipt_from_document,
        lambda value: value.as_document(),
        Law.ONE_SPELLING,
        share=2,
    ),
    Decoder(
        "receipt-signature",
        ("caimi.inference.receipt.SignedReceipt.verify",),
        lambda: [Document(text) for text in _receipts()],
        lambda document: receipt_from_document(document).verify(ACCOUNTS),
        share=1,
    ),
    Decoder(
        "inclusion",
        (
            "caimi.inference.inclusion.Inclusion.from_document",
            "caimi.inference.inclusion._hash",
        ),
        lambda: [Document(json.dumps(Inclusion(b"\1" * 32, (b"\2" * 32,) * 3).as_document()))],
        Inclusion.from_document,
        lambda value: value.as_document(),
        Law.ONE_SPELLING,
        share=2,
    ),
    Decoder(
        "npy",
        ("caimi.inference.tensor_files._parse_npy", "caimi.inference.tensor_files.read_tensors"),
        _npy,
        lambda data: _parse_npy(data, HERE),
        share=1,
    ),
    Decoder(
        "npz",
        ("caimi.inference.tensor_files._parse_npz", "caimi.inference.tensor_files._unpack"),
        _npz,
        lambda data: _parse_npz(data, HERE),
        share=0.3,
    ),
    Decoder(
        "tensor-lists",
        ("caimi.inference.tensor_files.parse_json", "caimi.inference.tensor_files._from_lists"),
        _lists,
        lambda data: parse_json(data, SIGNATURE),
        share=1,
    ),
    Decoder(
        "tensor-list-fields",
        ("caimi.inference.tensor_files.parse_json",),
        lambda: [Document(each.decode()) for each in _lists()],
        lambda document: parse_json(json.dumps(document).encode(), SIGNATURE),
        share=1,
    ),
)
