"""The invariants that every schedule must keep, read from the ledgers themselves.

They share no code with the contracts, validators or relayers: they count events and balances.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from caimi.chains import InteroperableAddress
from caimi.errors.base import CaimiError
from caimi.errors.messaging import AlreadySignedOtherwise, LedgerReorganised, SigningStopped
from caimi.hashing import keccak256
from caimi.ibc.statements import Kind
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.port import Block, LedgerId
from caimi.messaging.checkpoint import Attestation
from faults.accounts import Accounts
from faults.chain import Chain, Refused
from faults.genesis import COINS, Model, Token
from faults.machine import Message
from faults.transaction import Log, SimBlock
from faults.unlike_chain import UnlikeChain
from faults.vigilance import Vigilance

if TYPE_CHECKING:
    from faults.actors import ValidatorActor
    from faults.world import World

_GATEWAY = artifact("Gateway").interface
_REGISTRY = artifact("ModelRegistry").interface
_MARKET = artifact("LicenceMarket").interface
_BRIDGE = artifact("ModelBridge").interface
NATIVE = bytes(20)
Ledger = Chain | UnlikeChain
PENDING = 1


@dataclass(slots=True)
class Law:
    """Collects what was broken, each as one line that names its invariant."""

    world: World
    broken: list[str] = field(default_factory=list)
    harm: set[str] = field(default_factory=set)
    alarms: int = 0
    checks: int = 0
    _said: dict[tuple[object, ...], object] = field(default_factory=dict)
    _signed: dict[str, dict[tuple[LedgerId, int, int], bytes]] = field(default_factory=dict)
    _origins: dict[bytes, LedgerId] = field(default_factory=dict)

    vigilance: Vigilance = field(init=False)

    def __post_init__(self) -> None:
        self.vigilance = Vigilance(self.world)
        for name, deployment in self.world.genesis.deployments.items():
            here = InteroperableAddress.from_caip(name)
            gateway = deployment.contracts["gateway"]
            address = InteroperableAddress(here.chain_type, here.reference, gateway)
            self._origins[keccak256(address.to_bytes())] = name

    def breach(self, invariant: str, what: str) -> None:
        line = f"{invariant}: {what}"
        if line not in self.broken:
            self.broken.append(line)

    # --- at every step ----------------------------------------------------------------------------

    def block(self, chain: Ledger, block: SimBlock | Block) -> None:
        """I1 and I7, as far as they must hold at every moment."""
        self.checks += 1
        self.vigilance.block(chain, block)
        self.one_holder()
        self.market_is_covered(chain)

    def one_holder(self) -> None:
        """I1: over all ledgers at most one holder of a model is live."""
        for model in self.world.genesis.models:
            holders = self.holders(model)
            if len(holders) > 1:
                places = ", ".join(sorted(holders))
                what = f"model {model.model_id.hex()[:8]} is live on {places}"
                self._breach_or_harm(model.home in self.world.genesis.weak, "I1", what)

    def _breach_or_harm(self, stolen: bool, invariant: str, what: str) -> None:
        """Tell what a route's stolen keys, or a ledger that breaks its word, can do from a defect.

        Stolen keys harm the models that are at home on the route's two ledgers, and the packets
        on it, and nothing else.
        """
        if stolen or self.world.settings.kind == "beyond-finality":
            self.harm.add(f"{invariant}: {what}")
        else:
            self.breach(invariant, what)

    def _stolen(self, source: LedgerId, client: bytes) -> bool:
        """Whether the keys of the route behind a client on `source` are stolen."""
        weak = self.world.genesis.weak
        return any(
            keccak256(route.client.encode()) == client and {route.source, route.dest} == weak
            for route in self.world.routes
            if route.source == source
        )

    def holders(self, model: Model) -> list[str]:
        """Give the ledgers, and the ways there, where somebody but the bridge owns the model.

        Stolen keys of a route mint tokens that say to have gone on over it. They are told from the
        model by that, and nobody here sends a model such a way.
        """
        weak = self.world.genesis.weak
        return [
            " over ".join((token.ledger, *reversed(token.path)))
            for token in model.tokens(self.world.genesis.chains)
            if not token.goes_on_over(weak) and self._has_owner(token)
        ]

    def _has_owner(self, token: Token) -> bool:
        chain = self.world.genesis.chains[token.ledger]
        if isinstance(chain, UnlikeChain):
            return chain.is_owned(token.token_id)
        places = self.world.genesis.deployments[token.ledger].contracts
        data = _REGISTRY["ownerOf"].encode(int.from_bytes(token.token_id))
        try:
            owner = chain.call(Message(places["registry"], data), chain.head.height)[12:]
        except Refused:
            return False
        return owner not in (NATIVE, places["bridge"])

    def market_is_covered(self, chain: Ledger) -> None:
        """I7: what the market holds is what it owes and keeps, to the last unit."""
        if isinstance(chain, UnlikeChain):
            return  # there is nothing to pay with
        market = self.world.genesis.deployments[chain.id].contracts["market"]
        accounts = {each.account for each in self.world.genesis.users}
        accounts |= {each.account for each in self.world.genesis.relayers}  # their deposits
        accounts |= {self.world.genesis.attacker.account}
        held = self._number(chain, market, _MARKET["held"].encode(NATIVE))
        owed = sum(
            self._number(chain, market, _MARKET["owed"].encode(account, NATIVE))
            for account in sorted(accounts)
        )
        balance = chain.head_machine.balance(market)
        if balance != held + owed:
            self.breach("I7", f"{chain.id}'s market has {balance}, keeps {held}, owes {owed}")

    def _number(self, chain: Chain, target: bytes, data: bytes) -> int:
        return int.from_bytes(chain.call(Message(target, data), chain.head.height))

    def attested(self, validator: ValidatorActor, said: Attestation) -> None:
        """A validator whose node does not lie never contradicts itself: it cannot be slashed."""
        statement = said.statement
        spans: list[tuple[tuple[object, ...], object]] = [
            ((validator.name, statement.origin, statement.height), statement.time)
        ]
        if statement.kind is Kind.CHECKPOINT:
            span = (validator.name, statement.origin, statement.from_height, statement.height)
            spans.append((span, (statement.root, statement.size)))
            if validator.name not in self.world.misled:
                chain = self._origins[statement.origin]
                block = self.world.genesis.chains[chain].blocks[statement.height]
                mine = self._signed.setdefault(validator.name, {})
                mine.setdefault((chain, statement.from_height, statement.height), block.hash)
        for key, value in spans:
            if self._said.setdefault(key, value) != value:
                self.breach("V1", f"{validator.name} signed twice, otherwise, at {key[2:]}")

    async def look_for_alarms(self) -> None:
        """V2: a validator refuses what contradicts what it signed, once its ledger broke its word.

        Asked again for each range that it signed and whose blocks have changed since.
        """
        for validator in self.world.validators:
            for (chain, start, height), value in self._signed.get(validator.name, {}).items():
                now = self.world.genesis.chains[chain].blocks
                if height >= len(now) or now[height].hash == value:
                    continue
                try:
                    await validator.answer(lambda v, c=chain, s=start, h=height: v.attest(c, s, h))  # type: ignore[misc]
                except (AlreadySignedOtherwise, LedgerReorganised, SigningStopped):
                    self.alarms += 1
                except CaimiError as error:
                    self.breach("V2", f"{validator.name} says {error.code} instead of an alarm")
                else:
                    self.breach("V2", f"{validator.name} signed {chain}'s other branch as well")

    # --- when all is over -------------------------------------------------------------------------

    def open_packets(self) -> list[str]:
        """Packets that were sent and have not ended, or ended in blocks that are not final."""
        unended = []
        for name, chain in self.world.genesis.chains.items():
            sent = self._events(chain, "gateway", "PacketSent")
            ends = Counter(
                log.topics[1:3]
                for event in ("PacketAcknowledged", "PacketTimedOut")
                for log in self._events(chain, "gateway", event)
                if log.height <= chain.final_height
            )
            unended += [
                f"{name} packet {int.from_bytes(log.topics[2])} of {log.topics[1].hex()[:8]}"
                for log in sent
                if log.topics[1:3] not in ends and not self._stolen(name, log.topics[1])
            ]
        return unended

    def end(self) -> None:
        """Everything that must be so once all is calm."""
        for packet in self.open_packets():
            # Once its ledger broke its word a validator signs nothing until its operator says so.
            self._breach_or_harm(False, "I2", f"never ended: {packet}")
        for name, chain in self.world.genesis.chains.items():
            self._once(name, chain)
            self._purchases(name, chain)
            self.money_is_conserved(chain)
        self._ends_agree()
        self.vigilance.end()
        Accounts(self.world).end()
        self._grants()
        for model in self.world.genesis.models:
            if len(self.holders(model)) != 1:
                what = f"model {model.model_id.hex()[:8]} has no holder, or several"
                self._breach_or_harm(model.home in self.world.genesis.weak, "I1", what)

    def _once(self, name: LedgerId, chain: Ledger) -> None:
        """I2: nothing takes effect, is answered or ends twice."""
        for place, event, first in (
            ("gateway", "AcknowledgementWritten", 1),
            ("bridge", "ModelReceived", 2),
        ):
            counts = Counter(
                log.topics[first : first + 2] for log in self._events(chain, place, event)
            )
            for (_, sequence), count in counts.items():
                if count > 1:
                    number = int.from_bytes(sequence)
                    self.breach("I2", f"{count} times {event} of packet {number} on {name}")
        ends = Counter(
            log.topics[1:3]
            for event in ("PacketAcknowledged", "PacketTimedOut")
            for log in self._events(chain, "gateway", event)
        )
        for (_, sequence), count in ends.items():
            if count > 1:
                self.breach(
                    "I2", f"packet {int.from_bytes(sequence)} ended {count} times on {name}"
                )

    def _ends_agree(self) -> None:
        """I2: what timed out was never received; what was acknowledged was."""
        for route in self.world.routes:
            stolen = {route.source, route.dest} == self.world.genesis.weak
            source, dest = (self.world.genesis.chains[x] for x in (route.source, route.dest))
            here = keccak256(route.client.encode())
            there = keccak256(route.counterparty.encode())
            received = self._sequences(dest, "AcknowledgementWritten", there)
            sent = self._sequences(source, "PacketSent", here)
            timed_out = self._sequences(source, "PacketTimedOut", here)
            acknowledged = self._sequences(source, "PacketAcknowledged", here)
            for what, which in (
                ("was received and timed out", received & timed_out),
                ("was acknowledged and never received", acknowledged - received),
                ("was received and never sent", received - sent),
            ):
                for sequence in sorted(which):
                    self._breach_or_harm(
                        stolen, "I2", f"packet {sequence} of {route.client} {what}"
                    )

    def _purchases(self, name: LedgerId, chain: Ledger) -> None:
        """I7: a purchase ends once, is paid to the seller or back, and only a grant is paid for."""
        ends: defaultdict[bytes, list[str]] = defaultdict(list)
        for event in ("PurchaseCompleted", "PurchaseRefunded"):
            for log in self._events(chain, "market", event):
                ends[log.topics[1]].append(event)
        for log in self._events(chain, "market", "PurchaseOpened"):
            happened = ends.pop(log.topics[1], [])
            if len(happened) != 1:
                what = f"purchase {log.topics[1].hex()[:8]} on {name} had {happened}"
                self._breach_or_harm(bool(self.world.genesis.weak), "I7", what)
        for purchase, happened in ends.items():
            self.breach("I7", f"{happened} of purchase {purchase.hex()[:8]} nobody made on {name}")

    def _grants(self) -> None:
        """I7: a purchase that was paid for has exactly one grant, and one refunded has none."""
        weak = self.world.genesis.weak
        granted: Counter[bytes] = Counter()
        for chain in self.world.genesis.chains.values():
            gateway = self.world.genesis.deployments[chain.id].contracts["gateway"]
            for log in self._events(chain, "market", "LicenceGranted"):
                # What was bought where it is granted needs no packet: nothing is without a coin.
                coinless = isinstance(chain, UnlikeChain)
                if coinless or chain.receipts[log.tx].transaction.to == gateway:
                    granted[log.topics[1]] += 1
        paid = Counter(
            log.topics[2]
            for chain in self.world.genesis.chains.values()
            for log in self._events(chain, "market", "PurchaseCompleted")
        )
        for licence in granted.keys() | paid.keys():
            if not granted[licence] == paid[licence] == 1:
                what = f"licence {licence.hex()[:8]} was granted {granted[licence]} times"
                self._breach_or_harm(bool(weak), "I7", f"{what} and paid {paid[licence]} times")

    def money_is_conserved(self, chain: Ledger) -> None:
        """I7: no coin comes into being or is lost; fees are not charged here."""
        if isinstance(chain, UnlikeChain):
            return
        begin = self.world.genesis
        contracts = begin.deployments[chain.id].contracts.values()
        total = sum(map(chain.head_machine.balance, (*begin.rich, *contracts)))
        if total != len(begin.rich) * COINS:
            self.breach("I7", f"{chain.id} has {total} wei, of {len(begin.rich)} times {COINS}")

    def _sequences(self, chain: Ledger, event: str, client: bytes) -> set[int]:
        return {
            int.from_bytes(log.topics[2])
            for log in self._events(chain, "gateway", event)
            if log.topics[1] == client
        }

    def _events(self, chain: Ledger, place: str, event: str) -> list[Log]:
        address = self.world.genesis.deployments[chain.id].contracts[place]
        interface = {"gateway": _GATEWAY, "bridge": _BRIDGE, "market": _MARKET}[place]
        topic = interface.events[event].topic
        return [log for log in chain.logs if log.topics[0] == topic and log.address == address]
