"""How many of a route's validators sign what a ledger has in a block, by asking them.

Anybody may ask them: what they sign are statements about public facts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caimi.client.context import Context
from caimi.errors.base import CaimiError
from caimi.ibc.statements import Kind
from caimi.ledgers.port import Committee, Ledger, LedgerId

if TYPE_CHECKING:
    from caimi.messaging.attestations import ValidatorClient
    from caimi.messaging.checkpoint import LedgerStatement

_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class SignatureCount:
    """How many members signed (`given`), are `needed`, and there are; who did not, and why."""

    given: int
    needed: int
    members: int
    silent: tuple[str, ...]

    @property
    def enough(self) -> bool:
        """Whether the other ledger would believe them."""
        return self.given >= self.needed

    def __str__(self) -> str:
        """In words, such as "2 of 5 members, 3 are needed"."""
        return f"{self.given} of {self.members} members, {self.needed} are needed"


async def signatures(
    context: Context, source: LedgerId, height: int, believing: tuple[Ledger, str]
) -> SignatureCount | None:
    """Ask the configured committee for what is in block `height` of `source`, which is final.

    `believing` is the ledger that is to believe it, with its client. None where that is not by the
    signatures of a committee, or nobody is configured who could be asked.
    """
    ledger, client = believing
    validators = context.validators()
    if height < 1 or not validators:
        return None
    try:
        committee = await ledger.gateway.committee(client)
    except CaimiError:
        return None  # its client proves otherwise, or there is none any more
    asked = [_signed(each, source, height, committee) for each in validators]
    answers = await asyncio.gather(*asked)
    signed = Counter(
        statement for statement, _ in {each for each in answers if not isinstance(each, str)}
    )
    return SignatureCount(
        given=max(signed.values(), default=0),
        needed=committee.threshold,
        members=len(committee.members),
        silent=tuple(each for each in answers if isinstance(each, str)),
    )


async def _signed(
    validator: ValidatorClient, source: LedgerId, height: int, committee: Committee
) -> tuple[LedgerStatement, bytes] | str:
    """Give what a validator signs of a block, and its account; or in words why it does not."""
    try:
        async with asyncio.timeout(_SECONDS):
            attestation = await validator.attest(source, height - 1, height)
        signer, said = attestation.signer(), attestation.statement
    except CaimiError as error:
        return f"{validator.name}: {error.code} {error.what}"
    except TimeoutError:
        return f"{validator.name}: no answer within {_SECONDS:g} s"
    if signer not in committee.members:
        return f"{validator.name}: it is no member of the route's committee"
    asked = (Kind.CHECKPOINT, committee.hash, height - 1, height)
    if (said.kind, said.committee, said.from_height, said.height) != asked:
        return f"{validator.name}: it signed something else than it was asked for"
    return said, signer
