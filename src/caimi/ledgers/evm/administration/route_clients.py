"""The light clients of a new route on an EVM ledger: what they are to be, and whether they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from caimi.chains import InteroperableAddress
from caimi.errors.deploying import RouteUnfit
from caimi.errors.ids import InvalidInteroperableAddress
from caimi.hashing import keccak256
from caimi.ledgers.client_proofs import reads_head
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.interface import Method, encode
from caimi.ledgers.evm.administration.deploying import GUARDIAN_ROLE
from caimi.ledgers.evm.administration.planning import WORK, Step
from caimi.ledgers.evm.administration.roles import authority_of
from caimi.ledgers.evm.administration.shipped_code import shipped_code
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.chain import Read
from caimi.ledgers.port import (
    CHOSEN_KINDS,
    COMMITTEE,
    COMPOSITE,
    ENDORSED_READS,
    OPTIMISTIC,
    STORAGE_PROOF,
    Account,
    LightClient,
    ReadEndorsers,
    RouteEnd,
    clients,
)

CONTRACTS: Final[Mapping[str, str]] = {
    COMMITTEE: "CommitteeClient",
    STORAGE_PROOF: "StorageProofClient",
    OPTIMISTIC: "OptimisticClient",
    ENDORSED_READS: "EndorsedReadsClient",
    COMPOSITE: "CompositeClient",
}
STEPS: Final[Mapping[str, str]] = {
    COMMITTEE: "client",
    STORAGE_PROOF: "storage-proof",
    OPTIMISTIC: "optimistic",
    ENDORSED_READS: "endorsed-reads",
    COMPOSITE: "composite",
}
"""The last part of the outbox key of each kind's creation."""
FREEZABLE: Final = (COMMITTEE, OPTIMISTIC, ENDORSED_READS)
"""Kinds that guardians may freeze."""
PROPOSER_ROLE: Final = 4
WINDOWS: Final = range(600, 43_200 + 1)
"""Seconds that an optimistic client's claims may lie open: its MIN_WINDOW to its MAX_WINDOW."""
_GETTERS: Final[Mapping[str, tuple[str, ...]]] = {
    STORAGE_PROOF: ("inner", "gateway"),
    OPTIMISTIC: ("stronger", "bond", "challengeWindow", "confirmationWindow", "authority"),
    ENDORSED_READS: ("source", "endorsers", "authority"),
}
"""The functions that say what a client was constructed with, in the constructor's order."""
_STATEMENTS: Final = keccak256(
    encode(
        ("bytes32", "bytes32", "bytes32"),
        (
            keccak256(b"EIP712Domain(string name,string version)"),
            keccak256(b"CAIMI"),
            keccak256(b"1"),
        ),
    )
)
"""The domain of what committees sign, which names no chain."""


@dataclass(frozen=True, slots=True)
class RouteClients:
    """The clients of one end of a route; raises `RouteUnfit` when there can be none such."""

    here: EvmLedger
    end: RouteEnd

    def __post_init__(self) -> None:
        terms = self.end.terms
        kinds = terms.kinds
        unknown = [kind for kind in kinds if kind not in CHOSEN_KINDS]
        if unknown or not kinds or len(set(kinds)) != len(kinds):
            raise RouteUnfit(f"{', '.join(kinds) or 'Nothing'}: a client is made of other kinds.")
        if not 0 < terms.needed <= len(kinds):
            raise RouteUnfit(f"{terms.needed} of {len(kinds)} clients cannot prove.")
        if OPTIMISTIC in kinds and not terms.bond:
            raise RouteUnfit("An optimistic client asks for a bond, and none was said.")
        for seconds in (terms.challenge_seconds, terms.confirmation_seconds):
            if OPTIMISTIC in kinds and seconds not in WINDOWS:
                raise RouteUnfit(
                    f"A claim cannot lie open for {seconds} seconds.",
                    why="An optimistic client's windows are from 10 minutes to 12 hours.",
                    next_step="Choose another --window.",
                )
        if STORAGE_PROOF in kinds:
            self._gateway()
        if ENDORSED_READS in kinds and terms.endorsers is None:
            raise RouteUnfit(
                f"Nobody is named whose reads of {self.end.of.id} count.",
                next_step="Name a peer's certificate of each organisation with --endorser.",
            )

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is made, in order: the committee's client is below all others but endorsed reads."""
        chosen = self.end.terms.kinds
        below = () if chosen == (ENDORSED_READS,) else (COMMITTEE,)
        further = tuple(kind for kind in chosen if kind != COMMITTEE)
        return (*below, *further, *((COMPOSITE,) if self._composed else ()))

    @property
    def top(self) -> str:
        """The kind of the one that the route has."""
        return COMPOSITE if self._composed else self.end.terms.kinds[0]

    @property
    def _composed(self) -> bool:
        return len(self.end.terms.kinds) > 1

    def constructed(self, kind: str, made: Mapping[str, bytes]) -> tuple[Value, ...]:
        """Give what a client is constructed with; `made` is where those below it are."""
        committee, terms = self.end.committee, self.end.terms
        authority = self.here.deployment.contracts["authority"]
        match kind:
            case clients.STORAGE_PROOF:
                return made[COMMITTEE], self._gateway()
            case clients.OPTIMISTIC:
                windows = (terms.challenge_seconds, terms.confirmation_seconds)
                return made[COMMITTEE], terms.bond, *windows, authority
            case clients.COMPOSITE:
                return terms.needed, [made[each] for each in terms.kinds]
            case clients.ENDORSED_READS:
                who = self._endorsers
                names = (self.end.of.id, who.channel, who.chaincode)
                return (*names, who.threshold, list(who.keys), who.organisations, authority)
            case _:
                return (
                    self.end.of.gateway.address,
                    committee.epoch,
                    committee.threshold,
                    list(committee.members),
                    committee.operators,
                    authority,
                )

    def steps_by_timelock(self) -> Iterator[Step]:
        """Tell what is done where a timelock administers: two proposals, each of which waits."""
        yield from self._deployments()
        changed = [work for key, _, work in self.steps() if key not in STEPS.values()]
        named = WORK["counterparty"]
        for key, what, work in (
            ("route", f"the route to {self.end.of.id}", sum(changed) - named),
            ("counterparty", "the counterparty's name", named),
        ):
            yield f"{key}-proposed", f"Proposing {what}", WORK["proposal"]
            yield f"{key}-executed", f"Carrying it out once it has waited: {what}", work

    def steps(self) -> Iterator[Step]:
        """Tell what is done for all of them, and for the route."""
        yield from self._deployments()
        yield "route", f"Adding the route to {self.end.of.id}", WORK["route"]
        for kind in self.kinds:
            if kind in FREEZABLE:
                yield guard_step(kind), f"Letting guardians freeze the {kind}", WORK["guard"]
        if OPTIMISTIC in self.kinds:
            yield "proposers", "Naming who may propose claims", WORK["proposers"]
        yield "counterparty", "Naming the counterparty", WORK["counterparty"]

    def _deployments(self) -> Iterator[Step]:
        for kind in self.kinds:
            contract = CONTRACTS[kind]
            work = WORK[contract]
            if kind == COMMITTEE:
                work += len(self.end.committee.members) * WORK["member"]
            if kind == ENDORSED_READS:
                work += len(self._endorsers.keys) * WORK["endorser"]
            yield STEPS[kind], f"Deploying {contract} of {self.end.of.id}", work

    async def audit(self, client: LightClient) -> list[str]:
        """Say what of a route's client is not as it was asked for, in words."""
        found = self._found(client)
        if found is None:
            return [f"the client is {_described(client)}"]
        codes = await self.here.chain.codes([found[kind] for kind in self.kinds])
        wrong = []
        for kind, code in zip(self.kinds, codes, strict=True):
            words = shipped_code(CONTRACTS[kind]).immutables(code)
            if words is None:
                wrong.append(f"the code of the {kind} client is not this version's")
            elif not words <= self._expected(kind, found):
                wrong.append(f"the {kind} client was constructed with other values")
        if wrong:
            return wrong
        if COMMITTEE in found:
            below = Account(self.here.id, found[COMMITTEE])
            committee = await self.here.clients.committee(below)
            if committee.hash != self.end.committee.hash:
                wrong.append("its committee is another")
        if any(await self.here.clients.frozen([client.account])):
            wrong.append("its client is frozen")
        return [*wrong, *await self._wrong_values(found), *await self._wrong_roles(found)]

    async def _wrong_values(self, made: Mapping[str, bytes]) -> list[str]:
        """Say which values of clients, each by its name, are not what was asked for."""
        wanted = [
            (kind, name, value)
            for kind in self.kinds
            for name, value in self._named(kind, made).items()
        ]
        answers = await self.here.chain.reads(
            [Read(made[kind], _method(kind, name)) for kind, name, _ in wanted]
        )
        return [
            f"the {name} of the {kind} client is another"
            for (kind, name, value), said in zip(wanted, answers, strict=True)
            if said != (value if isinstance(value, tuple) else (value,))
        ]

    def _named(self, kind: str, made: Mapping[str, bytes]) -> dict[str, Value]:
        """Give what a client's functions are to say of what it was constructed with."""
        values = self.constructed(kind, made)
        match kind:
            case clients.COMMITTEE:
                origin = keccak256(self.end.of.gateway.address)
                return {"origin": origin, "authority": values[-1]}
            case clients.COMPOSITE:
                return {"threshold": values[0]}
            case clients.ENDORSED_READS:
                who = self._endorsers
                told = (who.threshold, who.keys, who.organisations)
                grouped = (values[:3], told, values[-1])
                return dict(zip(_GETTERS[kind], grouped, strict=True))
            case _:
                return dict(zip(_GETTERS[kind], values, strict=True))

    async def _wrong_roles(self, made: Mapping[str, bytes]) -> list[str]:
        """Say who may not do with the clients what `add_client` lets them do, or others may."""
        authority = authority_of(self.here)
        assigned = [(kind, "freeze", GUARDIAN_ROLE) for kind in self.kinds if kind in FREEZABLE]
        proposers = self.end.terms.proposers if OPTIMISTIC in made else ()
        if OPTIMISTIC in made:
            assigned.append((OPTIMISTIC, "propose", PROPOSER_ROLE))
        roles = await self.here.chain.reads(
            [
                authority.reading("getTargetFunctionRole", made[kind], _method(kind, name).selector)
                for kind, name, _ in assigned
            ]
        )
        holds = await self.here.chain.reads(
            [authority.reading("hasRole", PROPOSER_ROLE, who) for who in proposers]
        )
        wrong = [
            f"role {has} may {name} on the {kind} client, not role {role}"
            for (kind, name, role), (has,) in zip(assigned, roles, strict=True)
            if has != role
        ]
        return wrong + [
            f"0x{who.hex()} may not propose claims"
            for who, (is_proposer, _) in zip(proposers, holds, strict=True)
            if not is_proposer
        ]

    def _found(self, client: LightClient) -> dict[str, bytes] | None:
        """Give each kind's address in a client of the wanted shape; None for another shape."""
        parts = client.inner if self._composed else (client,)
        wanted = self.end.terms.kinds
        shape = (client.kind, client.threshold) if self._composed else (client.kind, 0)
        if shape != (self.top, self.end.terms.needed if self._composed else 0):
            return None
        if tuple(part.kind for part in parts) != wanted:
            return None
        below = {
            (part if part.kind == COMMITTEE else part.inner[0]).account.native
            for part in parts
            if part.kind != ENDORSED_READS
        }
        if len(below) != (COMMITTEE in self.kinds):
            return None
        found = {part.kind: part.account.native for part in parts}
        for each in below:
            found[COMMITTEE] = each
        return found | ({COMPOSITE: client.account.native} if self._composed else {})

    def _expected(self, kind: str, made: Mapping[str, bytes]) -> set[bytes]:
        """Give the words that a client's immutables may be."""
        if kind == COMMITTEE:
            return {keccak256(self.end.of.gateway.address), _STATEMENTS}
        if kind == ENDORSED_READS:
            who = self._endorsers
            head = reads_head(self.end.of.id, who.channel)
            sizes = {size.to_bytes(32) for size in (who.threshold, len(head))}
            return {keccak256(head), keccak256(who.chaincode.encode()), *sizes}
        values = self.constructed(kind, made)
        addresses = {value.rjust(32, b"\0") for value in values if isinstance(value, bytes)}
        numbers = {value.to_bytes(32, "big") for value in values if isinstance(value, int)}
        return addresses | numbers

    @property
    def _endorsers(self) -> ReadEndorsers:
        who = self.end.terms.endorsers
        assert who is not None, "they were named"
        return who

    def _gateway(self) -> bytes:
        """Give the address of the other gateway, which must be an EVM ledger's."""
        try:
            found = InteroperableAddress.from_bytes(self.end.of.gateway.address)
        except InvalidInteroperableAddress as error:
            raise RouteUnfit(f"{self.end.of.id} is known here by no address.") from error
        if not found.ledger.startswith("eip155:"):
            raise RouteUnfit(
                f"{self.end.of.id} has no state whose proofs {self.here.id} could read.",
                next_step="Choose the committee's client for this ledger.",
            )
        return found.address


def guard_step(kind: str) -> str:
    """Name the last part of the outbox key under which guardians may freeze a kind of client."""
    return "guard" if kind == COMMITTEE else f"guard-{STEPS[kind]}"


def _method(kind: str, name: str) -> Method:
    return artifact(CONTRACTS[kind]).interface[name]


def _described(client: LightClient) -> str:
    if not client.inner:
        return client.kind
    inner = ", ".join(map(_described, client.inner))
    return f"{client.kind} ({client.threshold or len(client.inner)} of {inner})"
