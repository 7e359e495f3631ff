"""Decoders of what ledgers' nodes and contracts send."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import rlp
from coincurve import PrivateKey
from eth_abi.grammar import ABIType, BasicType, TupleType, parse

from caimi.ibc.packet import Packet, Payload
from caimi.ibc.protobuf import (
    decode_acknowledgements,
    decode_packet,
    encode_acknowledgements,
    encode_packet,
)
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import EvmCall, nothing
from caimi.ledgers.evm.abi.codec import DecodingError
from caimi.ledgers.evm.abi.interface import decode, encode
from caimi.ledgers.evm.abi.quantities import hexed
from caimi.ledgers.evm.administration.batches import SafeBatch, read_batch, write_batch
from caimi.ledgers.evm.administration.changes import set_supply_cap, unpause_bridge
from caimi.ledgers.evm.administration.exits import read_heirs
from caimi.ledgers.evm.administration.explaining import Explainer
from caimi.ledgers.evm.administration.roles import authority_of
from caimi.ledgers.evm.administration.timelock import TimelockCall
from caimi.ledgers.evm.artifacts import CONTRACTS, artifact
from caimi.ledgers.evm.deployment import NAMES, Deployment
from caimi.ledgers.evm.facets import voyages
from caimi.ledgers.evm.facets.tokens import EvmTokens
from caimi.ledgers.evm.facets.voyages import ready_height
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.proofs.completeness import Completeness
from caimi.ledgers.evm.proofs.receipts_root import TransactionReceipt, bloom, receipts_root
from caimi.ledgers.evm.proofs.state_proofs import block_header, read_state_proof
from caimi.ledgers.evm.rpc.chain import Chain, parse_block
from caimi.ledgers.evm.rpc.client import RetryPolicy, Rpc, RpcRefusal
from caimi.ledgers.evm.rpc.finality import Depth, parse_finality
from caimi.ledgers.evm.rpc.http import in_order
from caimi.ledgers.evm.rpc.logs import EventReader, parse_log
from caimi.ledgers.evm.rpc.provider import RpcAnswer
from caimi.ledgers.evm.rpc.reverts import known_errors, reverted
from caimi.ledgers.evm.transactions.fees import Fees
from caimi.ledgers.evm.transactions.outgoing import read_signed, sender_of, sign_call
from caimi.ledgers.port import Asset, LedgerId, SignedCall
from caimi.services.remote_signer import read_answer
from caimi.signatures import MalformedSignature, completed, recover_account
from fuzz.decoder import Decoder, Document, Law, drive

MAINNET = json.loads(
    (Path(__file__).parents[2] / "contracts" / "vectors" / "mainnet.json").read_text()
)
HERE = b"\x42" * 20
DIGEST = bytes(range(32))
SIGNER = LocalSigner((7).to_bytes(32))
_ABI = "application/x-solidity-abi"
SHAPES: tuple[tuple[tuple[str, ...], tuple[Any, ...]], ...] = (
    (("uint256", "bool", "address", "bytes32"), (5, True, HERE, DIGEST)),
    (("bytes", "string", "int16"), (b"\1\2\3", "ünicode", -5)),
    (("uint64[]", "bytes[]", "(uint8,string)[]"), ((1, 2, 3), (b"", b"ab" * 40), ((1, "a"),))),
    (
        ("(bytes32,(address,bytes)[2],bool[3])",),
        ((DIGEST, ((HERE, b"x"), (HERE, b"")), (True,) * 3),),
    ),
    (("uint256[][]", "bytes4"), (((1,), (2, 3), ()), b"abcd")),
)


class Answering:
    """A node that answers what it is given, method by method."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers

    async def make_request(self, method: str, params: Any) -> RpcAnswer:
        return self._answers[method]  # type: ignore[no-any-return]


def _rpc(answers: dict[str, Any]) -> Rpc:
    return Rpc(Answering(answers), "a node", RetryPolicy(1, 0, 0))


class _AnsweringToken:
    """A node before a contract that gives one answer to each question, in their order."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)

    async def make_request(self, method: str, params: Any) -> RpcAnswer:
        return {"jsonrpc": "2.0", "id": 1, "result": hexed(self._answers.pop(0))}


def _token_decode(data: bytes) -> Asset:
    """Read a token's decimals, a word, and what it answers for its symbol."""
    node = Rpc(_AnsweringToken(data[32:], data[:32]), "a node", RetryPolicy(1, 0, 0))
    tokens = EvmTokens(Chain(node, LedgerId("eip155:7"), Depth(0)), HERE)
    return drive(tokens.described(Asset(LedgerId("eip155:7"), HERE)))  # type: ignore[no-any-return]


def _token_encode(asset: Asset) -> bytes:
    return asset.decimals.to_bytes(32) + encode(("string",), (asset.symbol,))


def _abi_valid() -> list[bytes]:
    return [bytes([at]) + encode(*shape) for at, shape in enumerate(SHAPES)]


def _abi_decode(data: bytes) -> Any:
    types = SHAPES[data[0] % len(SHAPES) if data else 0][0]
    return data[:1], types, decode(types, data[1:])


def _abi_encode(value: Any) -> bytes:
    first, types, values = value
    return bytes(first + encode(types, values))


@cache
def _outputs() -> list[tuple[str, Any]]:
    return [
        (name, method)
        for name in CONTRACTS
        for method in artifact(name).interface.methods.values()
        if method.outputs
    ]


def _sample(kind: ABIType) -> Any:
    """A value of an ABI type."""
    if kind.arrlist:
        return (_sample(kind.item_type),) * (kind.arrlist[-1][0] if kind.arrlist[-1] else 2)
    if isinstance(kind, TupleType):
        return tuple(map(_sample, kind.components))
    assert isinstance(kind, BasicType)
    match kind.base:
        case "uint" | "int":
            return 5
        case "bool":
            return True
        case "address":
            return HERE
        case "string":
            return "text"
    return b"a" * kind.sub if kind.sub else b"some bytes"


def _samples(types: Sequence[str]) -> tuple[Any, ...]:
    return tuple(_sample(parse(each)) for each in types)


def _method_valid() -> list[bytes]:
    return [
        at.to_bytes(2) + encode(method.outputs, _samples(method.outputs))
        for at, (_, method) in enumerate(_outputs())
    ]


def _method_decode(data: bytes) -> Any:
    methods = _outputs()
    return methods[int.from_bytes(data[:2]) % len(methods)][1].decode(data[2:])


def _events() -> list[Any]:
    return [event for name in CONTRACTS for event in artifact(name).interface.events.values()]


_EVENTS = _events()


def _event_decode(data: bytes) -> Any:
    """Read: which event, how many topics, the topics, the data."""
    event = _EVENTS[(data[0] if data else 0) % len(_EVENTS)]
    count = data[1] % 6 if len(data) > 1 else 0
    topics = [
        event.topic,
        *(data[2 + 32 * at : 34 + 32 * at].ljust(32, b"\0") for at in range(count)),
    ]
    return event.decode(topics, data[2 + 32 * count :])


def _event_valid() -> list[bytes]:
    made = []
    for at, event in enumerate(_EVENTS):
        indexed = [kind for _, kind, in_topic in event.parameters if in_topic]
        plain = [kind for _, kind, in_topic in event.parameters if not in_topic]
        topics = b"".join(encode((kind,), _samples((kind,))) for kind in indexed)
        made.append(bytes([at, len(indexed)]) + topics + encode(plain, _samples(plain)))
    return made


def _packets() -> list[bytes]:
    payload = Payload("model", "model", "caimi-model-1", "application/x-solidity-abi", b"\1\2")
    other = Payload("é", "", "v", "", b"\0" * 200)
    names = ("caimi-31337-0", "caimi-31338-0")
    return [
        encode_packet(Packet(300, *names, 1_700_000_000, (payload,))),
        encode_packet(Packet((1 << 64) - 1, *names, 1, (payload, other, payload))),
        encode_packet(Packet(0, "", "", 0, ())),
    ]


def _voyages() -> list[bytes]:
    return [encode(voyages._TRANSFER, _samples(voyages._TRANSFER))]


def _revert_valid() -> list[bytes]:
    return [
        error.selector + encode(kinds, _samples(kinds))
        for error in known_errors().values()
        for kinds in [[kind for _, kind in error.parameters]]
    ]


def _log(**changes: object) -> dict[str, object]:
    event = artifact("ReceiptLog").interface.events["ReceiptsAnchored"]
    return {
        "address": hexed(HERE),
        "topics": [hexed(event.topic), hexed(HERE.rjust(32, b"\0")), f"0x{1:064x}"],
        "data": f"0x{'11' * 32}{7:064x}",
        "blockNumber": "0x8",
        "transactionHash": f"0x{'aa' * 32}",
        "logIndex": "0x0",
        "removed": False,
        **changes,
    }


def _documents(*values: object) -> list[Document]:
    return [Document(json.dumps(value)) for value in values]


def _logs_decode(answer: Any) -> Any:
    log = artifact("ReceiptLog").interface
    chain = Chain(_rpc({"eth_getLogs": {"result": answer}}), LedgerId("eip155:7"), Depth(0))
    return drive(EventReader(chain, {HERE: log}).events([HERE], [], 8, 8))


def _answer_decode(answer: Any) -> Any:
    return drive(_rpc({"eth_call": answer}).ask("eth_call"))


def _batch_decode(answer: Any) -> Any:
    return in_order(answer, [1, 2, 3], "a node")


def _state_proof_decode(answers: Any) -> Any:
    block, proof = answers if isinstance(answers, list) and len(answers) == 2 else (answers, None)
    rpc = _rpc({"eth_getBlockByNumber": {"result": block}, "eth_getProof": {"result": proof}})
    slot = bytes.fromhex(MAINNET["slot"][2:])
    return drive(
        read_state_proof(rpc, bytes.fromhex(MAINNET["account"][2:]), [slot], MAINNET["number"])
    )


def _state_proofs() -> list[Document]:
    stored = {"key": MAINNET["slot"], "value": MAINNET["value"], "proof": MAINNET["storageProof"]}
    return _documents(
        [MAINNET["block"], {"accountProof": MAINNET["accountProof"], "storageProof": [stored]}]
    )


def _receipts_decode(answers: Any) -> Any:
    block, receipts = answers if isinstance(answers, list) and len(answers) == 2 else (answers, [])
    rpc = _rpc(
        {
            "eth_getBlockByNumber": {"result": block},
            "eth_getBlockReceipts": {"result": receipts},
        }
    )
    chain = Chain(rpc, LedgerId("eip155:7"), Depth(0))
    log = artifact("ReceiptLog").interface
    topics = [event.topic for event in log.events.values()]
    return drive(Completeness(chain, HERE, topics).check(8, 8, [parse_log(_log())]))


def _block_receipts() -> list[Document]:
    receipt = TransactionReceipt(2, 1, 21_000, (parse_log(_log()),))
    block = {
        "number": "0x8",
        "hash": f"0x{'bb' * 32}",
        "parentHash": f"0x{'cc' * 32}",
        "logsBloom": f"0x{bloom(receipt.logs).hex()}",
        "receiptsRoot": f"0x{receipts_root([receipt]).hex()}",
        "transactions": [f"0x{'aa' * 32}"],
    }
    told = {
        "transactionHash": f"0x{'aa' * 32}",
        "blockHash": f"0x{'bb' * 32}",
        "type": "0x2",
        "status": "0x1",
        "cumulativeGasUsed": hex(21_000),
        "logs": [_log()],
    }
    return _documents([block, [told]])


def _signed_calls() -> list[bytes]:
    call = EvmCall(LedgerId("eip155:7"), "Test", HERE, b"\1\2\3", 5, nothing)
    made = sign_call(call, SIGNER, number=7, nonce=1, gas=21_000, fees=Fees(9, 1))
    nested = b"\x02" + rlp.encode([[b"\7"], *([b"\1"] * 11)])
    return [made.signed.raw, nested]


def _heirs(document: Any) -> Any:
    heirs = read_heirs(document)
    assert all(type(entry["sequence"]) is int for entry in document)
    return heirs.root


def _recorded(raw: bytes) -> SignedCall:
    from caimi.hashing import keccak256  # noqa: PLC0415 - beside its one use

    return SignedCall(LedgerId("eip155:7"), "Test", f"0x{keccak256(raw).hex()}", raw)


def _read_recorded(raw: bytes) -> Any:
    return read_signed(_recorded(raw), 7)


def _signatures() -> list[bytes]:
    key = PrivateKey((7).to_bytes(32))
    return [SIGNER.sign_digest(DIGEST), key.sign(DIGEST, hasher=None)]


def _remote_answers() -> list[bytes]:
    return [json.dumps({"signature": hexed(signature)}).encode() for signature in _signatures()]


def _deployment_decode(document: Any) -> Any:
    return Deployment.from_dict(document if isinstance(document, dict) else {})


def _safe_batches() -> list[bytes]:
    calls = (TimelockCall(HERE, 0, b"\xab\xcd"), TimelockCall(SIGNER.account, 5, b""))
    batches = (
        SafeBatch(7, "Ending a pause", HERE, 1_700_000_000_000, calls),
        SafeBatch(7, "ünicode", b"", 0, calls[:1]),
    )
    return [write_batch(each).encode() for each in batches]


@cache
def _governed() -> EvmLedger:
    chain = Chain(_rpc({}), LedgerId("eip155:7"), Depth(0))
    return EvmLedger(chain, Deployment.from_dict(_deployment()))


def _timelock_calls() -> list[bytes]:
    ledger, timelock = _governed(), artifact("TimelockController").interface
    authority = authority_of(ledger)
    steps = [
        (each.target, 0, each.data)
        for each in (
            unpause_bridge(ledger),
            set_supply_cap(ledger, "caimi-7-0", 5),
            authority.call("", "multicall", [authority.interface["grantRole"].encode(4, HERE, 0)]),
        )
    ]
    together = [list(each) for each in zip(*steps, strict=True)]
    return [
        *(timelock["schedule"].encode(*step, bytes(32), bytes(32), 86_400) for step in steps),
        timelock["scheduleBatch"].encode(*together, bytes(32), bytes(32), 86_400),
        timelock["executeBatch"].encode(*together, bytes(32), bytes(32)),
        timelock["execute"].encode(*steps[0], bytes(32), bytes(32)),
        timelock["cancel"].encode(bytes(32)),
    ]


def _explained(data: bytes) -> list[str]:
    return Explainer(_governed(), HERE).explain(TimelockCall(HERE, 0, data))


def _deployment() -> dict[str, object]:
    return {
        "id": "eip155:7",
        "deployed_at": 3,
        "contracts": {name: hexed(bytes([at + 1]) * 20) for at, name in enumerate(NAMES)},
    }


DECODERS = (
    Decoder(
        "abi",
        ("caimi.ledgers.evm.abi.interface.decode", "caimi.ledgers.evm.abi.codec"),
        _abi_valid,
        _abi_decode,
        _abi_encode,
        # Bytes behind the last tail are a caller's to refuse: revert data and logs may carry more.
        Law.SETTLES,
        (DecodingError,),
        share=8,
    ),
    Decoder(
        "abi-method",
        ("caimi.ledgers.evm.abi.interface.Method.decode",),
        _method_valid,
        _method_decode,
        share=2,
    ),
    Decoder(
        "token",
        ("caimi.ledgers.evm.facets.tokens.EvmTokens",),
        lambda: [
            _token_encode(Asset(LedgerId("eip155:7"), HERE, symbol, decimals))
            for symbol, decimals in (("EURX", 6), ("x" * 64, 255), ("ünï", 0))
        ],
        _token_decode,
        _token_encode,
        Law.SETTLES,
    ),
    Decoder(
        "abi-event",
        ("caimi.ledgers.evm.abi.interface.EventType.decode",),
        _event_valid,
        _event_decode,
        share=2,
    ),
    Decoder(
        "abi-revert",
        ("caimi.ledgers.evm.abi.interface.ErrorType.decode", "caimi.ledgers.evm.rpc.reverts"),
        _revert_valid,
        lambda data: str(reverted("A test", data)),
        share=2,
    ),
    Decoder(
        "ibc-packet",
        ("caimi.ibc.protobuf.decode_packet", "caimi.ibc.protobuf._Reader"),
        _packets,
        decode_packet,
        encode_packet,
        Law.ONE_SPELLING,
        share=8,
    ),
    Decoder(
        "ibc-acknowledgements",
        ("caimi.ibc.protobuf.decode_acknowledgements",),
        lambda: [encode_acknowledgements(given) for given in ((b"\1",), (b"ab" * 80, b"c"))],
        decode_acknowledgements,
        encode_acknowledgements,
        Law.ONE_SPELLING,
        share=4,
    ),
    Decoder(
        "voyage",
        ("caimi.ledgers.evm.facets.voyages.ready_height",),
        _voyages,
        lambda data: ready_height(
            Packet(1, "a", "b", 5, (Payload("model", "model", "caimi-model-3", _ABI, data),))
        ),
        share=2,
    ),
    Decoder(
        "rpc-answer",
        ("caimi.ledgers.evm.rpc.client",),
        lambda: _documents(
            {"jsonrpc": "2.0", "id": 1, "result": "0x5"},
            {"id": 1, "error": {"code": -32000, "message": "no", "data": "0x08c379a0"}},
            {"id": 1, "error": {"code": 3, "message": "no", "data": {"data": "0xab"}}},
        ),
        _answer_decode,
        refuses=(RpcRefusal,),
        share=2,
    ),
    Decoder(
        "rpc-batch",
        ("caimi.ledgers.evm.rpc.http.in_order",),
        lambda: _documents(
            [{"id": 3, "result": 1}, {"id": 1, "result": 2}, {"id": 2, "result": 3}]
        ),
        _batch_decode,
        share=2,
    ),
    Decoder(
        "block",
        ("caimi.ledgers.evm.rpc.chain.parse_block", "caimi.ledgers.evm.abi.quantities"),
        lambda: _documents(
            MAINNET["block"], {"number": "0x1", "timestamp": "0x2", "hash": "0x" + "ab" * 32}
        ),
        parse_block,
    ),
    Decoder(
        "log",
        ("caimi.ledgers.evm.rpc.logs.parse_log",),
        lambda: _documents(_log()),
        parse_log,
        share=2,
    ),
    Decoder(
        "log-page",
        (
            "caimi.ledgers.evm.rpc.logs.EventReader.decode",
            "caimi.ledgers.evm.rpc.logs.EventReader._decode",
        ),
        lambda: _documents([_log(), _log(logIndex="0x1")]),
        _logs_decode,
    ),
    Decoder(
        "block-header",
        ("caimi.ledgers.evm.proofs.state_proofs.block_header",),
        lambda: _documents(MAINNET["block"]),
        block_header,
    ),
    Decoder(
        "state-proof",
        (
            "caimi.ledgers.evm.proofs.state_proofs.read_state_proof",
            "caimi.ledgers.evm.proofs.state_proofs._slot",
        ),
        _state_proofs,
        _state_proof_decode,
        share=0.5,
    ),
    Decoder(
        "block-receipts",
        ("caimi.ledgers.evm.proofs.completeness", "caimi.ledgers.evm.proofs.receipts_root"),
        _block_receipts,
        _receipts_decode,
        share=0.3,
    ),
    Decoder(
        "recorded-transaction",
        ("caimi.ledgers.evm.transactions.outgoing.read_signed",),
        _signed_calls,
        _read_recorded,
    ),
    Decoder(
        "transaction-sender",
        ("caimi.ledgers.evm.transactions.outgoing.sender_of",),
        _signed_calls,
        lambda raw: sender_of(_recorded(raw)),
        share=0.1,
    ),
    Decoder(
        "signature",
        ("caimi.signatures.recover_account",),
        _signatures,
        lambda data: recover_account(DIGEST, data),
        refuses=(MalformedSignature,),
        share=2,
    ),
    Decoder(
        "key-service-signature",
        (
            "caimi.signatures.completed",
            "caimi.signatures._scalars",
            "caimi.signatures._from_der",
            "caimi.signatures._integer",
        ),
        _signatures,
        lambda data: completed(DIGEST, data, SIGNER.account),
        lambda signature: signature,
        Law.SETTLES,
        refuses=(MalformedSignature,),
    ),
    Decoder(
        "key-service-answer",
        ("caimi.services.remote_signer.read_answer",),
        _remote_answers,
        lambda data: read_answer(data, "a service"),
    ),
    Decoder(
        "deployment",
        ("caimi.ledgers.evm.deployment.Deployment.from_dict",),
        lambda: _documents(_deployment()),
        _deployment_decode,
        lambda value: value.as_dict(),
        Law.SETTLES,
    ),
    Decoder(
        "safe-batch",
        (
            "caimi.ledgers.evm.administration.batches.read_batch",
            "caimi.ledgers.evm.administration.batches._call",
            "caimi.ledgers.evm.administration.batches._address",
        ),
        _safe_batches,
        lambda data: read_batch(data, 7),
        lambda batch: write_batch(batch).encode(),
        Law.SETTLES,
    ),
    Decoder(
        "administrators-call",
        ("caimi.ledgers.evm.administration.explaining.Explainer",),
        _timelock_calls,
        _explained,
    ),
    Decoder(
        "heirs",
        ("caimi.ledgers.evm.administration.exits.read_heirs",),
        lambda: _documents(
            [{"model": f"0x{at:064x}", "sequence": at, "to": hexed(HERE)} for at in (1, 2, 3)]
        ),
        _heirs,
    ),
    Decoder(
        "finality",
        ("caimi.ledgers.evm.rpc.finality.parse_finality",),
        lambda: ["finalized", "depth:12", "depth:0"],
        parse_finality,
        str,
        Law.SETTLES,
    ),
)
