"""Provers by themselves: what they fall back to, and in which order facts come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from eth_abi.abi import decode

from caimi.errors.ledgers import LedgerBehind, LedgerRefused
from caimi.errors.messaging import InvalidProof, TooFewProofs, UnprovableClient
from caimi.ibc.path import Path
from caimi.ledgers.client_proofs import EndorsedReads, StateProof
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import Account, Block, LedgerId
from caimi.ledgers.port.clients import (
    COMPOSITE,
    ENDORSED_READS,
    OPTIMISTIC,
    STORAGE_PROOF,
    LightClient,
)
from caimi.messaging.proof import Proof
from caimi.messaging.provers.choice import prover_for
from caimi.messaging.provers.composite import CompositeMember, CompositeProver
from caimi.messaging.provers.endorsed_reads import EndorsedReadsProver
from caimi.messaging.provers.prover import ProofRequest
from caimi.messaging.provers.storage_proof import StorageProofProver

PATHS = [Path.commitment("client-0", n) for n in range(1, 5)]
FINAL = Block(50, 1_000, b"\5" * 32)


@dataclass
class Source:
    """As much of a ledger as state proofs ask for: it has pruned what is below `oldest`."""

    oldest: int
    asked: list[int] = field(default_factory=list)

    @property
    def gateway(self) -> Source:
        return self

    async def state_proof(self, paths: Sequence[Path], height: int) -> StateProof:
        self.asked.append(height)
        if height < self.oldest:
            raise LedgerRefused("pruned")
        return StateProof(
            b"header %d" % height, (b"account",), tuple((path.raw,) for path in paths)
        )


HERE = LedgerId("eip155:1")


@dataclass
class Verifier:
    """As much of a ledger as composites ask for."""

    stopped: set[Account] = field(default_factory=set)
    accounts = EvmAccounts(HERE)

    @property
    def clients(self) -> Verifier:
        return self

    async def frozen(self, accounts: Sequence[Account]) -> list[bool]:
        return [account in self.stopped for account in accounts]


class Sorting:
    """Proves facts in one order of its own, as trees do."""

    def __init__(self, *, downwards: bool = False) -> None:
        self._downwards = downwards

    def prove(self, part: Sequence[Path]) -> Proof:
        numbers = [path.sequence for path in part]
        order = sorted(range(len(part)), key=numbers.__getitem__, reverse=self._downwards)
        return Proof(bytes(numbers[place] for place in order), tuple(order))

    async def membership(self, case, paths, blocks):
        return self.prove

    async def block(self, case, blocks):
        return blocks[1], b"hash of %d" % blocks[1]


class Failing(Sorting):
    async def membership(self, case, paths, blocks):
        raise LedgerRefused("no proofs here")

    async def block(self, case, blocks):
        raise LedgerRefused("no proofs here")


def case(source: object = None, verifier: object = None) -> ProofRequest:
    return ProofRequest(source, verifier or Verifier(), FINAL, ())  # type: ignore[arg-type]


def account(number: int) -> Account:
    return Account(HERE, bytes([number]) * 20)


def member(name: int, prover: object, cost: int = 0) -> CompositeMember:
    return CompositeMember(account(name), prover, cost)  # type: ignore[arg-type]


@pytest.mark.parametrize(("oldest", "asked"), [(1, [10]), (30, [10, 50])])
async def test_a_state_that_is_pruned_is_proved_where_it_is_final(
    oldest: int, asked: list[int]
) -> None:
    source = Source(oldest)
    prover = StorageProofProver(Sorting())
    prove = await prover.membership(case(source), PATHS, (5, 10))
    assert source.asked == asked
    proof = prove(PATHS[1:3])
    ((header, trusted, _, slots, dest, _),) = decode(
        ["(bytes,bytes,bytes[],bytes[][],string,uint64[])"], proof.data
    )
    assert (header, trusted) == (b"header %d" % asked[-1], b"hash of %d" % asked[-1])
    assert slots == ((PATHS[1].raw,), (PATHS[2].raw,))
    assert (proof.order, dest) == ((0, 1), "")


async def test_a_node_without_any_proofs_is_named() -> None:
    with pytest.raises(LedgerRefused, match="pruned"):
        await StorageProofProver(Sorting()).membership(case(Source(99)), PATHS, (5, 10))
    with pytest.raises(LedgerRefused, match="pruned"):
        await StorageProofProver(Sorting()).membership(case(Source(99)), PATHS, (5, 50))


async def test_members_prove_in_the_order_that_one_of_them_asks_for() -> None:
    storage = StorageProofProver(Sorting())
    prover = CompositeProver((member(1, storage, 3), member(2, Sorting())), 2)
    prove = await prover.membership(case(Source(1)), PATHS, (5, 10))
    proof = prove([PATHS[2], PATHS[0], PATHS[3]])
    assert proof.order == (1, 0, 2)
    first, second = decode(["bytes[]"], proof.data)[0]
    assert second == bytes([1, 3, 4])
    ((*_, slots, _, _),) = decode(["(bytes,bytes,bytes[],bytes[][],string,uint64[])"], first)
    assert slots == ((PATHS[0].raw,), (PATHS[2].raw,), (PATHS[3].raw,))


async def test_members_that_ask_for_different_orders_are_not_joined() -> None:
    prover = CompositeProver((member(1, Sorting()), member(2, Sorting(downwards=True))), 2)
    prove = await prover.membership(case(), PATHS, (5, 10))
    with pytest.raises(InvalidProof, match="orders"):
        prove(PATHS)


async def test_the_cheapest_members_are_asked_and_others_where_they_fail() -> None:
    cheap = CompositeProver(
        (member(1, Sorting(), 3), member(2, Sorting()), member(3, Sorting())), 2
    )
    proof = (await cheap.membership(case(), PATHS, (5, 10)))(PATHS)
    assert [bool(each) for each in decode(["bytes[]"], proof.data)[0]] == [False, True, True]
    members = (member(1, Sorting(), 3), member(2, Failing()), member(3, None), member(4, Sorting()))
    prover = CompositeProver(members, 2)
    proof = (await prover.membership(case(), PATHS, (5, 10)))(PATHS)
    assert [bool(each) for each in decode(["bytes[]"], proof.data)[0]] == [True, False, False, True]
    one_stopped = case(verifier=Verifier({account(1)}))
    with pytest.raises(TooFewProofs) as shortage:
        await prover.membership(one_stopped, PATHS, (5, 10))
    for name, why in (("01", "is frozen"), ("02", "CAIMI-L004"), ("03", "unknown type")):
        assert f"0x{name * 20}" in shortage.value.what
        assert why in shortage.value.what


async def test_a_composite_vouches_for_one_block_only() -> None:
    prover = CompositeProver((member(1, Sorting()), member(2, Sorting())), 2)
    height, proof = await prover.block(case(), (5, 10))
    assert (height, decode(["bytes[]"], proof)[0]) == (10, (b"hash of 10", b"hash of 10"))

    class Later(Sorting):
        async def block(self, case, blocks):
            return 11, b"another"

    apart = CompositeProver((member(1, Sorting()), member(2, Later())), 2)
    with pytest.raises(UnprovableClient, match="different blocks"):
        await apart.block(case(), (5, 10))


async def test_a_state_does_not_vouch_for_a_block() -> None:
    with pytest.raises(UnprovableClient):
        await StorageProofProver(Sorting()).block(case(), (5, 10))


def test_each_kind_of_client_has_its_prover_and_others_none() -> None:
    committee = LightClient(account(1), "caimi-committee")
    strange = LightClient(account(2), "07-tendermint")
    storage = LightClient(account(3), STORAGE_PROOF, (committee,))
    optimistic = LightClient(account(4), OPTIMISTIC, (strange,))
    composite = LightClient(account(5), COMPOSITE, (storage, strange, optimistic, committee), 2)
    prover = prover_for(composite)
    assert isinstance(prover, CompositeProver)
    assert [each.prover is None for each in prover.members] == [False, True, False, False]
    assert [each.cost for each in prover.members] == [4, 5, 1, 0]
    for unprovable in (strange, LightClient(account(6), STORAGE_PROOF, (strange,))):
        with pytest.raises(UnprovableClient, match="07-tendermint"):
            prover_for(unprovable)


@dataclass
class Reading:
    """As much of a ledger as endorsed reads ask for: what its organisations read of block 10."""

    id = LedgerId("fabric:one")
    height: int = 10
    time: int = 1_000
    gone: bool = False

    @property
    def gateway(self) -> Reading:
        return self

    async def endorsed_reads(self, paths: Sequence[Path]) -> EndorsedReads:
        values = tuple(None if self.gone else path.key for path in paths)
        keys = tuple(path.key for path in paths)
        return EndorsedReads(b"payload", (), self.height, self.time, keys, values)


def places(proof: Proof) -> tuple[int, ...]:
    ((payload, _, found),) = decode(
        ["(bytes,(bytes32,bytes32,bytes32,bytes32,bytes)[],uint16[])"], proof.data
    )
    assert payload == b"payload"
    return found


async def test_endorsed_reads_are_proved_in_any_order_and_part() -> None:
    prove = await EndorsedReadsProver().membership(case(Reading()), PATHS, (5, 10))
    proof = prove([PATHS[3], PATHS[1]])
    assert (places(proof), proof.order) == ((3, 1), (0, 1))
    names = [("client-0", n) for n in range(1, 5)]
    prove_absent = await EndorsedReadsProver().absence(case(Reading(gone=True)), names)
    assert places(prove_absent(names[2:])) == (2, 3)
    with pytest.raises(InvalidProof):
        prove([Path.commitment("client-0", 5)])


@pytest.mark.parametrize("source", [Reading(height=9), Reading(gone=True)])
async def test_organisations_that_lag_are_waited_for(source: Reading) -> None:
    with pytest.raises(LedgerBehind):
        await EndorsedReadsProver().membership(case(source), PATHS, (5, 10))


async def test_an_absence_is_read_no_earlier_than_it_is_asked_of() -> None:
    with pytest.raises(LedgerBehind):
        await EndorsedReadsProver().absence(case(Reading(time=999)), [("client-0", 1)])


async def test_endorsed_reads_vouch_for_no_block() -> None:
    with pytest.raises(UnprovableClient):
        await EndorsedReadsProver().block(case(Reading()), (5, 10))


def test_a_client_of_endorsed_reads_has_its_prover() -> None:
    assert isinstance(prover_for(LightClient(account(1), ENDORSED_READS)), EndorsedReadsProver)
