"""All decoders, and why functions that look like one are not among them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import caimi
from fuzz import (
    certificates,
    contracts,
    custody,
    fabric,
    inference,
    ledgers,
    machines,
    models,
    names,
    nodes,
    oip,
    onnx_files,
)
from fuzz.decoder import Decoder

DECODERS: dict[str, Decoder] = {
    decoder.name: decoder
    for module in (
        names,
        ledgers,
        contracts,
        machines,
        fabric,
        nodes,
        custody,
        inference,
        models,
        oip,
        onnx_files,
        certificates,
    )
    for decoder in module.DECODERS
}

COVERED = frozenset(name for decoder in DECODERS.values() for name in decoder.covers)
"""Functions, and modules as a whole."""

OUR_OWN = "reads what this very process, or this program's own database, wrote"
ASKS = "asks a ledger or a node; what comes back goes through a decoder that is listed"
LOADS = "reads an artifact that the wheel ships"
WIRES = "joins objects of ours and decodes nothing"

EXCUSED = {
    "caimi.cli.one_ledger": "an argument of the command line, matched by one expression first",
    "caimi.credentials": "a passphrase: any bytes are one",
    "caimi.client.assembling": "configuration that pydantic matched with one expression first",
    "caimi.client.network.AsyncNetwork.load": ASKS,
    "caimi.client.publish": OUR_OWN,
    "caimi.client.purchase": OUR_OWN,
    "caimi.client.refilling": OUR_OWN,
    "caimi.client.sdk.Network.load": ASKS,
    "caimi.client.transfer": OUR_OWN,
    "caimi.cli.route": "arguments of the command line, and configuration that pydantic matched",
    "caimi.client.doctor.committee": "configuration that pydantic matched",
    "caimi.composition.config_file": "the user's own file, read by tomllib; fuzzed in its own test",
    "caimi.cli.exits": "an argument of the command line; files go through `read_heirs`",
    "caimi.cli.committee": "opens files for `Handover.from_json` and `LocalSigner.load`",
    "caimi.client.verify": "opens files for `receipt_from_json` and `Manifest.parse`",
    "caimi.custody.keys.GroupKey._read": "in `GroupKey.from_bytes` and `KeyShare.from_bytes`",
    "caimi.custody.group.hash_to_scalar": "a digest that was just made",
    "caimi.custody.dkg.ceremony._broadcast": "in `Ceremony.from_json`",
    "caimi.custody.grants": "an account that `SignedShareRequest.from_json` has parsed",
    "caimi.custody.dkg.messages._read_heard": "in every message of a key generation",
    "caimi.custody.dkg.messages._read_points": "in every message of a key generation",
    "caimi.custody.dkg.messages._read_rising": "in every message of a key generation",
    "caimi.custody.dkg.participant": "calls the messages' own decoders and catches their errors",
    "caimi.demo.steps": OUR_OWN,
    "caimi.inference.first_receipts.FirstReceipt": "an address that its JSON's decoder has parsed",
    "caimi.inference.tensor_files._write_npz": "writes",
    "caimi.devnet.processes": OUR_OWN,
    "caimi.cli.certificates.read_request": "opens a file for `parse_request`",
    "caimi.composition.committee_file": "adds to a configuration, whose text pydantic has matched",
    "caimi.node.tls_transport": "decrypts, with OpenSSL, and decodes nothing",
    "caimi.tls.authority.CertificateAuthority.load": "opens files for `read_certificates`",
    "caimi.tls.authority._load_key": "opens this program's own key, in bounds, for OpenSSL",
    "caimi.tls.contexts.TlsFiles": "opens files for `read_certificates` and OpenSSL",
    "caimi.devnet.founding": OUR_OWN,
    "caimi.devnet.supervisor.main": "what `caimi devnet up` writes to its standard input",
    "caimi.devnet.plan": "a file of our own, which pydantic checks",
    "caimi.inference.confined.model_files": "opens files that `check_onnx` has looked at",
    "caimi.inference.confined.model_process": "a child's answers, each part bounded and checked",
    "caimi.inference.confined.process": "packets of a child, of which each has one length",
    "caimi.inference.confined.runtime": "what this program's own host sends to the child",
    "caimi.inference.confined.wire": "packets of a child, of which each has one length",
    "caimi.inference.wasm.compiling.apart": OUR_OWN,
    "caimi.inference.wasm.hosting.boot": OUR_OWN,
    "caimi.inference.wasm.hosting.child": "numbers of a module, each checked where it is used",
    "caimi.inference.wasm.hosting.code_cache": "bytes that are then authenticated",
    "caimi.inference.wasm.hosting.host": "packets of a child, of which each has one length",
    "caimi.inference.wasm.hosting.process": "packets of a child, of which each has one length",
    "caimi.inference.wasm.hosting.protocol": OUR_OWN,
    "caimi.inference.wasm.hosting.runner": "packets of a child, of which each has one length",
    "caimi.inference.engine": "a protocol; the session is ONNX Runtime's",
    "caimi.inference.wasm.compiling.emitter._Emitter._load_templates": LOADS,
    "caimi.inference.wasm.compiling.templates": LOADS,
    "caimi.inference.wasm.engine": "opens files with `open_model`, and modules with `parse`",
    "caimi.inference.wasm.compiling.operators.c_text": OUR_OWN,
    "caimi.inference.onnx_engine": "ONNX Runtime opens files that `check_onnx` has looked at",
    "caimi.inference.tensor_files._read": "opens a file for the three decoders of tensors",
    "caimi.client.fact_file": OUR_OWN,
    "caimi.client.fact_text": OUR_OWN,
    "caimi.client.model_index": OUR_OWN,
    "caimi.families._load": "imports what an installed distribution offers",
    "caimi.ledgers.evm.facets.fact_decoder": ASKS,
    "caimi.ledgers.port.key_files": "a protocol; each family's files are listed",
    "caimi.ledgers.port.accounts.AccountCodec": "a protocol; each family's codec is listed",
    "caimi.journal": OUR_OWN,
    "caimi.ledgers.evm.local.anvil": OUR_OWN,
    "caimi.contracts.records": OUR_OWN,
    "caimi.ledgers.client_proofs.reads_head": "writes how an answer begins",
    "caimi.ledgers.fabric.chaincode.contract.Chaincode._read": "reads the contracts' own state",
    "caimi.ledgers.fabric.connecting._reader": "gives what asks peers",
    "caimi.ledgers.fabric.local.kept_place": OUR_OWN,
    "caimi.ledgers.fabric.peer_channel.PeerChannel._read": "of blocks that a listed decoder read",
    "caimi.ledgers.fabric.rpc.endorsed_reads.EndorsedReader.read": ASKS,
    "caimi.ledgers.fabric.chaincode.contract._time": "reads 8 bytes that this chaincode wrote",
    "caimi.ledgers.fabric.keys.state_key": "reads hexadecimal digits, or says that there are none",
    "caimi.ledgers.fabric.replica._clock": "finds the number that an endorsed tick wrote",
    "caimi.ledgers.fabric.machine.FabricMachine.ready": "prepares, and reads nothing",
    "caimi.ledgers.machine.machine.Machine.ready": "prepares, and reads nothing",
    "caimi.ledgers.fabric.msp.identity._read_whole": "looks at what `read_certificate` read",
    "caimi.ledgers.fabric.chaincode.process.ChaincodePlace": "arguments of the command line",
    "caimi.ledgers.fabric.local.network._read_plan": OUR_OWN,
    "caimi.ledgers.fabric.msp.identity.MspSigner.load": "opens files for two listed decoders",
    "caimi.ledgers.fabric.msp.identity._read_file": "bytes of a bounded length, for a decoder",
    "caimi.ledgers.fabric.rpc.connection": "certificates in PEM, for OpenSSL in gRPC",
    "caimi.ledgers.evm.local.kept_chain": OUR_OWN,
    "caimi.ledgers.evm.artifacts": LOADS,
    "caimi.ledgers.evm.administration.shipped_code": LOADS,
    "caimi.ledgers.evm.rpc.chain": ASKS,
    "caimi.ledgers.evm.rpc.connect": WIRES,
    "caimi.ledgers.evm.rpc.contract": ASKS,
    "caimi.ledgers.evm.facets.light_clients.read_committee": ASKS,
    "caimi.ledgers.evm.local.embedded": "the embedded ledger of tests and the demonstration",
    "caimi.ledgers.evm.local.embedded_rpc": "requests of this process to its embedded ledger",
    "caimi.ledgers.evm.facets.gateway.EvmGateway._read": ASKS,
    "caimi.ledgers.evm.administration.governance": ASKS,
    "caimi.ledgers.evm.transactions.outgoing.sign_call": "a signature that our signer just made",
    "caimi.ledgers.evm.administration.roles": ASKS,
    "caimi.ledgers.evm.rpc.http.HttpProvider": "parses JSON with `read_json`; `in_order` is listed",
    "caimi.messaging.open_packets": WIRES,
    "caimi.messaging.pinning": OUR_OWN,
    "caimi.messaging.turns": "a digest that was just made",
    "caimi.composition.remote_keys": "configuration that pydantic has matched with one expression",
    "caimi.node.relaying": "configuration that pydantic matched with one expression first",
    "caimi.messaging.provers": ASKS,
    "caimi.messaging.reading": ASKS,
    "caimi.messaging.relayer": ASKS,
    "caimi.persistence": OUR_OWN,
    "caimi.messaging.validator": OUR_OWN,
    "caimi.messaging.waiting_fees": ASKS,
    "caimi.messaging.watched_ledger": ASKS,
    "caimi.messaging.watcher": ASKS,
    "caimi.messaging.witnesses": ASKS,
    "caimi.models.content_key": "decrypts with authentication: nothing is read before",
    "caimi.models.package.Package.from_sklearn": "an object of the caller's own process",
    "caimi.models.sealed_reader": "authenticated chunks, of sizes that the manifest gives",
    "caimi.models.unsealing": "authenticated chunks, of sizes that the manifest gives",
    "caimi.models.weights": "numbers out of bytes of a length that the caller has checked",
    "caimi.node.consent": "configuration, with its own error",
    "caimi.inference.oip.remote": "asks a server; what comes back goes through listed decoders",
    "caimi.inference.oip.transports": "the text of a refusal, parsed with `read_json`",
    "caimi.inference.oip.service": "a nonce, matched by one expression first",
    "caimi.node.bodies": "bytes of a bounded length, for a decoder",
    "caimi.node.open_models": WIRES,
    "caimi.node.serving": "files that `pull` has checked against their manifest",
    "caimi.node.oip_http": "calls the decoders of `caimi.inference.oip`",
    "caimi.node.oip_grpc": "calls the decoders of `caimi.inference.oip`",
    "caimi.node.node": "settings that pydantic matched with one expression first",
    "caimi.node.roles": "settings that pydantic matched with one expression first",
    "caimi.node.worker_app": "the path of a request, 66 characters, with its own error",
    "caimi.storage.local": "bytes that are then compared with their content identifier",
    "caimi.storage.whole_file": "bytes of a bounded length, for a decoder",
}
"""Functions and modules (with all that is in them), each with the reason."""

_NAMED = re.compile(r"_*(decode|from_|parse|read|load|unpack)")
_PARSERS = frozenset(
    {"fromhex", "loads", "read_json", "b64decode", "b32decode", "frombuffer", "unpack_from",
     "unpack", "unpad", "literal_eval", "load_pem_public_key",
     "load_pem_private_key", "load_model_from_string", "safe_open", "genops", "ZipFile",
     "read_hex", "read_either_case"}
)  # fmt: skip
"""What turns bytes or text into something else, in Python and in what we depend on."""


def lookalikes() -> Iterator[str]:
    """Name every function of `caimi` that is called like a decoder, or calls a parser."""
    root = Path(caimi.__file__).parent
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root.parent).with_suffix("").parts
        module = ".".join(parts).removesuffix(".__init__")
        yield from _within(ast.parse(file.read_text("utf-8")), module)


def _within(tree: ast.AST, place: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _within(node, f"{place}.{node.name}")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{place}.{node.name}"
            if _NAMED.match(node.name) or any(map(_parses, ast.walk(node))):
                yield name
            yield from _within(node, name)
        else:
            yield from _within(node, place)


def _parses(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Attribute):
        numbers = called.attr == "from_bytes" and getattr(called.value, "id", "") == "int"
        return numbers or called.attr in _PARSERS
    return getattr(called, "id", "") in _PARSERS


def is_accounted_for(name: str) -> bool:
    """Whether a function, or a class or module around it, is covered or excused."""
    parts = name.split(".")
    around = {".".join(parts[:count]) for count in range(2, len(parts) + 1)}
    return bool(around & (COVERED | EXCUSED.keys()))
