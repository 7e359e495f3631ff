"""Gathering signatures from validators, none of which is believed by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from caimi.errors.base import CaimiError
from caimi.errors.messaging import (
    AlreadySignedOtherwise,
    InvalidCheckpoint,
    NotEnoughAttestations,
)
from caimi.ledgers.port import Committee, LedgerId
from caimi.messaging.checkpoint import Attestation, LedgerStatement
from caimi.messaging.proof import SignedStatement

TIMEOUT_SECONDS = 10.0


class ValidatorClient(Protocol):
    """A way to one validator; its methods raise `CaimiError` when it gives no attestation."""

    @property
    def name(self) -> str:
        """What errors call it."""

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        """Ask for a checkpoint's attestation."""
        ...

    async def attest_absence(
        self, ledger: LedgerId, height: int, packets: Sequence[tuple[str, int]]
    ) -> Attestation:
        """Ask for an absence's attestation."""
        ...


async def gather_signatures(
    expected: LedgerStatement,
    committee: Committee,
    validators: Sequence[ValidatorClient],
    ask: Callable[[ValidatorClient], Awaitable[Attestation]],
    *,
    within_seconds: float = TIMEOUT_SECONDS,
) -> SignedStatement:
    """Ask all validators at once for `expected`, and stop at the threshold of good signatures.

    Raises:
        NotEnoughAttestations: the threshold was not reached; it says how each validator answered.
    """
    signatures: dict[int, bytes] = {}
    answers: list[str] = []
    contradicted = False

    async def one(validator: ValidatorClient) -> tuple[int, bytes] | str:
        nonlocal contradicted
        try:
            async with asyncio.timeout(within_seconds):
                attestation = await ask(validator)
            return _place(attestation, expected, committee), attestation.signature
        except CaimiError as error:
            contradicted |= error.code == AlreadySignedOtherwise.code
            return f"{validator.name}: {error.code} {error.what}"
        except TimeoutError:
            return f"{validator.name}: no answer within {within_seconds:g} s"

    tasks = [asyncio.create_task(one(validator)) for validator in validators]
    try:
        for finished in asyncio.as_completed(tasks):
            match await finished:
                case (place, signature):
                    signatures[place] = signature
                case str(answer):
                    answers.append(answer)
            if len(signatures) >= committee.threshold:
                return SignedStatement(expected, signatures)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    raise NotEnoughAttestations(
        f"{len(signatures)} of the {committee.threshold} signatures needed were had for blocks "
        f"({expected.from_height}, {expected.height}]: " + "; ".join(sorted(answers)),
        contradicted=contradicted,
    )


def _place(attestation: Attestation, expected: LedgerStatement, committee: Committee) -> int:
    if attestation.statement != expected:
        raise InvalidCheckpoint("It states something else than the ledger shows here.")
    signer = attestation.signer()
    if signer not in committee.members:
        raise InvalidCheckpoint(f"0x{signer.hex()} is no member of the committee.")
    return committee.members.index(signer)
