"""Moves the ownership of models between ledgers: lock, mint, burn, unlock, refund. Port "model".

- Over all ledgers at most one holder of a model is live: a model is locked where it was before it
  is minted behind a client, at home and on every ledger of its way; it is burnt there before it is
  unlocked, and comes back only through the client that it left by.
- A packet is refunded only while the model is still where that packet put it.
- A ledger behind a client can harm only models whose home it is, and those that came over it.
- A model is taken only when as many blocks as its sender named lie on the block that sent it.
- Over a route no more models come back than left over it.

While it is paused, or over its limits, a route sends nothing, and what arrives is refused and so
refunded where it came from; acknowledgements and timeouts are never paused or limited.

A model's home may be on a ledger of any family.
"""

from __future__ import annotations

from typing import Final

from caimi.contracts.accountant import Accountant
from caimi.contracts.applications import PacketContext
from caimi.contracts.arrivals import Arrivals
from caimi.contracts.authority import Authority, AuthorityRole
from caimi.contracts.bounds import number
from caimi.contracts.bridge_effects import (
    BridgePauseChanged,
    DeadUnlocked,
    ModelReceived,
    ModelSent,
    TransferCompleted,
    TransferReturned,
)
from caimi.contracts.departures import Departures
from caimi.contracts.execution import Execution, refuse, require
from caimi.contracts.identifiers import Account, ClientId, TokenId
from caimi.contracts.licences import Licences
from caimi.contracts.limits import RouteLimits
from caimi.contracts.packet_port import PacketPort
from caimi.contracts.passages import Passage, Passages, Whereabouts
from caimi.contracts.receiving import NOT_YET
from caimi.contracts.records import Table
from caimi.contracts.registry import ModelRegistry
from caimi.contracts.site import Accounts
from caimi.contracts.state import State
from caimi.contracts.transfers import ModelTransfer
from caimi.ibc.commitments import UNIVERSAL_ERROR_ACKNOWLEDGEMENT

MAX_DEPTH: Final = 9_000
"""More blocks than this nobody can demand: one checkpoint covers 10,000, from the one that sent."""
SUCCESS: Final = b"\x01"

_IN_FLIGHT: Final[Table[tuple[str, int], bytes]] = Table("bridge/in-flight", bytes)
_PAUSED: Final[Table[tuple[()], bool]] = Table("bridge/paused", bool)


class ModelBridge:
    """The bridge of one ledger; `limits` and `accountant` are those of its routes."""

    def __init__(
        self, port: PacketPort, registry: ModelRegistry, accounts: Accounts, authority: Authority
    ) -> None:
        self.account = port.site.bridge
        self.limits = RouteLimits("bridge", authority)
        self.accountant = Accountant("bridge", authority)
        self._port = port
        self._registry = registry
        self._accounts = accounts
        self._authority = authority
        self._passages = Passages()
        self._departures = Departures(
            port, Licences(registry), registry, self.accountant, self._passages
        )
        self._arrivals = Arrivals(port, registry, self.accountant, self._passages)

    def pause(self, call: Execution) -> None:
        """Stop all routes. Guardians only."""
        self._authority.check(call, AuthorityRole.GUARDIAN)
        self._require_running(call.state)
        _PAUSED.put(call.state, (), True)
        call.emit(BridgePauseChanged(call.caller, True))

    def unpause(self, call: Execution) -> None:
        """Let routes carry models again. Administrators only."""
        self._authority.check(call, AuthorityRole.ADMINISTRATOR)
        require(self.paused(call.state), "ExpectedPause")
        _PAUSED.delete(call.state, ())
        call.emit(BridgePauseChanged(call.caller, False))

    def send(
        self,
        call: Execution,
        client_id: ClientId,
        token: TokenId,
        to: tuple[bytes, int],
        timeout: int,
    ) -> int:
        """Send the caller's model behind a client; gives the packet's sequence.

        `to` is the recipient, in the other ledger's own bytes, and the depth: how many blocks must
        lie on the one that sends before the other ledger may take the model. What comes with less
        waits, and is refunded when its time runs out first. The caller must have approved the
        bridge for the token. `timeout` is in seconds.
        """
        recipient, min_depth = to
        self._require_running(call.state)
        with call.locked("bridge"):
            too_deep = number(min_depth, 64, "min_depth") > MAX_DEPTH
            require(not too_deep, "TooDeep", min_depth=min_depth)
            route = self._port.gateway.routes.get(call.state, client_id)
            self._departures.check_recipient(route.ledger, recipient)
            self.limits.send(call, client_id, call.caller, 0)
            model = self._departures.take(call, client_id, token)
            transfer = ModelTransfer(model, call.caller, recipient, call.height, min_depth)
            value = transfer.encode()
            sequence = self._port.send(call, self.account, client_id, timeout, value)
            self._passages.count(call.state, token, sequence)
            _IN_FLIGHT.put(call.state, (client_id, sequence), token)
            call.emit(ModelSent(token, client_id, sequence, call.caller, recipient))
        return sequence

    def unlock_dead(
        self, call: Execution, token: TokenId, client_id: ClientId, to: Account
    ) -> None:
        """Give back a model locked towards exactly `client_id`, and close that route for good.

        One that is not known to have arrived goes back to its sender alone. Exits only.
        """
        self._authority.check(call, AuthorityRole.EXIT)
        passage = self._passages.get(call.state, token)
        towards = passage.locked_towards(client_id)
        require(towards, "NotLockedTowards", model_id=token, client_id=client_id)
        fair = passage.whereabouts is Whereabouts.AWAY or to == passage.sender
        require(fair, "NotTheSender", model_id=token, to=to)
        fits = self._accounts.is_account(to) and to != self.account
        require(fits, "InvalidRecipient", recipient=to)
        self.limits.kill(call, client_id)
        call.emit(DeadUnlocked(token, client_id, to))
        self._arrivals.release(call, client_id, token, to)

    # --- reading --------------------------------------------------------------------------------

    def paused(self, state: State) -> bool:
        """Whether all routes are stopped."""
        return _PAUSED.get(state, ()) is not None

    def passage(self, state: State, token: TokenId) -> Passage:
        """Give how a token is on its way."""
        return self._passages.get(state, token)

    # --- callbacks (`PacketApplication`) ----------------------------------------------------------

    def receive(self, call: Execution, context: PacketContext) -> bytes:
        """Unlock a model that left towards exactly this client, or mint what came by it."""
        self._port.check_caller(call)
        self._require_running(call.state)
        self._port.check_envelope(context)
        client_id = ClientId(context.dest_client)
        self.limits.receive(call, client_id, 0)
        transfer = ModelTransfer.decode(context.payload.value)
        depth = transfer.min_depth
        require(depth <= MAX_DEPTH, "TooDeep", min_depth=depth)
        require(depth == 0 or context.height >= transfer.sent_at + depth, NOT_YET)
        site, recipient = self._port.site, Account(transfer.recipient)
        fits = self._accounts.is_account(recipient) and recipient not in (
            site.bridge,
            site.registry,
        )
        require(fits, "InvalidRecipient", recipient=recipient)
        token = self._arrivals.take(call, client_id, transfer.model, recipient)
        call.emit(ModelReceived(token, client_id, context.sequence, recipient))
        return SUCCESS

    def acknowledge(self, call: Execution, context: PacketContext, acknowledgement: bytes) -> None:
        """Note that the other side has the model, or give it back.

        Anything but the universal error acknowledgement means that the other side took it: giving
        it back would make two holders.
        """
        self._port.check_caller(call)
        if acknowledgement == UNIVERSAL_ERROR_ACKNOWLEDGEMENT:
            self._refund(call, context)
            return
        client_id = ClientId(context.source_client)
        token, current = self._end(call, context, refunded=False)
        if current:
            self._passages.confirm(call.state, token)
        call.emit(TransferCompleted(token, client_id, context.sequence))

    def time_out(self, call: Execution, context: PacketContext) -> None:
        """Give the model back."""
        self._port.check_caller(call)
        self._refund(call, context)

    def _refund(self, call: Execution, context: PacketContext) -> None:
        """Give the model back to its sender, if this packet is what took it away last."""
        client_id = ClientId(context.source_client)
        token, current = self._end(call, context, refunded=True)
        if not current:
            return
        passage = self._passages.get(call.state, token)
        if passage.locked:
            self._arrivals.release(call, client_id, token, passage.sender)
        else:
            self._passages.restore(call.state, token)
            model = self._registry.known.visiting(call.state, token)
            self._registry.visitors.mint(call.by(self.account), token, passage.sender, model)
        call.emit(TransferReturned(token, client_id, context.sequence, passage.sender))

    def _end(
        self, call: Execution, context: PacketContext, *, refunded: bool
    ) -> tuple[TokenId, bool]:
        """End a packet of ours, once; tells whether the model is still where the packet put it."""
        key = (context.source_client, context.sequence)
        found = _IN_FLIGHT.get(call.state, key)
        if found is None:
            refuse("UnknownPacket", client_id=context.source_client, sequence=context.sequence)
        _IN_FLIGHT.delete(call.state, key)
        token = TokenId(found)
        current = self._passages.get(call.state, token).moved_by(*key)
        # The packet is ours, so that it names who sent it.
        sender = Account(ModelTransfer.decode(context.payload.value).sender)
        self.limits.end(call, context.source_client, sender, 0, refunded=refunded)
        return token, current

    def _require_running(self, state: State) -> None:
        require(not self.paused(state), "EnforcedPause")
