"""Writes custody.json: TDH2 ciphertexts and shares, and every domain-separated hash of custody.

Run: .venv/bin/python contracts/vectors/make_custody.py

Computed from docs/protocol.md with the arithmetic below, hashlib, hmac and AES-GCM, and by nothing
of the implementation that is tested against it; what is signed, by eth_account from the types that
the protocol shows. Secrets and nonces are fixed, and worth nothing.
"""

import hmac
import json
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils.crypto import keccak

Point = tuple[int, int]

P = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G: Point = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
WELL_FORMED, SHARE = b"caimi/tdh2/v1/well-formed", b"caimi/tdh2/v1/share"
THRESHOLD, TOTAL = 2, 3
REQUEST = (
    "string ledger,bytes32 modelId,string version,string consumer,bytes recipientKey,"
    "bytes ciphertext,bytes32 policy,bytes32 credentials,bytes32 nonce,uint64 issuedAt"
)
ANSWER = (
    "bytes32 request,bytes label,uint64 index,uint256 keyX,uint256 keyY,uint256 baseX,"
    "uint256 baseY,uint256 shareX,uint256 shareY,uint256 challenge,uint256 response"
)
RELEASE = (
    "bytes32 request,string ledger,bytes32 modelId,string version,string consumer,uint64 index,"
    "bytes32 group,uint64 time,bytes32 policy"
)


def add(a: Point, b: Point) -> Point:
    """Add two points; neither the sum nor a summand is the point at infinity here."""
    slope = (
        3 * a[0] * a[0] * pow(2 * a[1], -1, P)
        if a == b
        else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    )
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(scalar: int, point: Point) -> Point:
    """Multiply by doubling and adding."""
    found = None
    for bit in bin(scalar)[:1:-1]:
        if bit == "1":
            found = point if found is None else add(found, point)
        point = add(point, point)
    assert found is not None
    return found


def raw(point: Point) -> bytes:
    """Encode compressed (SEC 1, section 2.3.3)."""
    return bytes([2 + point[1] % 2]) + point[0].to_bytes(32)


def second_generator() -> Point:
    """Find the first counter whose hash is the x coordinate of a point, and take the even y."""
    for counter in range(256):
        x = int.from_bytes(sha256(b"caimi/custody/v1/second-generator" + bytes([counter])).digest())
        y = pow(x**3 + 7, (P + 1) // 4, P)
        if (y * y - x**3 - 7) % P == 0:
            return x, y if y % 2 == 0 else P - y
    raise AssertionError


def scalar_of(domain: bytes, *parts: bytes) -> int:
    """H(domain, parts…)."""
    framed = b"".join(len(part).to_bytes(8) + part for part in (domain, *parts))
    return int.from_bytes(sha512(framed).digest()) % ORDER


def prove(domain: bytes, context: tuple[bytes, ...], base: Point, secret: int, nonce: int) -> bytes:
    """Give a proof that one scalar takes G to its image and `base` to its own."""
    points = (base, times(secret, G), times(secret, base), times(nonce, G), times(nonce, base))
    challenge = scalar_of(domain, *context, *map(raw, points))
    return challenge.to_bytes(32) + ((nonce + secret * challenge) % ORDER).to_bytes(32)


def hkdf(secret: bytes, info: bytes) -> bytes:
    """Give 32 bytes of HKDF-SHA256 without salt (RFC 5869)."""
    return hmac.digest(hmac.digest(bytes(32), secret, "sha256"), info + b"\x01", "sha256")


def blob(data: bytes) -> bytes:
    """Write a length of two bytes, and the data."""
    return len(data).to_bytes(2) + data


def _ciphertext(domain: bytes, public: Point, secret: bytes, label: bytes) -> tuple[Point, bytes]:
    r, nonce, second = scalar_of(b"r"), scalar_of(b"nonce"), second_generator()
    ephemeral, twin = times(r, G), times(r, second)
    key = hkdf(raw(times(r, public)) + raw(ephemeral), b"caimi/tdh2/v1/key" + label)
    sealed = AESGCM(key).encrypt(bytes(12), secret, label)
    proof = prove(domain, (raw(public), label, sealed), second, r, nonce)
    points = raw(ephemeral) + raw(twin)
    tag = b"caimi/tdh2-ciphertext/v1"
    return ephemeral, tag + blob(label) + points + proof + blob(sealed)


def _share(domain: bytes, ephemeral: Point, index: int, secret: int) -> bytes:
    proof = prove(domain, (), ephemeral, secret, scalar_of(b"share nonce", bytes([index])))
    point = raw(times(secret, ephemeral))
    return b"caimi/tdh2-share/v1" + bytes([index]) + point + proof


def typed(name: str, members: str, *values: object) -> SignableMessage:
    """Give what is signed of typed data (EIP-712) of domain name "CAIMI", version "1"."""
    fields = [dict(zip(("type", "name"), each.split(), strict=True)) for each in members.split(",")]
    named = [field["name"] for field in fields]
    domain = {"name": "CAIMI", "version": "1"}
    return encode_typed_data(domain, {name: fields}, dict(zip(named, values, strict=True)))


def digest(message: SignableMessage) -> bytes:
    """Give the digest that is signed."""
    return keccak(b"\x19" + message.version + message.header + message.body)


def _signed(
    label: bytes, group: bytes, ciphertext: bytes, ephemeral: Point, secret: int
) -> dict[str, object]:
    """A request, and custodian 2's answer with its release, as JSON has them."""
    consumer, custodian = (Account.from_key(scalar_of(name)) for name in (b"buyer", b"custodian"))
    credentials = ['{"a": "credential"}', "eyJ0.eyJ2.c2ln~"]
    asked = {
        "ledger": "eip155:1",
        "model_id": label[12:44],
        "version": "1.0.0",
        "consumer": f"eip155:10:{consumer.address}",
        "hpke_public_key": b"\x0c" * 1216,
        "ciphertext": ciphertext,
        "policy": b"\x0d" * 32,
        "credentials": credentials,
        "nonce": b"\x0e" * 32,
        "issued_at": 1_800_000_000,
    }
    shown = b"".join(keccak(text.encode()) for text in credentials)
    values = {**asked, "credentials": keccak(shown)}
    request = typed("ShareRequest", REQUEST, *values.values())
    share = _share(SHARE, ephemeral, 2, secret)
    proof = share[-64:]
    points = (*times(secret, G), *ephemeral, *times(secret, ephemeral))
    scalars = int.from_bytes(proof[:32]), int.from_bytes(proof[32:])
    answer = typed("ShareAnswer", ANSWER, digest(request), label, 2, *points, *scalars)
    released = {
        "request": digest(request),
        **{name: asked[name] for name in ("ledger", "model_id", "version", "consumer")},
        "index": 2,
        "group": sha256(group).digest(),
        "time": 1_800_000_003,
        "policy": asked["policy"],
    }
    release = typed("KeyRelease", RELEASE, *released.values())
    signatures = {
        "request": bytes(consumer.sign_message(request).signature),
        "answer": bytes(custodian.sign_message(answer).signature),
        "release": bytes(custodian.sign_message(release).signature),
    }
    return {
        "request": {
            "format": "caimi/share-request/2", **asked, "signature": signatures["request"]
        },
        "requestDigest": digest(request),
        "credentialsHash": values["credentials"],
        "custodian": bytes.fromhex(custodian.address[2:]),
        "answerDigest": digest(answer),
        "answer": b"caimi/share-answer/v1" + share + signatures["answer"],
        "release": {
            "format": "caimi/key-release/1", **released, "signature": signatures["release"]
        },
        "releaseDigest": digest(release),
    }  # fmt: skip


def _hexed(value: object) -> object:
    if isinstance(value, dict):
        return {name: _hexed(each) for name, each in value.items()}
    return f"0x{value.hex()}" if isinstance(value, bytes) else value


def _custody() -> dict[str, Any]:
    model, version, secret = bytes(range(32)), "1.0.0", b"the content key"
    label = b"caimi/key/v1" + model + sha256(version.encode()).digest()
    coefficients = [scalar_of(b"coefficient", bytes([power])) for power in range(THRESHOLD)]
    secrets = [
        sum(a * index**power for power, a in enumerate(coefficients)) % ORDER
        for index in range(1, TOTAL + 1)
    ]
    public = times(coefficients[0], G)
    points = b"".join(raw(times(scalar, G)) for scalar in secrets)
    ephemeral, ciphertext = _ciphertext(WELL_FORMED, public, secret, label)
    group = b"caimi/group-key/v1" + bytes([THRESHOLD, TOTAL]) + raw(public) + points
    consumer = "eip155:1:0x8ba1f109551bD432803012645Ac136ddd64DBA72"
    nonce, session, transport = b"\x07" * 32, b"\x08" * 32, b"\x09" * 1216
    identity, body, ceremony = raw(G), b"a body", b"\x0a" * 32
    found = {
        "secondGenerator": raw(second_generator()),
        "modelId": model,
        "label": label,
        "group": group,
        "secret": secret,
        "ciphertext": ciphertext,
        "ciphertextOfTheShareDomain": _ciphertext(SHARE, public, secret, label)[1],
        "deliveryInfo": b"caimi/share-delivery/v1"
        + blob(label)
        + blob(consumer.encode())
        + bytes([3])
        + nonce,
        "nonce": nonce,
        "session": session,
        "transport": transport,
        "identity": identity,
        "body": body,
        "ceremony": ceremony,
        "enrolmentDigest": sha256(b"caimi/dkg-enrolment/v1" + session + transport).digest(),
        "ceremonyDigest": sha256(
            b"caimi/dkg-ceremony/v2"
            + session
            + bytes([THRESHOLD, TOTAL])
            + blob(b"")
            + identity
            + transport
        ).digest(),
        "broadcastCeremonyDigest": sha256(
            b"caimi/dkg-ceremony/v2"
            + session
            + bytes([THRESHOLD, TOTAL])
            + blob(blob(b"eip155:1") + b"\x0b" * 20 + (12).to_bytes(8) + (13).to_bytes(8))
            + identity
            + transport
        ).digest(),
        "roundRoot": sha256(
            b"caimi/dkg-round/v1"
            + ceremony
            + bytes([4])
            + bytes([2])
            + sha256(body).digest()
            + bytes([3])
            + sha256(b"").digest()
        ).digest(),
        "messageDigest": sha256(b"caimi/dkg-message/v1" + ceremony + bytes([4, 2]) + body).digest(),
        "pairInfo": b"caimi/dkg-share/v1" + ceremony + bytes([5, 6]),
    }
    return {
        "version": version,
        "consumer": consumer,
        "threshold": THRESHOLD,
        "total": TOTAL,
        "keyShares": [f"0x{scalar:064x}" for scalar in secrets],
        "shares": [
            f"0x{_share(SHARE, ephemeral, index, scalar).hex()}"
            for index, scalar in enumerate(secrets, start=1)
        ],
        "sharesOfTheCiphertextDomain": [
            f"0x{_share(WELL_FORMED, ephemeral, index, scalar).hex()}"
            for index, scalar in enumerate(secrets, start=1)
        ],
        **{name: f"0x{value.hex()}" for name, value in found.items()},
        "signed": _hexed(_signed(label, group, ciphertext, ephemeral, secrets[1])),
    }


if __name__ == "__main__":
    path = Path(__file__).with_name("custody.json")
    path.write_text(json.dumps(_custody(), indent=1) + "\n")
