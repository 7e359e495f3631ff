"""Decoders of what publishers send: manifests, signatures, weights, archives."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import pickle
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from onnx import TensorProto
from safetensors.numpy import save

from caimi.inference.wasm.compiling.graph import open_model
from caimi.models.ancestry import Contributor
from caimi.models.card import Dataset, ModelCard
from caimi.models.files import PackageFile
from caimi.models.manifest import FileEntry, Manifest
from caimi.models.onnx_file import check_onnx
from caimi.models.package import Package
from caimi.models.safetensors_file import check_safetensors
from caimi.models.sealed_form import MIN_CHUNK_BYTES, Capsule, SealedForm, SignatureRecord
from caimi.models.sealing_journal import SealingJournal
from caimi.models.signature_bundle import load_public_key, pem_of, verify_bundle
from caimi.models.signing import PackageSigner
from caimi.models.strict_json import decode, encode
from caimi.models.tensor import Tensor
from caimi.models.unsafe_formats import find_code
from caimi.storage.cid import Cid
from fuzz.decoder import Decoder, Document, Law

_FOLDER = tempfile.TemporaryDirectory()
KEY = ec.derive_private_key(7, ec.SECP256R1())
BUNDLE = (Path(__file__).parent / "corpus" / "bundle.json").read_bytes()
"""By `KEY`: a signature with a random nonce, made once."""
SIGNED = {"model.onnx": b"\1" * 32, "weights/a.bin": b"\2" * 32}
FIRST_MANIFEST = Path(__file__).parent.parent / "models" / "first_manifest.json"


def _manifest() -> Manifest:
    digest = bytes(range(32))
    return Manifest(
        name="m",
        version="1.0.0",
        model_id=digest,
        publisher="eip155:31337:0x52908400098527886E0F7030069857D2E4169EE7",
        parents=(digest, bytes(32)),
        contributors=(Contributor("local:one:bob", "data"),),
        files=(FileEntry("a.onnx", 5, digest), FileEntry("b/c", MIN_CHUNK_BYTES + 1, digest)),
        framework="onnx",
        licence="Apache-2.0 OR MIT",
        inputs=(Tensor("x", "float32", ("N", 4)),),
        outputs=(Tensor("y", "int64", None),),
        datasets=(Dataset("iris", digest, "https://example.org/iris", "MIT"),),
        metrics={"accuracy": 0.5, "loss": 1e-9},
        card=ModelCard(description="Ünicode", limitations="many"),
        sealing=SealedForm(
            MIN_CHUNK_BYTES, b"\1" * 16, ((Cid(digest),), (Cid(digest), Cid(b"\2" * 32)))
        ),
        signature=SignatureRecord(Cid(digest), digest, pem_of(KEY.public_key())),
        capsule=Capsule(b"capsule", b"\2" * 33),
    )


def _manifest_document(document: Any) -> Manifest:
    return Manifest.parse(document if isinstance(document, bytes) else encode(document))


def _statement() -> str:
    return base64.b64decode(json.loads(BUNDLE)["dsseEnvelope"]["payload"]).decode()


def _resigned(statement: Any) -> bytes:
    """A bundle whose signature holds, over a statement that may say anything."""
    bundle = json.loads(BUNDLE)
    envelope = bundle["dsseEnvelope"]
    payload = json.dumps(statement).encode()
    kind = envelope["payloadType"].encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    signature = KEY.sign(signed, ec.ECDSA(hashes.SHA256()))
    envelope["payload"] = base64.b64encode(payload).decode()
    envelope["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    return json.dumps(bundle).encode()


def _onnx_models() -> list[bytes]:
    made = onnx.helper.make_tensor
    weights = made("w", TensorProto.FLOAT, [2, 2], [0.5, float("nan"), 1.0, 2.0])
    raw = made("r", TensorProto.FLOAT, [2], struct.pack("<2f", 1, float("inf")), raw=True)
    constant = made("c", TensorProto.DOUBLE, [1], [3.0])
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("MatMul", ["x", "w"], ["h"]),
            onnx.helper.make_node("Constant", [], ["k"], value=constant),
            onnx.helper.make_node("Add", ["h", "r"], ["y"]),
        ],
        "g",
        [value("x", TensorProto.FLOAT, ["N", 2])],
        [value("y", TensorProto.FLOAT, ["N", 2])],
        [weights, raw],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    return [bytes(model.SerializeToString(deterministic=True))]


def _onnx_decode(data: bytes) -> Any:
    file = PackageFile("m.onnx", len(data), data)
    return check_onnx(file, {"m.onnx": file})


def _safetensors() -> list[bytes]:
    return [
        save(
            {"a": np.array([1, float("nan")], "<f4"), "b": np.arange(6, dtype="<i8").reshape(2, 3)}
        ),
        save({"h": np.array([1.5, 2.5], "<f2")}, {"note": "x"}),
    ]


def _zip(members: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, packing)
    return whole.getvalue()


def _code() -> list[bytes]:
    imports = pickle.dumps([np.dtype("f8"), {"a": range(3)}], protocol=4)
    plain = pickle.dumps({"a": [1, 2.5, "x"]}, protocol=0)
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    keras = json.dumps({"config": {"layers": [{"class_name": "Lambda"}]}}).encode()
    return [
        imports,
        plain,
        gzip.compress(imports, mtime=0),
        bz2.compress(imports),
        b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + imports,
        _zip({"archive/data.pkl": imports, "archive/version": b"3\n"}, zipfile.ZIP_STORED),
        _zip({"config.json": keras, "model.weights.h5": b"\x89HDF\r\n\x1a\n" + bytes(40)}),
        b"\x7fELF" + bytes(60),
        b"\x08\x01\x12\x20serving_default" + bytes(20),
    ]


def _file_at(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    def decode_file(data: bytes) -> Any:
        path = Path(_FOLDER.name) / name
        path.write_bytes(data)
        return read(path)

    return decode_file


def _journal_of(path: Path) -> None:
    with SealingJournal(path, b"\3" * 32) as journal:
        journal.recall(0, 0, b"\4" * 32)


def _journal() -> bytes:
    record = struct.pack(">II32s36s", 0, 0, b"\4" * 32, Cid(b"\5" * 32).to_bytes())
    return b"CAIMI seal log 1" + b"\3" * 32 + record * 2


DECODERS = (
    Decoder(
        "canonical-json",
        ("caimi.models.strict_json.decode", "caimi.models.strict_json.JsonFields"),
        lambda: [encode(_manifest().to_json()), encode({"a": [1, 0.5, None, "é"], "b": {}})],
        lambda data: decode(data, 1 << 20),
        encode,
        Law.ONE_SPELLING,
        share=2,
    ),
    Decoder(
        "manifest",
        ("caimi.models.manifest.Manifest.parse",),
        lambda: [_manifest().canonical_bytes, FIRST_MANIFEST.read_bytes()],
        Manifest.parse,
        lambda value: value.canonical_bytes,
        Law.ONE_SPELLING,
        share=1,
    ),
    Decoder(
        "manifest-fields",
        (
            "caimi.models.ancestry",
            "caimi.models.manifest.FileEntry.read",
            "caimi.models.tensor.Tensor.read",
            "caimi.models.card.ModelCard.read",
            "caimi.models.card.Dataset.read",
            "caimi.models.card.read_metrics",
            "caimi.models.sealed_form.SealedForm.read",
            "caimi.models.sealed_form.Capsule.read",
            "caimi.models.sealed_form.SignatureRecord.read",
            "caimi.models.sealed_form.read_cid",
            "caimi.models.sealed_form._read_chunks",
        ),
        lambda: [
            Document(_manifest().canonical_bytes.decode()),
            Document(FIRST_MANIFEST.read_text()),
        ],
        _manifest_document,
        lambda value: value.canonical_bytes,
        Law.SETTLES,
        share=1,
    ),
    Decoder(
        "signature-bundle",
        ("caimi.models.signature_bundle",),
        lambda: [BUNDLE],
        lambda data: verify_bundle(data, pem_of(KEY.public_key()), "m", SIGNED),
        share=0.5,
    ),
    Decoder(
        "signature-bundle-fields",
        ("caimi.models.signature_bundle.verify_bundle",),
        lambda: [Document(BUNDLE.decode())],
        lambda document: verify_bundle(
            json.dumps(document).encode(), pem_of(KEY.public_key()), "m", SIGNED
        ),
        share=0.5,
    ),
    Decoder(
        "signed-statement",
        ("caimi.models.signature_bundle._signed_files",),
        lambda: [Document(_statement())],
        lambda statement: verify_bundle(
            _resigned(statement), pem_of(KEY.public_key()), "m", SIGNED
        ),
        share=0.1,
    ),
    Decoder(
        "public-key",
        ("caimi.models.signature_bundle.load_public_key",),
        lambda: [pem_of(KEY.public_key())],
        load_public_key,
        pem_of,
        Law.SETTLES,
        share=0.5,
    ),
    Decoder(
        "signing-key",
        ("caimi.models.signing.PackageSigner.load",),
        lambda: [(Path(__file__).parent / "corpus" / "signing.pem").read_bytes()],
        _file_at("signing.pem", lambda path: PackageSigner.load(path, b"passphrase")),
        share=0.02,
    ),
    Decoder("onnx", ("caimi.models.onnx_file",), _onnx_models, _onnx_decode, share=0.5),
    Decoder(
        "wasm-onnx",
        (
            "caimi.inference.wasm.compiling.graph.open_model",
            "caimi.inference.wasm.compiling.initializers",
        ),
        _onnx_models,
        _file_at("compiled.onnx", open_model),
        share=0.2,
    ),
    Decoder(
        "safetensors",
        ("caimi.models.safetensors_file",),
        _safetensors,
        _file_at(
            "w.safetensors",
            lambda path: check_safetensors(PackageFile("w.safetensors", path.stat().st_size, path)),
        ),
        share=0.3,
    ),
    Decoder(
        "code-in-files",
        (
            "caimi.models.unsafe_formats",
            "caimi.models.coats",
            "caimi.models.byte_blocks",
            "caimi.models.pickle_scan",
            "caimi.models.pickle_search",
        ),
        _code,
        lambda data: find_code(PackageFile("model.bin", len(data), data)),
        share=1,
    ),
    Decoder(
        "package",
        ("caimi.models.package.Package.from_path",),
        lambda: [*_onnx_models(), *_code()],
        _file_at("model.onnx", Package.from_path),
        share=0.2,
    ),
    Decoder(
        "sealing-journal",
        ("caimi.models.sealing_journal.SealingJournal",),
        lambda: [_journal()],
        _file_at("sealing.log", _journal_of),
        share=0.1,
    ),
)
