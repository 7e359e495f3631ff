"""How a bridge lets models go: what travels with them, where they may go, and what stays behind."""

from __future__ import annotations

from typing import Final

from caimi.contracts.accountant import Accountant
from caimi.contracts.execution import Execution, require
from caimi.contracts.identifiers import ClientId, InteroperableLedger, TokenId
from caimi.contracts.interoperable import EVM_ACCOUNT_LENGTH, evm_number, ledger_of
from caimi.contracts.licences import Licences, LicenceTally
from caimi.contracts.naming import is_voyage, version_id
from caimi.contracts.packet_port import PacketPort
from caimi.contracts.passages import Passages
from caimi.contracts.registry import ModelRegistry
from caimi.contracts.visiting import ModelStatement, VisitingModel
from caimi.ibc.applications import LICENCE

MAX_RECIPIENT_LENGTH: Final = 128


class Departures:
    """The outgoing half of a bridge."""

    def __init__(
        self,
        port: PacketPort,
        licences: Licences,
        registry: ModelRegistry,
        accountant: Accountant,
        passages: Passages,
    ) -> None:
        self._port = port
        self._site = port.site
        self._registry = registry
        self._licences = licences
        self._accountant = accountant
        self._passages = passages

    def check_recipient(self, ledger: InteroperableLedger, recipient: bytes) -> None:
        """Let a recipient pass that can be an account of a ledger."""
        if evm_number(ledger) is not None:
            fits = len(recipient) == EVM_ACCOUNT_LENGTH and any(recipient)
        else:
            fits = 0 < len(recipient) <= MAX_RECIPIENT_LENGTH
        require(fits, "InvalidRecipient", recipient=recipient)

    def take(self, call: Execution, client_id: ClientId, token: TokenId) -> VisitingModel:
        """Take the caller's model in order to send it behind a client; gives what travels."""
        model = self.describe(call, token)
        state, bridge = call.state, self._site.bridge
        back = self._passages.get(state, token).visiting_by(client_id)
        if back:
            self._passages.depart(state, token, call.caller)
        else:
            self._check_way(call, client_id, token, model)
            self._accountant.leave(call, client_id, 1)
            self._passages.lock(state, token, client_id, call.caller)
        self._registry.ownership.transfer(call.by(bridge), call.caller, bridge, token)
        if back:
            self._registry.visitors.burn(call.by(bridge), token)
        return model

    def describe(self, call: Execution, token: TokenId) -> VisitingModel:
        """Give what its home says of a model now, or what was said when it came."""
        state, known = call.state, self._registry.known
        if not known.is_home(state, token):
            return known.visiting(state, token)
        model, site = known.model(state, token), self._site
        newest = known.version_at(state, token, model.version_count - 1)
        version = known.require_version(state, token, version_id(newest))
        selling = self._port.gateway.applications.account_at(state, LICENCE.port) == site.market
        tally = self._licences.tally(state, token) if selling else LicenceTally()
        return VisitingModel(
            site.here(site.registry),
            model.publisher,
            model.name,
            (),
            ModelStatement(
                call.time,
                model.version_count,
                newest,
                version.manifest,
                tally.live,
                tally.digest,
            ),
        )

    def _check_way(
        self, call: Execution, client_id: ClientId, token: TokenId, model: VisitingModel
    ) -> None:
        """From home anywhere; from elsewhere only to a ledger that the model has not been on."""
        home = ledger_of(model.home)
        assert home is not None, "What the registry knows of a visitor was checked when it came."
        if home == self._site.ledger:
            return
        behind = self._port.gateway.routes.get(call.state, client_id).ledger
        onward = is_voyage(home, (*model.path, self._site.ledger), behind)
        require(onward, "NotTheWay", model_id=token, client_id=client_id)
