"""Decoders of what custodians, members of a key generation and their files send."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from hashlib import scrypt
from pathlib import Path
from typing import Any

from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caimi.client.bindings import Binding, bind
from caimi.custody import dleq, keyshare_file
from caimi.custody.answer import Asked, SignedShare
from caimi.custody.delivery import SEALED_OVERHEAD, RecipientKey, check_recipient
from caimi.custody.dkg.ceremony import Broadcast, Ceremony, Enrolment, Round, SignedMessage
from caimi.custody.dkg.messages import (
    SEALED_PAIR_BYTES,
    Complaints,
    Confirmation,
    Dealing,
    Extraction,
    Reveals,
    SharePair,
)
from caimi.custody.dkg.order import Order, Step
from caimi.custody.evidence import WrongShareEvidence
from caimi.custody.group import Point, generator_times, scalar_from_bytes, scalar_to_bytes
from caimi.custody.key_release import KeyRelease, SignedKeyRelease
from caimi.custody.keys import GroupKey, KeyShare
from caimi.custody.keyshare_file import load_key_share
from caimi.custody.request import ShareRequest, SignedShareRequest
from caimi.custody.response import SEALED_BYTES, ShareResponse
from caimi.custody.tdh2 import Ciphertext, DecryptionShare
from caimi.custody.tombstones import FileTombstones
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import LedgerId
from fuzz.decoder import Decoder, Document, Law

SIGNER = LocalSigner((7).to_bytes(32))
CONSUMER = "eip155:31338:0x52908400098527886E0F7030069857D2E4169EE7"
HEARD = (b"\xaa" * 32, bytes(32))
PASSPHRASE = b"open sesame"
_FOLDER = tempfile.TemporaryDirectory()


def _points(count: int) -> tuple[Point, ...]:
    return tuple(generator_times(5 + at) for at in range(count))


def _recipient() -> RecipientKey:
    return RecipientKey(
        MLKEM768PrivateKey.from_seed_bytes(b"\7" * 64),
        X25519PrivateKey.from_private_bytes(b"\7" * 32),
    )


def key_share() -> KeyShare:
    # The polynomial 11 + 13 x.
    values = [11 + 13 * index for index in (1, 2, 3)]
    group = GroupKey(generator_times(11), 2, 3, tuple(map(generator_times, values)))
    return KeyShare(2, values[1], group)


def _ciphertext() -> Ciphertext:
    first, second = _points(2)
    return Ciphertext(b"label", first, second, dleq.EqualityProof(3, 4), b"\x55" * 48)


def _binding() -> Binding:
    near, far = (EvmAccounts(LedgerId(name)).wallet(SIGNER) for name in ("eip155:1", "eip155:2"))
    return bind(near, far, 1_800_000_000)


def _request() -> SignedShareRequest:
    request = ShareRequest(
        ledger="eip155:31337",
        model_id=b"\1" * 32,
        version="1.0.0",
        consumer=CONSUMER,
        hpke_public_key=_recipient().public_bytes,
        ciphertext=_ciphertext().to_bytes(),
        issued_at=1_800_000_000,
        policy=b"\3" * 32,
        credentials=('{"a": "credential"}', "another"),
        nonce=b"\2" * 32,
    )
    return request.sign_for_contract(EvmAccounts(LedgerId("eip155:31338")).wallet(SIGNER))


def _answer() -> SignedShare:
    return SignedShare(DecryptionShare(2, _points(1)[0], dleq.EqualityProof(3, 4)), b"\5" * 65)


def _evidence() -> WrongShareEvidence:
    return WrongShareEvidence(Asked(b"\6" * 32, _ciphertext(), _points(1)[0]), _answer())


def _release() -> SignedKeyRelease:
    group = key_share().group
    return KeyRelease.of(_request().request, 2, group, 1_800_000_000).sign(SIGNER)


def _response() -> ShareResponse:
    return ShareResponse(2, b"\1" * SEALED_BYTES, _release())


def _enrolment() -> Enrolment:
    return Enrolment.sign(b"\3" * 32, PrivateKey((7).to_bytes(32)), _recipient().public_bytes)


def _message() -> SignedMessage:
    return SignedMessage(b"\4" * 32, Round(1), 2, b"a body", b"\5" * 64)


def _ceremony() -> Ceremony:
    keys = [PrivateKey((at).to_bytes(32)) for at in (7, 8)]
    members = [Enrolment.sign(b"\3" * 32, key, _recipient().public_bytes) for key in keys]
    return Ceremony(b"\3" * 32, 2, tuple(members), Broadcast("eip155:7", bytes(20), 3, 4))


def _order() -> Order:
    return Order(b"\3" * 32, Step.ABORT, b"\2" * 33, 1_800_000_000_000, "{}", b"\5" * 65)


def _share_file() -> list[bytes]:
    header = keyshare_file._TAG + bytes([14]) + b"\6" * 16 + b"\7" * 12
    key = scrypt(PASSPHRASE, salt=b"\6" * 16, n=1 << 14, r=8, p=1, maxmem=1 << 26, dklen=32)
    return [header + AESGCM(key).encrypt(b"\7" * 12, key_share().to_bytes(), header)]


def _in_file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    def decode(data: bytes) -> Any:
        path = Path(_FOLDER.name) / name
        path.touch(mode=0o600)
        path.write_bytes(data)
        return read(path)

    return decode


def _binary(name: str, kind: Any, *valid: Any, share: float = 1.0) -> Decoder:
    return Decoder(
        name,
        (f"{kind.__module__}.{kind.__qualname__}.from_bytes",),
        lambda: [value.to_bytes() for value in valid],
        kind.from_bytes,
        lambda value: value.to_bytes(),
        Law.ONE_SPELLING,
        share=share,
    )


def _json(name: str, kind: Any, make: Callable[[], Any], share: float = 1.0) -> list[Decoder]:
    """The same decoder of damaged text, and of damaged fields."""
    covers = (f"{kind.__module__}.{kind.__qualname__}.from_json", "caimi.custody.encoding")

    def decoder(suffix: str, form: type[str], read: Callable[[Any], Any]) -> Decoder:
        return Decoder(
            name + suffix,
            covers,
            lambda: [form(make().to_json())],
            read,
            lambda value: value.to_json(),
            Law.SETTLES,
            share=share,
        )

    def read_fields(document: Any) -> Any:
        # What was encoded comes back as text.
        return kind.from_json(document if type(document) is str else json.dumps(document))

    return [decoder("", str, kind.from_json), decoder("-fields", Document, read_fields)]


DECODERS = (
    Decoder(
        "point",
        ("caimi.custody.group.Point.from_bytes",),
        lambda: [point.to_bytes() for point in _points(5)],
        Point.from_bytes,
        lambda value: value.to_bytes(),
        Law.ONE_SPELLING,
        share=2,
    ),
    Decoder(
        "scalar",
        ("caimi.custody.group.scalar_from_bytes",),
        lambda: [scalar_to_bytes(5)],
        scalar_from_bytes,
        scalar_to_bytes,
        Law.ONE_SPELLING,
        share=2,
    ),
    _binary("dleq-proof", dleq.EqualityProof, dleq.EqualityProof(3, 4), share=2),
    _binary("share-pair", SharePair, SharePair(3, 4), share=2),
    _binary("dealing", Dealing, Dealing(_points(2), (b"\x66" * SEALED_PAIR_BYTES,) * 3), share=2),
    _binary("complaints", Complaints, Complaints(HEARD, (1, 3)), Complaints((), ()), share=4),
    _binary("reveals", Reveals, Reveals(HEARD, {1: SharePair(3, 4), 3: SharePair(5, 6)}), share=4),
    _binary("extraction", Extraction, Extraction(HEARD, _points(2)), share=2),
    _binary("confirmation", Confirmation, Confirmation(HEARD, b"\1" * 32), share=4),
    _binary("ceremony-message", SignedMessage, _message(), share=4),
    _binary("sealed-key", Ciphertext, _ciphertext(), share=2),
    _binary(
        "decryption-share",
        DecryptionShare,
        DecryptionShare(2, _points(1)[0], dleq.EqualityProof(3, 4)),
        share=2,
    ),
    _binary("share-answer", SignedShare, _answer(), share=2),
    _binary("group-key", GroupKey, key_share().group, share=0.2),
    _binary("key-share", KeyShare, key_share(), share=0.2),
    *_json("share-request", SignedShareRequest, _request, share=0.5),
    *_json("share-response", ShareResponse, _response, share=0.5),
    *_json("key-release", SignedKeyRelease, _release, share=0.5),
    *_json("wrong-share-evidence", WrongShareEvidence, _evidence, share=0.5),
    *_json("binding", Binding, _binding),
    *_json("enrolment", Enrolment, _enrolment, share=0.5),
    *_json("ceremony-message-json", SignedMessage, _message),
    *_json("ceremony", Ceremony, _ceremony, share=0.2),
    *_json("key-generation-order", Order, _order),
    Decoder(
        "recipient-key",
        ("caimi.custody.delivery._parse_public",),
        lambda: [_recipient().public_bytes],
        check_recipient,
        share=0.5,
    ),
    Decoder(
        "sealed-message",
        ("caimi.custody.delivery.RecipientKey.open",),
        lambda: [b"\1" * (SEALED_OVERHEAD + 40)],
        lambda data: _recipient().open(data, b"info"),
        share=0.1,
    ),
    Decoder(
        "key-share-file",
        ("caimi.custody.keyshare_file.load_key_share",),
        _share_file,
        _in_file("share", lambda path: load_key_share(path, PASSPHRASE)),
        share=0.0005,
    ),
    Decoder(
        "tombstones",
        ("caimi.custody.tombstones._load",),
        lambda: [(b"ab" * 76 + b"\n") * 3, b"ab" * 76 + b"\n" + b"cd" * 76],
        _in_file("tombstones", FileTombstones),
        share=0.1,
    ),
)
