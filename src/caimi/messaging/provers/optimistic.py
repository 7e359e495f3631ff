"""Proofs for an optimistic client: claims that nobody challenged, waited for, or made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from caimi.errors.messaging import ClaimPending, RangeTooLarge
from caimi.ibc.path import Path
from caimi.ledgers.client_proofs import optimistic_proof
from caimi.ledgers.port import Account
from caimi.ledgers.port.clients import Claim
from caimi.logs import logger
from caimi.messaging.proof import Proof, Tree, absence_facts, block_key
from caimi.messaging.provers.prover import Name, ProofRequest, Prove
from caimi.messaging.reading import read_tree

_log = logger(__name__)
MAX_LEAVES: Final = 1_024
"""How many leaves one claim may have: its client's MAX_SIZE."""
MAX_CLAIMS: Final = 128
"""How many of the newest claims are looked at."""
_LOOK_AGAIN_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class OptimisticProver:
    """Proves to the optimistic client at the account `client`, from claims that this side shares.

    A claim that is not what the source shows here is left alone, however long it stands. Leaves of
    claims about missing receipts are whatever their proposer asked for: those of others are known
    only when they are of the very batch.
    """

    client: Account
    _asked: dict[bytes, tuple[Name, ...]] = field(default_factory=dict, compare=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, compare=False)

    async def membership(
        self, case: ProofRequest, paths: Sequence[Path], blocks: tuple[int, int]
    ) -> Prove[Path]:
        """Find a claim that covers the blocks, or make one.

        Raises:
            ClaimPending: it can still be challenged, or there is none yet.
            RangeTooLarge: several claims cover the blocks in parts, or there is too much in them.
        """
        claim, tree = await self._covering(case, blocks)
        return lambda part: _prove(claim, tree, [path.key for path in part])

    async def block(self, case: ProofRequest, blocks: tuple[int, int]) -> tuple[int, bytes]:
        """Find a claim that ends with the last of `blocks` or later; raises as `membership`."""
        claim, tree = await self._covering(case, blocks)
        return claim.height, _prove(claim, tree, [block_key(claim.height)]).data

    async def absence(self, case: ProofRequest, names: Sequence[Name]) -> Prove[Name]:
        """Find a claim that none of `names` was received, or make one; raises as `membership`."""

        def prove(part: Sequence[Name]) -> Proof:
            return _prove(claim, tree, [Path.receipt(*name).key for name in part])

        async with self._turn:
            known = {Tree.of(absence_facts(names)).merkle.root: tuple(names), **self._asked}
            claims = await case.verifier.clients.claims(self.client, MAX_CLAIMS)
            for claim in reversed(claims):
                asked = known.get(claim.root, ())
                if claim.from_height == claim.height and set(names) <= set(asked):
                    tree = Tree.of(absence_facts(asked))
                    await self._wait(case, claim)
                    return prove
            final = case.final
            facts = Tree.of(absence_facts(names))
            self._asked[facts.merkle.root] = tuple(names)
            while len(self._asked) > MAX_CLAIMS:
                del self._asked[next(iter(self._asked))]
            await self._propose(case, claims, (final.height, final.height), final.time, facts)
        raise _pending("is claimed now")

    async def _covering(self, case: ProofRequest, blocks: tuple[int, int]) -> tuple[Claim, Tree]:
        """Find a claim over a range that holds `blocks`, with its tree, or make one."""
        async with self._turn:
            claims = await case.verifier.clients.claims(self.client, MAX_CLAIMS)
            ranges = [claim for claim in claims if claim.from_height < claim.height]
            for claim in ranges:
                if claim.from_height <= blocks[0] and blocks[1] <= claim.height:
                    tree = await self._checked(case, claim)
                    if tree is not None:
                        await self._wait(case, claim)
                        return claim, tree
            if any(claim.from_height <= blocks[0] < claim.height < blocks[1] for claim in ranges):
                raise RangeTooLarge(f"No one claim covers blocks ({blocks[0]}, {blocks[1]}].")
            end = case.final.height
            tree = await self._tree(case, (blocks[0], end))
            if len(tree.keys) > MAX_LEAVES:
                end = max(blocks[1], _latest(claims) + 1)
                tree = await self._tree(case, (blocks[0], end))
            if len(tree.keys) > MAX_LEAVES:
                raise RangeTooLarge(
                    f"Blocks ({blocks[0]}, {end}] hold more than a claim's {MAX_LEAVES} leaves."
                )
            time = (await case.source.block(end)).time
            await self._propose(case, claims, (blocks[0], end), time, tree)
        raise _pending("is claimed now")

    async def _tree(self, case: ProofRequest, blocks: tuple[int, int]) -> Tree:
        return await read_tree(case.source.gateway, blocks[0], await case.source.block(blocks[1]))

    async def _checked(self, case: ProofRequest, claim: Claim) -> Tree | None:
        """Give a claim's tree as the source shows it here; None when the claim is another's."""
        if not (claim.open or claim.accepted) or claim.height > case.final.height:
            return None
        block = await case.source.block(claim.height)
        tree = await read_tree(case.source.gateway, claim.from_height, block)
        if (tree.merkle.root, len(tree.keys), block.time) == (claim.root, claim.size, claim.time):
            return tree
        _log.critical(
            "claim %d at %s on %s is not what %s shows",
            claim.number,
            case.verifier.accounts.text(self.client),
            case.verifier.id,
            case.source.id,
        )
        return None

    async def _wait(self, case: ProofRequest, claim: Claim) -> None:
        if claim.accepted:
            return
        left = claim.deadline - (await case.verifier.head()).time
        if left > 0:
            raise _pending(f"can be challenged for {left} s more", float(left))

    async def _propose(
        self,
        case: ProofRequest,
        claims: Sequence[Claim],
        blocks: tuple[int, int],
        time: int,
        tree: Tree,
    ) -> None:
        """Claim; first get back the bonds of claims whose time is over.

        Raises:
            ClaimPending: this relayer makes no claims, or the client takes none of this height.
        """
        if case.proposer is None:
            raise _pending("is not made yet, and this relayer makes none")
        if blocks[1] <= _latest(claims):
            raise _pending(f"must be of a block above {_latest(claims)}, which is not final yet")
        clients, proposer = case.verifier.clients, case.proposer
        now = (await case.verifier.head()).time
        ended = [
            claim.number
            for claim in claims
            if claim.open and claim.deadline <= now and claim.proposer == proposer.account
        ]
        for call in await clients.recover(self.client, ended, proposer.account):
            await proposer.submit(call)
        said = Claim(0, *blocks, time, len(tree.keys), tree.merkle.root, 0, True, False)
        await proposer.submit(await clients.propose(self.client, said))


def _latest(claims: Sequence[Claim]) -> int:
    return max((claim.height for claim in claims if not claim.rejected), default=0)


def _pending(why: str, seconds: float = _LOOK_AGAIN_SECONDS) -> ClaimPending:
    return ClaimPending(f"The claim {why}.", seconds)


def _prove(claim: Claim, tree: Tree, keys: Sequence[bytes]) -> Proof:
    proved = tree.prove(keys)
    return Proof(optimistic_proof(claim.number, proved.proof, proved.flags), proved.order)
