"""Writes ibc.json, statements.json, interoperable.json, payloads.json and receipts.json.

Run: .venv/bin/python contracts/vectors/make.py

What others published stands here as published. The rest is computed with hashlib, eth-abi and
eth-account, and by none of the implementations that are tested against it.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils.crypto import keccak

FOLDER = Path(__file__).parent
ERROR = sha256(b"UNIVERSAL_ERROR_ACKNOWLEDGEMENT").digest()
ABI = "application/x-solidity-abi"


def _text(data: bytes) -> str:
    return f"0x{data.hex()}"


def _write(name: str, document: dict[str, Any]) -> None:
    (FOLDER / name).write_text(json.dumps(document, indent=1) + "\n")


# ibc.json

TRANSFER_JSON = (
    b'{"denom":"uatom","amount":"1000000","sender":"sender","receiver":"receiver","memo":"memo"}'
)
TRANSFER_ABI = encode(
    ("(string,string,string,uint256,string)",),
    (("uatom", "sender", "receiver", 1_000_000, "memo"),),
)


def _payload(ports: tuple[str, str], version: str, encoding: str, value: bytes) -> dict[str, str]:
    return {
        "sourcePort": ports[0],
        "destPort": ports[1],
        "version": version,
        "encoding": encoding,
        "value": _text(value),
    }


def _packet(
    source: str, clients: tuple[str, str], sequence: int, timeout: int, *payloads: dict[str, str]
) -> dict[str, Any]:
    hashed = b"".join(
        sha256(
            b"".join(
                sha256(part).digest()
                for part in (
                    item["sourcePort"].encode(),
                    item["destPort"].encode(),
                    item["version"].encode(),
                    item["encoding"].encode(),
                    bytes.fromhex(item["value"][2:]),
                )
            )
        ).digest()
        for item in payloads
    )
    commitment = sha256(
        b"\x02"
        + sha256(clients[1].encode()).digest()
        + sha256(timeout.to_bytes(8, "big")).digest()
        + sha256(hashed).digest()
    ).digest()
    return {
        "source": source,
        "sequence": sequence,
        "sourceClient": clients[0],
        "destClient": clients[1],
        "timeoutTimestamp": timeout,
        "payloadCount": len(payloads),
        "payloads": list(payloads),
        "commitment": _text(commitment),
    }


def _published(expected: str, made: dict[str, Any]) -> dict[str, Any]:
    assert made["commitment"] == f"0x{expected}", made["source"]
    return made


def _acknowledgement(source: str, *items: bytes) -> dict[str, Any]:
    commitment = sha256(b"\x02" + b"".join(sha256(item).digest() for item in items)).digest()
    return {
        "source": source,
        "acknowledgements": [_text(item) for item in items],
        "commitment": _text(commitment),
    }


def _path(source: str, kind: str, client: str, sequence: int) -> dict[str, Any]:
    tag = {"commitment": b"\x01", "receipt": b"\x02", "acknowledgement": b"\x03"}[kind]
    where = client.encode() + tag + sequence.to_bytes(8, "big")
    return {
        "source": source,
        "kind": kind,
        "client": client,
        "sequence": sequence,
        "path": _text(where),
        "key": _text(keccak(where)),
    }


def _ibc() -> dict[str, Any]:
    go = "ibc-go modules/core/04-channel/v2/types/commitment_test.go"
    eureka = "solidity-ibc-eureka test/solidity-ibc/ICS24HostTest.t.sol"
    ports = ("transfer", "transfer")
    tendermint = ("07-tendermint-0", "07-tendermint-1")
    ours = ("caimi-31337-0", "caimi-31338-0")
    packets = [
        _published(
            "a096722aa6534040a0efbdae05765132a7b223ad306d6512f3734821bd046505",
            _packet(
                go,
                tendermint,
                1,
                100,
                _payload(ports, "ics20-1", "application/json", TRANSFER_JSON),
            ),
        ),
        _published(
            "d408dca5088b9b375edb3c4df6bae0e18084fc0dbd90fcd0d028506553c81b25",
            _packet(go, tendermint, 1, 100, _payload(ports, "ics20-1", ABI, TRANSFER_ABI)),
        ),
        _published(
            "b691a1950f6fb0bbbcf4bdb16fe2c4d0aa7ef783eb7803073f475cb8164d9b7a",
            _packet(
                eureka,
                ("channel-0", "channel-1"),
                1,
                100,
                _payload(ports, "ics20-1", ABI, TRANSFER_ABI),
            ),
        ),
        _packet(
            "caimi",
            ours,
            2**64 - 1,
            2**64 - 1,
            _payload(("model", "model"), "caimi-model-3", ABI, b"\x01"),
        ),
        _packet(
            "caimi",
            ours,
            7,
            1_700_003_600,
            _payload(("model", "model"), "caimi-model-3", ABI, bytes(range(256))),
            _payload(("licence", "licence"), "caimi-licence-2", ABI, b"\x00" * 33),
            _payload(("a1", "b2"), "v", "raw", b"value"),
        ),
    ]
    acknowledgements = [
        _acknowledgement(go, b"some bytes"),
        _acknowledgement(go, ERROR),
        _acknowledgement("caimi", b"\x01", b"two", bytes(64)),
    ]
    assert acknowledgements[0]["commitment"][2:] == (
        "f03b4667413e56aaf086663267913e525c442b56fa1af4fa3f3dab9f37044c5b"
    )
    assert acknowledgements[1]["commitment"][2:] == (
        "e2fb30dfbf7abdeaca82d426534d2b3a9d5444dd2a87fa16d38b77ba1a13ced7"
    )
    paths = [
        _path(eureka, "commitment", "channel-0", 1),
        _path(eureka, "receipt", "channel-1", 2),
        _path(eureka, "acknowledgement", "channel-2", 3),
        _path("caimi", "commitment", "caimi-31337-0", 2**64 - 1),
        _path("caimi", "receipt", "caimi-31337-0", 256),
        _path("caimi", "acknowledgement", "caimi-31337-0", 256),
    ]
    assert [item["path"][2:] for item in paths[:3]] == [
        "6368616e6e656c2d30010000000000000001",
        "6368616e6e656c2d31020000000000000002",
        "6368616e6e656c2d32030000000000000003",
    ]
    return {
        "universalError": _text(ERROR),
        "packets": packets,
        "acknowledgements": acknowledgements,
        "paths": paths,
    }


# statements.json

STATEMENT = [
    {"name": "origin", "type": "bytes32"},
    {"name": "committee", "type": "bytes32"},
    {"name": "from", "type": "uint64"},
    {"name": "height", "type": "uint64"},
    {"name": "time", "type": "uint64"},
    {"name": "root", "type": "bytes32"},
    {"name": "size", "type": "uint32"},
]
ROTATION = [
    {"name": "origin", "type": "bytes32"},
    {"name": "committee", "type": "bytes32"},
    {"name": "epoch", "type": "uint64"},
    {"name": "threshold", "type": "uint16"},
    {"name": "members", "type": "address[]"},
    {"name": "operators", "type": "bytes"},
]
DOMAIN = [{"name": "name", "type": "string"}, {"name": "version", "type": "string"}]
KEYS = sorted(
    (keccak(f"validator {number}".encode()) for number in range(7)),
    key=lambda key: bytes.fromhex(Account.from_key(key).address[2:]),
)


def _signable(
    primary: str,
    members: list[dict[str, str]],
    message: dict[str, Any],
    domain: tuple[str, str] = ("CAIMI", "1"),
) -> SignableMessage:
    return encode_typed_data(
        full_message={
            "types": {"EIP712Domain": DOMAIN, primary: members},
            "primaryType": primary,
            "domain": dict(zip(("name", "version"), domain, strict=True)),
            "message": message,
        }
    )


def _digest_of(message: SignableMessage) -> bytes:
    return keccak(b"\x19\x01" + message.header + message.body)


def _signatures(message: SignableMessage, keys: list[bytes]) -> str:
    return _text(b"".join(bytes(Account.sign_message(message, key).signature) for key in keys))


def _committee(epoch: int, threshold: int, keys: list[bytes]) -> dict[str, Any]:
    members = [Account.from_key(key).address for key in keys]
    operators = bytes(range(len(members)))
    kinds = ("uint64", "uint16", "address[]", "bytes")
    value = encode(kinds, (epoch, threshold, members, operators))
    return {
        "epoch": epoch,
        "threshold": threshold,
        "members": members,
        "operators": _text(operators),
        "hash": _text(keccak(value)),
    }


def _statements() -> dict[str, Any]:
    gateway = bytes.fromhex("00010000027a6914" + "11" * 20)
    first, second = _committee(0, 3, KEYS[:5]), _committee(1, 4, KEYS)
    made = []
    for kind, start, height in (("Checkpoint", 10, 12), ("Absence", 12, 12)):
        fields = {
            "origin": _text(keccak(gateway)),
            "committee": first["hash"],
            "from": start,
            "height": height,
            "time": 1_700_000_000,
            "root": _text(keccak(kind.encode())),
            "size": 3,
        }
        message = _signable(kind, STATEMENT, fields)
        made.append(
            {
                "kind": kind,
                **fields,
                "digest": _text(_digest_of(message)),
                "signers": 0b10101,
                "signatures": _signatures(message, [KEYS[0], KEYS[2], KEYS[4]]),
            }
        )
    rotation = {
        "origin": _text(keccak(gateway)),
        "committee": first["hash"],
        "epoch": second["epoch"],
        "threshold": second["threshold"],
        "members": second["members"],
        "operators": second["operators"],
    }
    message = _signable("Rotation", ROTATION, rotation)
    return {
        "gateway": _text(gateway),
        "committees": [first, second],
        "statements": made,
        "rotation": {
            **rotation,
            "digest": _text(_digest_of(message)),
            "signers": 0b00111,
            "signatures": _signatures(message, KEYS[:3]),
        },
    }


# interoperable.json

ACCOUNT = "d8da6bf26964af9d7eed9e03e53415d37aa96045"


def _interoperable() -> dict[str, Any]:
    return {
        "valid": [
            {"data": "0x00010000010100", "caip": "eip155:1"},
            {"data": f"0x00010000010114{ACCOUNT}", "caip": f"eip155:1:0x{ACCOUNT}"},
            {"data": "0x00010000027a6900", "caip": "eip155:31337"},
            {"data": f"0x00010000027a6914{ACCOUNT}", "caip": f"eip155:31337:0x{ACCOUNT}"},
            {"data": "0x0001000003aa36a700", "caip": "eip155:11155111"},
        ],
        "malformed": [
            {"data": "0x", "why": "nothing"},
            {"data": "0x0001000001", "why": "truncated before the reference"},
            {"data": "0x000100000000", "why": "neither chain nor account"},
            {"data": "0x00020000010100", "why": "another version"},
            {"data": "0x000100000301", "why": "reference shorter than its length"},
            {"data": "0x000100000101", "why": "no address length"},
            {"data": "0x00010000010114d8da", "why": "address shorter than its length"},
            {"data": "0x0001000001010000", "why": "trailing byte"},
            {"data": "0x0001000002000100", "why": "chain number with a leading zero"},
            {"data": f"0x00010000010113{ACCOUNT[2:]}", "why": "an EVM account of 19 bytes"},
        ],
    }


# payloads.json


SAID_AT_HOME = "(uint64,uint64,string,bytes32,uint64,bytes24)"
TRANSFER = f"((bytes,bytes,string,bytes[],{SAID_AT_HOME}),bytes,bytes,uint64,uint64)"
PUBLICATION = [
    {"name": "ledger", "type": "string"},
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "modelId", "type": "bytes32"},
    {"name": "manifest", "type": "bytes32"},
]


def _model_id(home: bytes, publisher: bytes, name: str) -> bytes:
    return keccak(encode(("bytes", "bytes", "string"), (home, publisher, name)))


def _home(chain_type: int, reference: bytes, account: bytes) -> bytes:
    head = bytes.fromhex("0001") + chain_type.to_bytes(2, "big")
    return head + bytes([len(reference)]) + reference + bytes([len(account)]) + account


def _models() -> list[dict[str, str]]:
    """Models whose homes are of three kinds; 0xff03 and 0xff04 are provisional."""
    of = [
        (_home(0, bytes.fromhex("7a69"), b"\x11" * 20), b"\x22" * 20, "tumour-mlp"),
        (_home(0xFF04, b"toys", b"registry"), b"geppetto", "digits"),
        (_home(0xFF03, b"c" * 32, b"r" * 64), b"\x00" * 63 + b"\x01", "z" * 64),
    ]
    return [
        {
            "home": _text(home),
            "publisher": _text(publisher),
            "name": name,
            "modelId": _text(_model_id(home, publisher, name)),
        }
        for home, publisher, name in of
    ]


def _publication(home: bytes, publisher: bytes, name: str, manifest: bytes) -> dict[str, str]:
    """A publication in the registry `home` of eip155:31337, its leaf, and what is signed."""
    model = _model_id(home, publisher, name)
    whole = _home(0, bytes.fromhex("7a69"), publisher)
    version = "1.0.0"
    leaf = keccak(
        keccak(
            encode(
                ("bytes", "bytes32", "bytes32", "bytes32"),
                (whole, model, keccak(version.encode()), manifest),
            )
        )
    )
    fields = {
        "ledger": "eip155:31337",
        "name": name,
        "version": version,
        "modelId": _text(model),
        "manifest": _text(manifest),
    }
    return {
        "publisher": _text(whole),
        **fields,
        "leaf": _text(leaf),
        "digest": _text(_digest_of(_signable("Publication", PUBLICATION, fields))),
    }


def _licence(model: int, consumer: bytes) -> dict[str, Any]:
    asset, payee = b"\x77" * 20, bytes.fromhex("00010000027a6a14" + "33" * 20)
    bought = (model, keccak(b"1.0.0"), keccak(consumer))
    licence = keccak(encode(("uint256", "bytes32", "bytes32"), bought))
    return {
        "modelId": _text(model.to_bytes(32, "big")),
        "version": "1.0.0",
        "consumer": _text(consumer),
        "asset": _text(asset),
        "amount": "0x" + (5 * 10**18).to_bytes(32, "big").hex(),
        "value": _text(
            encode(
                ("uint8", "uint256", "string", "bytes", "bytes", "uint256"),
                (2, model, "1.0.0", consumer, asset, 5 * 10**18),
            )
        ),
        "licenceId": _text(licence),
        "payee": _text(payee),
        "answer": _text(encode(("uint8", "bytes32", "bytes"), (2, licence, payee))),
    }


def _payloads() -> dict[str, Any]:
    home = bytes.fromhex("00010000027a6914" + "11" * 20)
    consumer = bytes.fromhex("00010000027a6a14" + ACCOUNT)
    publisher = b"\x22" * 20
    model = int.from_bytes(_model_id(home, publisher, "tumour-mlp"), "big")
    message = b"payload of a message"
    hops = [bytes.fromhex(f"00010000027a{number:02x}00") for number in (0x6A, 0x6B, 0x6C)]
    path = hops[:2]
    manifest, digest = bytes.fromhex("33" * 32), bytes.fromhex("44" * 24)
    stated = (1_700_000_000, 3, "1.1.0", manifest, 7, digest)
    foreign = (home, publisher, "tumour-mlp", path, stated)
    return {
        "model": {
            "home": _text(home),
            "publisher": _text(publisher),
            "name": "tumour-mlp",
            "path": [_text(hop) for hop in path],
            "time": stated[0],
            "versionCount": stated[1],
            "version": stated[2],
            "manifest": _text(manifest),
            "licenceCount": stated[4],
            "licenceDigest": _text(digest + bytes(8)),
            "sender": "0x" + "22" * 20,
            "recipient": f"0x{ACCOUNT}",
            "sentAt": 1_000,
            "minDepth": 64,
            "value": _text(
                encode(
                    ("uint8", TRANSFER),
                    (1, (foreign, b"\x22" * 20, bytes.fromhex(ACCOUNT), 1_000, 64)),
                )
            ),
        },
        "tokens": {
            "modelId": _text(model.to_bytes(32, "big")),
            "path": [_text(hop) for hop in hops],
            "ids": [
                _text(keccak(encode(("uint256", "bytes[]"), (model, hops[:length]))))
                for length in (1, 2, 3)
            ],
        },
        "models": _models(),
        "publication": _publication(home, publisher, "tumour-mlp", manifest),
        "licence": _licence(model, consumer),
        "message": {
            "sender": _text(home),
            "recipient": _text(consumer),
            "payload": _text(message),
            "value": _text(
                encode(("uint8", "bytes", "bytes", "bytes"), (3, home, consumer, message))
            ),
        },
    }


# receipts.json

RECEIPT = [
    {"name": "ledger", "type": "string"},
    {"name": "modelId", "type": "bytes32"},
    {"name": "version", "type": "string"},
    {"name": "manifest", "type": "bytes32"},
    {"name": "inputHash", "type": "bytes32"},
    {"name": "outputHash", "type": "bytes32"},
    {"name": "engine", "type": "string"},
    {"name": "price", "type": "uint256"},
    {"name": "nonce", "type": "bytes32"},
    {"name": "time", "type": "uint64"},
    {"name": "worker", "type": "string"},
]


def _receipts() -> dict[str, Any]:
    made = []
    for answer in ("", "caimi/2/f32"):
        said = {
            "ledger": "fabric:models",
            "modelId": _text(keccak(b"model")),
            "version": "1.0.0",
            "manifest": _text(sha256(b"manifest").digest()),
            "inputHash": _text(sha256(b"input").digest()),
            "outputHash": _text(sha256(b"output").digest()),
            "engine": "caimi-wasm/2/simd" if answer else "onnxruntime/1.23.2/cpu",
            **({"answer": answer} if answer else {}),
            "price": 10**18,
            "nonce": _text(keccak(b"nonce")),
            "time": 1_700_000_000,
            "worker": f"eip155:31337:{Account.from_key(KEYS[0]).address}",
        }
        members = [*RECEIPT[:7], {"name": "answer", "type": "string"}, *RECEIPT[7:]]
        message = _signable(
            "ExactReceipt" if answer else "Receipt",
            members if answer else RECEIPT,
            said,
            ("CAIMI Receipt", "2"),
        )
        digest = _digest_of(message)
        document = said | {
            "format": "caimi/receipt/2",
            "price": str(said["price"]),
            "signature": _signatures(message, KEYS[:1]),
        }
        made.append(
            {
                "receipt": json.dumps(document, sort_keys=True, separators=(",", ":")),
                "digest": _text(digest),
                "leaf": _text(keccak(keccak(digest))),
            }
        )
    return {"receipts": made}


if __name__ == "__main__":
    _write("ibc.json", _ibc())
    _write("statements.json", _statements())
    _write("interoperable.json", _interoperable())
    _write("payloads.json", _payloads())
    _write("receipts.json", _receipts())
