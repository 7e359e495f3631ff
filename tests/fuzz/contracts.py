"""What contracts in Python read out of payloads, acknowledgements and proofs."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from caimi.contracts.committee_proof import CommitteeProof
from caimi.contracts.committees import check_signatures
from caimi.contracts.execution import refuse
from caimi.contracts.identifiers import LicenceId
from caimi.contracts.interoperable import evm_number, is_ledger, ledger_of
from caimi.contracts.orders import LicenceAnswer, LicenceOrder
from caimi.contracts.transfers import ModelTransfer
from caimi.ibc.statements import Kind
from contracts.local_ledgers import COMMITTEE, Claimed
from fuzz.decoder import Decoder, Law

VECTORS = Path(__file__).parents[2] / "contracts" / "vectors"


def _value(name: str) -> list[bytes]:
    said = json.loads((VECTORS / "payloads.json").read_text())
    return [bytes.fromhex(said[name]["value"][2:])]


def _answer(data: bytes) -> LicenceAnswer:
    answer = LicenceAnswer.decode(data)
    if answer is None:
        refuse("InvalidPayload")
    return answer


def _claims() -> list[Claimed]:
    facts = [(bytes([n]) * 32, b"\5" * 32) for n in range(1, 5)]
    return [Claimed(b"\1" * 32, facts[:count]) for count in (1, 4)]


def _read_proof(data: bytes) -> None:
    proof = CommitteeProof.read(data)
    proof.check_membership([(b"\1" * 32, b"\5" * 32)])
    check_signatures(COMMITTEE, proof.digest(Kind.CHECKPOINT), proof.signers, proof.signatures)


def _addresses() -> list[bytes]:
    said = json.loads((VECTORS / "interoperable.json").read_text())
    return [bytes.fromhex(each["data"][2:]) for each in said["valid"]]


def _read_address(data: bytes) -> Any:
    return is_ledger(data), ledger_of(data), evm_number(data)


DECODERS = (
    Decoder(
        "contract-transfer",
        (
            "caimi.contracts.transfers.ModelTransfer.decode",
            "caimi.contracts.transfers._read",
            "caimi.contracts.visiting.VisitingModel.from_abi",
        ),
        partial(_value, "model"),
        ModelTransfer.decode,
        ModelTransfer.encode,
        Law.ONE_SPELLING,
    ),
    Decoder(
        "contract-order",
        ("caimi.contracts.orders.LicenceOrder.decode",),
        partial(_value, "licence"),
        LicenceOrder.decode,
        LicenceOrder.encode,
        Law.ONE_SPELLING,
    ),
    Decoder(
        "contract-answer",
        ("caimi.contracts.orders.LicenceAnswer.decode",),
        lambda: [LicenceAnswer(LicenceId(b"\1" * 32), who).encode() for who in (b"a", b"b" * 20)],
        _answer,
        LicenceAnswer.encode,
        Law.ONE_SPELLING,
    ),
    Decoder(
        "contract-proof",
        (
            "caimi.contracts.committee_proof.CommitteeProof.read",
            "caimi.contracts.committee_proof._decode",
            "caimi.contracts.committees.check_signatures",
        ),
        lambda: [claim.proof() for claim in _claims()],
        _read_proof,
    ),
    Decoder(
        "contract-evidence",
        ("caimi.contracts.committee_proof.CommitteeProof.read_evidence",),
        lambda: [claim.evidence() for claim in _claims()],
        CommitteeProof.read_evidence,
    ),
    Decoder("contract-address", ("caimi.contracts.interoperable",), _addresses, _read_address),
)
