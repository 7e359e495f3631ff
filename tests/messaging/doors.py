"""The ways to validators in this process, which can be down, slow, or give other answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from caimi.errors.node import NodeUnreachable
from caimi.ledgers.port import LedgerId
from caimi.messaging.checkpoint import Attestation
from caimi.messaging.validator import Validator


class Door:
    """The way to one validator in this process (port `ValidatorClient`)."""

    def __init__(self, name: str, validator: Validator) -> None:
        self.name = name
        self.validator = validator
        self.down = False
        self.seconds = 0.0
        self.asked = 0
        self.answers: Callable[[Attestation], Attestation] = lambda attestation: attestation

    async def _through(self, ask: Callable[[], Awaitable[Attestation]]) -> Attestation:
        self.asked += 1
        if self.down:
            raise NodeUnreachable(f"{self.name} does not answer.")
        if self.seconds:
            await asyncio.sleep(self.seconds)
        # What comes over the network is JSON.
        told = json.loads(self.answers(await ask()).to_json())
        return Attestation.from_document(told)

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        return await self._through(lambda: self.validator.attest(ledger, from_height, height))

    async def attest_absence(
        self, ledger: LedgerId, height: int, packets: Sequence[tuple[str, int]]
    ) -> Attestation:
        return await self._through(lambda: self.validator.attest_absence(ledger, height, packets))
