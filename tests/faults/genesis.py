"""Where every schedule begins: ledgers with CAIMI deployed and joined, users, models and prices.

Made once in a process by the production deployment, and restored for each schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, permutations
from random import Random

from coincurve import PrivateKey

from caimi.composition.joining import join_ledgers, name_counterparty
from caimi.hashing import keccak256
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.facets.voyages import token_id
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.chain import Chain as EvmChain
from caimi.ledgers.evm.rpc.client import RetryPolicy, Rpc
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.evm.transactions.fees import FeePolicy
from caimi.ledgers.evm.transactions.sender import Patience
from caimi.ledgers.port import Account, Asset, Committee, LedgerId, Price, Signer
from caimi.messaging.checkpoint import make_committee
from faults.chain import Chain
from faults.node import Node, NodeFaults
from faults.process import Process
from faults.unlike_chain import UnlikeChain, wallet
from faults.unlike_genesis import (
    UNLIKE,
    UNLIKE_CLIENTS,
    Joined,
    Words,
    beginning,
    empty,
    model_of,
)
from faults.unlike_node import UnlikeNode
from faults.virtual_time import VirtualLoop, run

NUMBERS = (101, 102, 103)
MEMBERS, THRESHOLD = 5, 3
COINS = 10**24
PRICE = 10**15
VERSION = "1.0.0"
PATIENCE = Patience(
    stuck_after=60.0, give_up_after=240.0, displaced_after=30.0, first_look=2.0, longest_look=8.0
)


class Key:
    """A key in memory (port `Signer`), made from a name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._key = PrivateKey(keccak256(name.encode()))
        self.account = keccak256(self._key.public_key.format(compressed=False)[1:])[12:]

    def sign_digest(self, digest: bytes) -> bytes:
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([signature[64] + 27])


class Clock:
    """The ledgers' clock, in seconds: each schedule sets its own."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now()


@dataclass(frozen=True, slots=True)
class Model:
    """A model, and the ledger that is its home."""

    model_id: bytes
    home: LedgerId

    def tokens(self, ledgers: Iterable[LedgerId]) -> list[Token]:
        """Give its tokens on all ledgers, by all ways that it can have come there."""
        names = list(ledgers)
        tokens = [Token(self.home, (), self.model_id)]
        for ledger in names:
            between = [name for name in names if name not in (self.home, ledger)]
            for hops in range(len(between) + 1):
                if ledger != self.home:
                    tokens += [
                        Token(ledger, path, token_id(self.model_id, path))
                        for path in permutations(between, hops)
                    ]
        return tokens


@dataclass(frozen=True, slots=True)
class Token:
    """A model on a ledger, after a voyage over others."""

    ledger: LedgerId
    path: tuple[LedgerId, ...]
    token_id: bytes

    def goes_on_over(self, route: frozenset[LedgerId]) -> bool:
        """Whether it was sent on over a route by a ledger where it was a guest."""
        stops = (*self.path, self.ledger)
        return any(set(hop) == route for hop in pairwise(stops))


@dataclass(frozen=True, slots=True)
class Genesis:
    """The frozen beginning. When it is split, the pair `weak` trusts a committee of its own.

    `evm` are those of the `chains` that are EVM ledgers: all, or all but the last one.
    """

    chains: Mapping[LedgerId, Chain | UnlikeChain]
    evm: Mapping[LedgerId, Chain]
    deployments: Mapping[LedgerId, Deployment | Words]
    committees: Mapping[frozenset[LedgerId], Committee]
    weak: frozenset[LedgerId]
    keys: Mapping[bytes, Key]
    users: tuple[Key, ...]
    relayers: tuple[Key, ...]
    attacker: Key
    governor: Key
    guardian: Key
    models: tuple[Model, ...]
    clock: Clock

    @property
    def rich(self) -> tuple[bytes, ...]:
        """The accounts that began with `COINS` on each ledger."""
        keys = (*self.users, *self.relayers, self.attacker, self.governor, self.guardian)
        return tuple(key.account for key in keys)

    def following(self) -> tuple[Committee, dict[bytes, Key]]:
        """Give the committee that follows on the safe one, and its new members' keys."""
        current = next(each for pair, each in self.committees.items() if pair != self.weak)
        fresh = [Key(f"new member {number}") for number in range(MEMBERS - THRESHOLD)]
        members = [*current.members[:THRESHOLD], *(key.account for key in fresh)]
        keys = {key.account: key for key in fresh}
        return make_committee(current.epoch + 1, current.threshold, members), keys

    def start(self, now: Callable[[], float]) -> None:
        """Restore the ledgers; time is `now` from here on."""
        self.clock.now = now
        for chain in self.chains.values():
            chain.restore()

    def open(
        self,
        ledger: LedgerId,
        process: Process,
        faults: NodeFaults,
        rng: Random,
        patience: Patience = PATIENCE,
    ) -> EvmLedger | UnlikeNode:
        """Connect a process to a ledger by a node of its own."""
        chain, deployment = self.chains[ledger], self.deployments[ledger]
        if isinstance(chain, UnlikeChain):
            return UnlikeNode(chain, process, faults, rng)
        assert isinstance(deployment, Deployment)
        return open_ledger(chain, deployment, process, faults, rng, patience)

    def signer(self, ledger: LedgerId, key: Key) -> Signer:
        """Give somebody's key on a ledger."""
        return key if ledger in self.evm else wallet(key.name)

    def account(self, ledger: LedgerId, key: Key) -> Account:
        """Give somebody's account on a ledger."""
        return Account(ledger, self.signer(ledger, key).account)


def connect(chain: Chain, process: Process, faults: NodeFaults, rng: Random) -> EvmChain:
    """Reach a ledger by a node."""
    node = Node(chain, process, faults, rng)
    rpc = Rpc(node, f"{process.name} at {chain.id}", RetryPolicy(attempts=3, first=0.5))
    return EvmChain(rpc, chain.id, Depth(chain.depth))


def open_ledger(
    chain: Chain,
    deployment: Deployment,
    process: Process,
    faults: NodeFaults,
    rng: Random,
    patience: Patience,
) -> EvmLedger:
    """Open the production adapter over a node."""
    reached = connect(chain, process, faults, rng)
    return EvmLedger(reached, deployment, policy=FeePolicy(), patience=patience, clock=chain.now)


@cache
def genesis(split: bool = False, unlike: bool = False) -> Genesis:
    """Make the beginning, once in this process; the last ledger may be the unlike one."""
    return run(lambda loop: _make(loop, split, unlike))


async def _make(loop: VirtualLoop, split: bool, unlike: bool) -> Genesis:
    clock = Clock(loop.time)
    chains = {f"eip155:{n}": Chain(n, clock) for n in NUMBERS[: len(NUMBERS) - unlike]}
    ledgers = {LedgerId(name): chain for name, chain in chains.items()}
    deployer, attacker, guardian = Key("deployer"), Key("attacker"), Key("guardian")
    users = tuple(Key(f"user {number}") for number in range(4))
    relayers = tuple(Key(f"relayer {number}") for number in range(3))
    for chain in ledgers.values():
        for key in (deployer, attacker, guardian, *users, *relayers):
            for machine in (chain.head_machine, chain.past_machine):
                machine.fund(key.account, COINS)
    deployments: dict[LedgerId, Deployment | Words] = {}
    opened: dict[LedgerId, EvmLedger] = {}
    for name, chain in ledgers.items():
        process, rng = Process("deployer"), Random(0)
        reached = connect(chain, process, NodeFaults(), rng)
        deployed = await deploy(reached, deployer, guardian=guardian.account)
        deployments[name] = deployed
        opened[name] = open_ledger(chain, deployed, process, NodeFaults(), rng, PATIENCE)
    keys: dict[bytes, Key] = {}
    committees: dict[frozenset[LedgerId], Committee] = {}
    names, joined = [*ledgers, *([UNLIKE] if unlike else [])], list[Joined]()
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            weak = split and i + names.index(b) == 1
            kind = "weak" if weak else "strong"
            members = [Key(f"{kind} member {number}") for number in range(MEMBERS)]
            keys.update({member.account: member for member in members})
            committee = make_committee(0, THRESHOLD, [member.account for member in members])
            committees[frozenset((a, b))] = committee
            admin = EvmAdministered(opened[a], deployer)
            if b in opened:
                await join_ledgers(admin, EvmAdministered(opened[b], deployer), committee)
                continue
            theirs = await admin.add_client(empty(), committee)
            await name_counterparty(admin, theirs, f"{UNLIKE_CLIENTS}-{i}")
            joined.append(Joined(a, opened[a].gateway.address, theirs, committee))
    models = []
    for place, (name, ledger) in enumerate(opened.items()):
        for number in range(2 - (place == 2)):
            owner = users[(place + number) % len(users)]
            call = ledger.registry.publish(f"model-{number}", VERSION, bytes(31) + b"\x01")
            await ledger.submit(call, owner)
            model_id = ledger.registry.model_id(
                Account(ledger.id, owner.account), f"model-{number}"
            )
            prices = [
                Price(Asset(each, b"").of(PRICE + place), Account(each, owner.account))
                for each in ledgers
            ]
            await ledger.submit(ledger.market.set_prices(model_id, prices), owner)
            models.append(Model(model_id, name))
    for chain in ledgers.values():
        while chain.head.height < chain.changed[-1] + chain.depth + 8:
            chain._make(chain.due)
            chain.due += chain.interval
        chain.past_machine.rewind(0)
        chain.machine_at(chain.head.height)
        while chain.past_machine.applied < len(chain.changed):
            chain.past_machine.apply(chain.blocks[chain.changed[chain.past_machine.applied]])
        chain.freeze()
    every: dict[LedgerId, Chain | UnlikeChain] = {**ledgers}
    if unlike:
        people = [key.name for key in (deployer, attacker, *users, *relayers)]
        owner = users[2]
        prices = [
            Price(Asset(each, b"").of(PRICE), Account(each, owner.account)) for each in ledgers
        ]
        every[UNLIKE] = UnlikeChain(
            UNLIKE, clock, lambda: beginning(joined, people, owner.name, prices)
        )
        deployments[UNLIKE] = Words.of()
        models.append(Model(model_of(owner.name), UNLIKE))
    return Genesis(
        chains=every,
        evm=ledgers,
        deployments=deployments,
        committees=committees,
        weak=frozenset(names[:2]) if split else frozenset(),
        keys=keys,
        users=users,
        relayers=relayers,
        attacker=attacker,
        governor=deployer,
        guardian=guardian,
        models=tuple(models),
        clock=clock,
    )
