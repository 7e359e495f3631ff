"""Decoders of what nodes of ours are asked and what they answer, over HTTP."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from typing import Any

import httpx
from coincurve import PrivateKey
from fastapi import Request

from caimi.client.fees import ask_quote
from caimi.custody.delivery import RecipientKey
from caimi.custody.dkg.ceremony import Broadcast, Ceremony, Enrolment, Round, SignedMessage
from caimi.custody.dkg.messages import Confirmation
from caimi.custody.encoding import hex_text
from caimi.ibc.path import Path, PathKind
from caimi.ibc.statements import Kind
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.evm.abi.assets import coin_of
from caimi.ledgers.evm.abi.quantities import hexed
from caimi.ledgers.port import LedgerId, Route
from caimi.messaging.checkpoint import Attestation, LedgerStatement, make_committee
from caimi.messaging.handover import Handover, Planned
from caimi.messaging.ibc_attestations import (
    IbcAttestation,
    PacketAttestation,
    StateAttestation,
    path_document,
    read_path,
)
from caimi.messaging.rotation import Rotation
from caimi.node.app import MAX_ABSENCES, _packet_name
from caimi.node.ceremony_records import CeremonyRecord
from caimi.node.http import bytes_field, json_object, list_field, number_field, text_field
from caimi.node.key_generation import messages_from_json, messages_to_json
from caimi.node.members import HttpMember
from caimi.services.endpoint import Endpoint
from caimi.services.validators import HttpValidator
from fuzz.custody import key_share
from fuzz.decoder import Decoder, Document, Law, drive

SIGNER = LocalSigner((7).to_bytes(32))


class _Source:
    """As much of a ledger as asking for a quote takes."""

    def __init__(self, name: LedgerId) -> None:
        self.id, self.accounts, self.asset = name, EvmAccounts(name), coin_of(name)
        self.coins = self


def _attestation() -> Attestation:
    word = bytes(range(32))
    statement = LedgerStatement(Kind.CHECKPOINT, word, word, 3, 9, 1_700_000_000, word, 5)
    return Attestation(statement, SIGNER.sign_digest(statement.digest))


def _absence() -> Attestation:
    word = bytes(range(32))
    statement = LedgerStatement(Kind.ABSENCE, word, word, 9, 9, 1_700_000_000, word, 5)
    return Attestation(statement, SIGNER.sign_digest(statement.digest))


def _handover() -> Handover:
    members = {SIGNER.account: 0, b"\1" * 20: 1, b"\2" * 20: 2}
    current, following = (make_committee(epoch, 2, list(members), members) for epoch in (4, 5))
    rotation = Rotation(bytes(range(32)), current, following)
    return Handover((Planned(LedgerId("eip155:7"), rotation, {}),)).sign(SIGNER)


def _paths() -> list[Path]:
    return [Path("caimi-7-0", kind, 5) for kind in PathKind]


def _ibc_attestations() -> list[IbcAttestation]:
    word = bytes(range(32))
    said = (
        StateAttestation(9, 1_700_000_000),
        PacketAttestation(9, ((word, word), (word, bytes(32)))),
    )
    return [IbcAttestation(each, SIGNER.sign_digest(each.digest)) for each in said]


def _request(body: bytes) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def _asked(body: bytes) -> Any:
    document = await json_object(_request(body), "ledger", "from", "packets", "session")
    return (
        text_field(document, "ledger", 41),
        number_field(document, "from"),
        [
            Path.receipt(*_packet_name(entry)).key
            for entry in list_field(document, "packets", MAX_ABSENCES)
        ],
        bytes_field(document, "session", 32),
    )


def _bodies() -> list[bytes]:
    body = {
        "ledger": "eip155:7",
        "from": 5,
        "packets": [["caimi-7-0", 1], ["caimi-7-1", 18_446_744_073_709_551_615]],
        "session": "0x" + "ab" * 32,
    }
    return [json.dumps(body).encode()]


def _rounds() -> str:
    message = SignedMessage(b"\4" * 32, Round(1), 2, b"a body", b"\5" * 64)
    return messages_to_json([message, message])


@cache
def _record() -> str:
    """One member's record of a key generation that all have confirmed."""
    identities, transports = [PrivateKey() for _ in range(3)], [RecipientKey.generate()] * 3
    enrolments = [
        Enrolment.sign(bytes(32), identity, transport.public_bytes)
        for identity, transport in zip(identities, transports, strict=True)
    ]
    ceremony = Ceremony(bytes(32), 2, tuple(enrolments), Broadcast("eip155:7", bytes(20), 3, 4))
    body = Confirmation((bytes(32),) * 3, b"\1" * 32).to_bytes()
    said = tuple(
        SignedMessage.sign(ceremony.digest, Round.CONFIRMATION, at, body, identity)
        for at, identity in enumerate(identities, start=1)
    )
    return CeremonyRecord(ceremony, said[0], said).to_json()


ROUTE = Route("caimi-7-0", "caimi-8-0", LedgerId("eip155:8"))


class _Saying(httpx.AsyncBaseTransport):
    """A node that says this, whatever it is asked."""

    def __init__(self, status: int, said: bytes) -> None:
        self._status = status
        self._said = said

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(self._status, content=self._said, request=request)


_LOOP = asyncio.new_event_loop()


def _heard(data: bytes) -> Any:
    """The first byte says what is asked, and with what status the rest comes back."""
    kind, said = (data[0], data[1:]) if data else (0, b"")
    endpoint = Endpoint("http://node", transport=_Saying(400 if kind & 8 else 200, said))
    validator, member = HttpValidator(endpoint), HttpMember(endpoint, SIGNER)
    member._node = b"\2" + b"\1" * 32

    async def ask() -> Any:
        match kind % 8:
            case 0:
                return await validator.attest(LedgerId("eip155:7"), 3, 9)
            case 1:
                return await validator.attest_absence(LedgerId("eip155:7"), 9, [("a", 1)])
            case 2:
                return await ask_quote(endpoint, _Source(LedgerId("eip155:7")), ROUTE)
            case 3:
                return await member.enrol(bytes(32))
            case 4:
                return await member.finish(bytes(32), [])
            case _:
                return await member.status()

    return _LOOP.run_until_complete(ask())


def _answers() -> list[bytes]:
    group = json.dumps({"group": hex_text(key_share().group.to_bytes())})
    refusal = json.dumps({"code": "CAIMI-M001", "what": "no", "why": "because", "next": "try"})
    return [
        b"\0" + _attestation().to_json().encode(),
        b"\1" + _absence().to_json().encode(),
        b"\2" + json.dumps({"relayer": hexed(bytes(20)), "amount": "12"}).encode(),
        b"\4" + group.encode(),
        b"\5" + json.dumps({"holds_share": True, "records": []}).encode(),
        b"\x0a" + refusal.encode(),
    ]


DECODERS = (
    Decoder(
        "attestation",
        (
            "caimi.messaging.checkpoint.Attestation.from_document",
            "caimi.messaging.hex_field.hex_field",
        ),
        lambda: [Document(_attestation().to_json()), Document(_absence().to_json())],
        Attestation.from_document,
        lambda value: json.loads(value.to_json()),
        Law.ONE_SPELLING,
        share=4,
    ),
    Decoder(
        "attestation-signer",
        ("caimi.messaging.checkpoint.Attestation.signer",),
        lambda: [Document(_attestation().to_json())],
        lambda document: Attestation.from_document(document).signer(),
        share=0.5,
    ),
    Decoder(
        "hand-over",
        (
            "caimi.messaging.handover.Handover.from_json",
            "caimi.messaging.handover._read_committee",
        ),
        lambda: [_handover().to_json()],
        Handover.from_json,
        lambda value: value.to_json(),
        Law.SETTLES,
        share=0.5,
    ),
    Decoder(
        "hand-over-fields",
        ("caimi.messaging.handover.Handover.from_json",),
        lambda: [Document(_handover().to_json())],
        lambda document: Handover.from_json(json.dumps(document)),
        share=0.5,
    ),
    Decoder(
        "ibc-path",
        ("caimi.messaging.ibc_attestations.read_path",),
        lambda: [Document(json.dumps(path_document(path))) for path in _paths()],
        read_path,
        path_document,
        Law.ONE_SPELLING,
        share=2,
    ),
    Decoder(
        "ibc-attestation",
        ("caimi.messaging.ibc_attestations.IbcAttestation.from_document",),
        lambda: [Document(each.to_json()) for each in _ibc_attestations()],
        IbcAttestation.from_document,
        lambda value: json.loads(value.to_json()),
        Law.ONE_SPELLING,
        share=2,
    ),
    Decoder(
        "ibc-attestation-signer",
        ("caimi.messaging.ibc_attestations.IbcAttestation.signer",),
        lambda: [Document(each.to_json()) for each in _ibc_attestations()],
        lambda document: IbcAttestation.from_document(document).signer(),
        share=0.5,
    ),
    Decoder(
        "request-body",
        ("caimi.node.http", "caimi.node.app"),
        _bodies,
        lambda body: drive(_asked(body)),
        share=2,
    ),
    Decoder(
        "request-fields",
        ("caimi.node.http.json_object",),
        lambda: [Document(body.decode()) for body in _bodies()],
        lambda document: drive(_asked(json.dumps(document).encode())),
        share=2,
    ),
    Decoder(
        "round-messages",
        ("caimi.node.key_generation",),
        lambda: [_rounds()],
        messages_from_json,
        messages_to_json,
        Law.SETTLES,
        share=0.5,
    ),
    Decoder(
        "ceremony-record",
        ("caimi.node.ceremony_records",),
        lambda: [_record()],
        CeremonyRecord.from_json,
        lambda value: value.to_json(),
        Law.SETTLES,
        share=0.1,
    ),
    Decoder(
        "node-answer",
        ("caimi.services.endpoint", "caimi.node.members", "caimi.client.fees.ask_quote"),
        _answers,
        _heard,
        share=0.1,
    ),
)
