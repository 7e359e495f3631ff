"""Light clients of an EVM ledger's routes: the port's `LightClients`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from caimi.errors.messaging import UnprovableClient
from caimi.ledgers.client_proofs import MAX_MEMBERS
from caimi.ledgers.evm.abi.calls import EvmCall
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.rpc.chain import Chain, Read
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.port import NEWEST, Account, At, Committee
from caimi.ledgers.port.clients import (
    COMPOSITE,
    MAX_CLIENTS,
    MAX_DEPTH,
    OPTIMISTIC,
    STORAGE_PROOF,
    Claim,
    LightClient,
)
from caimi.signatures import account_text

_STATE = 4  # where it stands in a claim
_OPEN, _ACCEPTED, _REJECTED = 1, 3, 4


class EvmLightClients:
    """The light clients that one EVM gateway's routes trust.

    What a client is made of never changes, so each is asked once; which client a route has, whether
    it is frozen and who its committee is are read each time.
    """

    def __init__(self, gateway: Contract) -> None:
        self._gateway = gateway
        self._chain: Chain = gateway.chain
        self._known: dict[bytes, LightClient] = {}

    async def of(self, client_id: str) -> LightClient:
        """Give a route's present client.

        Raises:
            TransactionReverted: there is no such route.
            UnprovableClient: it is made of too many clients.
        """
        account, _, _ = await self._gateway.read("getClient", client_id)
        if account not in self._known:
            self._known[account] = await self._look(account, MAX_DEPTH, count(1))
        return self._known[account]

    async def frozen(self, accounts: Sequence[Account]) -> list[bool]:
        """Tell which clients prove nothing any more."""
        method = artifact("CommitteeClient").interface["frozen"]
        reads = [Read(self._gateway.address_of(account), method) for account in accounts]
        return [bool(frozen) for (frozen,) in await self._chain.reads(reads)]

    async def committee(self, account: Account) -> Committee:
        """Give the present committee of a committee client."""
        return await read_committee(self._contract(account, "CommitteeClient"))

    def rotate(
        self, account: Account, following: Committee, signers: int, signatures: bytes
    ) -> EvmCall[None]:
        """Hand a committee client over to `following`, as its present committee signed."""
        return self._contract(account, "CommitteeClient").call(
            f"Handing client {account_text(account.native)} over to epoch {following.epoch}",
            "rotate",
            following.threshold,
            list(following.members),
            following.operators,
            signers,
            signatures,
        )

    async def claims(self, account: Account, most: int) -> list[Claim]:
        """Give the newest claims of an optimistic client, oldest first."""
        client = self._contract(account, "OptimisticClient")
        last = await self._last_claim(client)
        numbers = range(max(1, last - most + 1), last + 1)
        found = await self._chain.reads([client.reading("claims", number) for number in numbers])
        return [
            self._claim(number, fields) for number, (fields,) in zip(numbers, found, strict=True)
        ]

    async def propose(self, account: Account, claim: Claim) -> EvmCall[None]:
        """Build a claim, with its bond."""
        client = self._contract(account, "OptimisticClient")
        (bond,) = await client.read("bond")
        return client.call(
            f"Claiming blocks {claim.from_height} to {claim.height}",
            "propose",
            claim.from_height,
            claim.height,
            claim.time,
            claim.root,
            claim.size,
            value=bond,
        )

    async def recover(
        self, account: Account, ended: Sequence[int], proposer: Account
    ) -> list[EvmCall[None]]:
        """Build the settling of claims, and the withdrawal of what their proposer is owed."""
        client = self._contract(account, "OptimisticClient")
        calls = [client.call(f"Settling claim {each}", "settle", each) for each in ended]
        address = self._gateway.address_of(proposer)
        (owed,) = await client.read("owed", address)
        if calls or owed:
            calls.append(client.call("Withdrawing bonds", "withdraw", address))
        return calls

    async def _look(self, account: bytes, depth: int, numbers: Iterator[int]) -> LightClient:
        """Read a client and those in it; `numbers` counts them all."""
        if depth == 0 or next(numbers) > MAX_CLIENTS:
            raise UnprovableClient(
                f"A client on {self._chain.ledger} is made of more than {MAX_CLIENTS} clients, or "
                f"they lie more than {MAX_DEPTH} deep."
            )
        (kind,) = await self._at(account, "CommitteeClient").read("clientType")
        accounts: Sequence[bytes] = ()
        threshold = 0
        if kind == COMPOSITE:
            client = self._at(account, "CompositeClient")
            (accounts,), (threshold,) = await self._chain.reads(
                [client.reading("members"), client.reading("threshold")]
            )
            if not 0 < threshold <= len(accounts) <= MAX_MEMBERS:
                raise UnprovableClient(
                    f"A composite on {self._chain.ledger} asks for {threshold} of {len(accounts)}."
                )
        elif kind == STORAGE_PROOF:
            accounts = await self._at(account, "StorageProofClient").read("inner")
        elif kind == OPTIMISTIC:
            accounts = await self._at(account, "OptimisticClient").read("stronger")
        inner = [await self._look(each, depth - 1, numbers) for each in accounts]
        return LightClient(self._gateway.account(account), str(kind), tuple(inner), threshold)

    async def _last_claim(self, client: Contract) -> int:
        """Find the newest claim: they are numbered from 1, and nothing says how many there are."""

        async def exists(number: int) -> bool:
            (claim,) = await client.read("claims", number)
            return bool(claim[_STATE])

        beyond = 1
        while await exists(beyond):
            beyond *= 2
        before = beyond // 2
        while beyond - before > 1:
            middle = (before + beyond) // 2
            before, beyond = (middle, beyond) if await exists(middle) else (before, middle)
        return before

    def _contract(self, account: Account, name: str) -> Contract:
        return self._at(self._gateway.address_of(account), name)

    def _at(self, address: bytes, name: str) -> Contract:
        return Contract(self._chain, address, artifact(name).interface)

    def _claim(self, number: int, fields: Value) -> Claim:
        start, height, time, size, state, proposer, deadline, _, _, root = fields
        return Claim(
            number,
            start,
            height,
            time,
            size,
            root,
            deadline,
            state == _OPEN,
            state == _ACCEPTED,
            state == _REJECTED,
            self._gateway.account(proposer),
        )


async def read_committee(client: Contract, at: At = NEWEST) -> Committee:
    """Read the present committee of a committee client."""
    (epoch,) = await client.read("epoch", at=at)
    digest, threshold, members, operators, _ = await client.read("committee", epoch, at=at)
    return Committee(epoch, threshold, tuple(members), operators, digest)
