"""What every prover offers, and what several of them share when they prove one batch."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias, TypeVar

from caimi.errors.base import CaimiError
from caimi.hashing import keccak256
from caimi.ibc.path import Path
from caimi.ibc.statements import Kind
from caimi.ledgers.port import Account, Block, Call, Committee, Ledger
from caimi.messaging.attestations import ValidatorClient, gather_signatures
from caimi.messaging.proof import Proof, SignedStatement, Tree, absence_facts, statement_of
from caimi.messaging.reading import read_tree

Name: TypeAlias = tuple[str, int]
"""A packet at its destination: (destination client, sequence)."""
Fact = TypeVar("Fact", Path, Name)
Prove: TypeAlias = Callable[[Sequence[Fact]], Proof]
"""Proves some or all of the facts that were asked for, and says in which order.

That order is the leaves' in ascending order of their hashes, whatever the tree; or the one given,
where any will do. So proofs for several clients agree, which one call can carry.
"""


# As many as a validator answers at once.
_QUESTIONS_AT_ONCE: Final = 16


class Prover(Protocol):
    """Proves facts of one ledger to one light client at another."""

    async def membership(
        self, case: ProofRequest, paths: Sequence[Path], blocks: tuple[int, int]
    ) -> Prove[Path]:
        """Get ready to prove the commitments at `paths`, all made in blocks (from, to]."""
        ...

    async def absence(self, case: ProofRequest, names: Sequence[Name]) -> Prove[Name]:
        """Get ready to prove that none of `names` was received by the case's final block."""
        ...

    async def block(self, case: ProofRequest, blocks: tuple[int, int]) -> tuple[int, bytes]:
        """Give the height of a block, and a proof of the fact of its hash.

        The block is the last of `blocks` or a later one.
        """
        ...


class Signatures:
    """What validators signed for one look at the ledgers, or why they did not.

    A hub's routes, and the clients in one composite, ask for the same: it is asked once. At once
    validators get `_QUESTIONS_AT_ONCE` questions: they put off more, until the waiting is over.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[SignedStatement, Tree] | CaimiError] = {}
        self._turns: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._questions = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

    async def once(
        self, name: Hashable, ask: Callable[[], Awaitable[tuple[SignedStatement, Tree]]]
    ) -> tuple[SignedStatement, Tree]:
        """Give what is known under `name`; only the first who wants it asks."""
        async with self._turns[name]:
            if name not in self._known:
                async with self._questions:
                    try:
                        self._known[name] = await ask()
                    except CaimiError as error:
                        self._known[name] = error
        known = self._known[name]
        if isinstance(known, CaimiError):
            raise known
        return known


@dataclass(frozen=True, slots=True)
class Proposer:
    """Who claims at optimistic clients: an account, and how it sends a call to the verifier."""

    account: Account
    submit: Callable[[Call[None]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """One batch: facts of `source`, final up to `final`, to be proved at `verifier`.

    Without a `proposer` no claims are made.
    """

    source: Ledger
    verifier: Ledger
    final: Block
    validators: Sequence[ValidatorClient]
    proposer: Proposer | None = None
    signatures: Signatures = field(default_factory=Signatures, compare=False)

    async def checkpoint(
        self, client: Account, blocks: tuple[int, int]
    ) -> tuple[SignedStatement, Tree]:
        """Have blocks (from, to] of the source attested for a committee client.

        Raises:
            NotEnoughAttestations: too few validators signed what is seen here.
        """
        committee = await self.verifier.clients.committee(client)
        return await self.signatures.once(
            (self.source.id, blocks, committee.hash), lambda: self._checkpoint(committee, blocks)
        )

    async def absence(self, client: Account, names: Sequence[Name]) -> tuple[SignedStatement, Tree]:
        """Have it attested that none of `names` was received; raises as `checkpoint`."""
        committee = await self.verifier.clients.committee(client)
        return await self.signatures.once(
            (self.source.id, *names, committee.hash), lambda: self._absence(committee, names)
        )

    async def _checkpoint(
        self, committee: Committee, blocks: tuple[int, int]
    ) -> tuple[SignedStatement, Tree]:
        source = self.source
        # Validators read the blocks while we do.
        asked = {
            id(validator): asyncio.create_task(validator.attest(source.id, *blocks))
            for validator in self.validators
        }
        try:
            block = await source.block(blocks[1])
            tree = await read_tree(source.gateway, blocks[0], block)
            origin = keccak256(source.gateway.address)
            signed = await gather_signatures(
                statement_of(Kind.CHECKPOINT, origin, committee, blocks, block.time, tree),
                committee,
                self.validators,
                lambda validator: asked[id(validator)],
            )
        finally:
            for task in asked.values():
                task.cancel()
            await asyncio.gather(*asked.values(), return_exceptions=True)
        return signed, tree

    async def _absence(
        self, committee: Committee, names: Sequence[Name]
    ) -> tuple[SignedStatement, Tree]:
        source, block = self.source, self.final
        tree = Tree.of(absence_facts(names))
        origin = keccak256(source.gateway.address)
        blocks = (block.height, block.height)
        signed = await gather_signatures(
            statement_of(Kind.ABSENCE, origin, committee, blocks, block.time, tree),
            committee,
            self.validators,
            lambda validator: validator.attest_absence(source.id, block.height, names),
        )
        return signed, tree
