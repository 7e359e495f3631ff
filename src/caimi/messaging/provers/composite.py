"""Proofs for a composite client: as many of its members' as it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from caimi.errors.base import CaimiError
from caimi.errors.messaging import ClaimPending, InvalidProof, TooFewProofs, UnprovableClient
from caimi.ibc.path import Path
from caimi.ledgers.client_proofs import composite_proof
from caimi.ledgers.port import Account
from caimi.messaging.proof import Proof
from caimi.messaging.provers.prover import Fact, Name, ProofRequest, Prove, Prover

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class CompositeMember:
    """One member: its account and what proves to it, if anything here does.

    `cost` orders members by what checking their proofs costs.
    """

    account: Account
    prover: Prover | None
    cost: int


@dataclass(frozen=True, slots=True)
class CompositeProver:
    """Proves to `threshold` of `members`: the cheapest that are not frozen and can be proved to."""

    members: tuple[CompositeMember, ...]
    threshold: int

    async def membership(
        self, case: ProofRequest, paths: Sequence[Path], blocks: tuple[int, int]
    ) -> Prove[Path]:
        """Get ready to prove to enough members.

        Raises:
            TooFewProofs: it is possible for fewer.
        """
        made = await self._enough(case, lambda each: each.membership(case, paths, blocks))
        return self._joined(made)

    async def absence(self, case: ProofRequest, names: Sequence[Name]) -> Prove[Name]:
        """Get ready to prove to enough members; raises as `membership`."""
        made = await self._enough(case, lambda each: each.absence(case, names))
        return self._joined(made)

    async def block(self, case: ProofRequest, blocks: tuple[int, int]) -> tuple[int, bytes]:
        """Prove one block's hash to enough members; raises as `membership`.

        Raises:
            UnprovableClient: members can only prove different blocks.
        """
        made = await self._enough(case, lambda each: each.block(case, blocks))
        heights = {height for height, _ in made.values()}
        if len(heights) > 1:
            raise UnprovableClient("The members vouch for different blocks.")
        proofs = {place: proof for place, (_, proof) in made.items()}
        return heights.pop(), self._places(proofs)

    async def _enough(
        self, case: ProofRequest, work: Callable[[Prover], Awaitable[Made]]
    ) -> dict[int, Made]:
        """Do `work` for as many members as must prove, others in the places of those that fail."""
        written = case.verifier.accounts.text
        frozen = await case.verifier.clients.frozen([each.account for each in self.members])
        missing = [
            f"{written(each.account)} is frozen"
            for each, stopped in zip(self.members, frozen, strict=True)
            if stopped
        ]
        left = [place for place, stopped in enumerate(frozen) if not stopped]
        left.sort(key=lambda place: self.members[place].cost)
        made: dict[int, Made] = {}
        pending: list[ClaimPending] = []

        async def attempt(place: int) -> None:
            member = self.members[place]
            if member.prover is None:
                missing.append(f"{written(member.account)} is of an unknown type")
                return
            try:
                made[place] = await work(member.prover)
            except ClaimPending as error:
                pending.append(error)
            except CaimiError as error:
                missing.append(f"{written(member.account)}: {error.code} {error.what}")

        while len(made) < self.threshold and left:
            wanted = self.threshold - len(made)
            now, left = left[:wanted], left[wanted:]
            await asyncio.gather(*(attempt(place) for place in now))
        if len(made) < self.threshold <= len(made) + len(pending):
            raise max(pending, key=lambda error: error.seconds)
        if len(made) < self.threshold:
            missing += [error.what for error in pending]
            raise TooFewProofs(
                f"{len(made)} of the {self.threshold} members' proofs needed were had: "
                + "; ".join(missing)
            )
        return made

    def _joined(self, made: dict[int, Prove[Fact]]) -> Prove[Fact]:
        def prove(part: Sequence[Fact]) -> Proof:
            order = tuple(range(len(part)))
            # Once the facts are in the one order that trees ask for, no proof changes it.
            for _ in range(2):
                proofs = {}
                ordered = [part[place] for place in order]
                for place, each in made.items():
                    proofs[place] = each(ordered)
                asked = {proof.order for proof in proofs.values()} - {tuple(range(len(part)))}
                if not asked:
                    data = {place: proof.data for place, proof in proofs.items()}
                    return Proof(self._places(data), order)
                order = asked.pop()
            raise InvalidProof("Members ask for the facts in different orders.")

        return prove

    def _places(self, proofs: dict[int, bytes]) -> bytes:
        return composite_proof([proofs.get(place) for place in range(len(self.members))])
