"""How a bridge takes models: it unlocks what left towards a client, and mints what came by it."""

from __future__ import annotations

from dataclasses import replace

from caimi.contracts.accountant import Accountant
from caimi.contracts.execution import Execution, refuse, require
from caimi.contracts.identifiers import Account, ClientId, InteroperableLedger, TokenId
from caimi.contracts.interoperable import ledger_of
from caimi.contracts.naming import is_voyage, token_id
from caimi.contracts.packet_port import PacketPort
from caimi.contracts.passages import Passages
from caimi.contracts.registry import ModelRegistry
from caimi.contracts.visiting import VisitingModel


class Arrivals:
    """The incoming half of a bridge."""

    def __init__(
        self,
        port: PacketPort,
        registry: ModelRegistry,
        accountant: Accountant,
        passages: Passages,
    ) -> None:
        self._port = port
        self._site = port.site
        self._registry = registry
        self._accountant = accountant
        self._passages = passages

    def take(
        self, call: Execution, client_id: ClientId, model: VisitingModel, to: Account
    ) -> TokenId:
        """Take what came by a client; gives its token.

        What goes back where it came from has this ledger as its home, or as the last of its path.
        """
        home = ledger_of(model.home)
        if home is None:
            refuse("InvalidHome", home=model.home)
        if model.home == self._site.here(self._site.registry):
            self._require_voyage(not model.path, model)
            token = TokenId(model.model)
        elif model.path and model.path[-1] == self._site.ledger:
            token = token_id(model.model, model.path[:-1])
        else:
            return self._mint(call, client_id, model, (home, to))
        towards = self._passages.get(call.state, token).locked_towards(client_id)
        require(towards, "NotLockedTowards", model_id=token, client_id=client_id)
        self.release(call, client_id, token, to)
        return token

    def release(self, call: Execution, client_id: ClientId, token: TokenId, to: Account) -> None:
        """Give back a model that left by a client."""
        bridge = self._site.bridge
        self._accountant.come_back(call, client_id, 1)
        self._passages.restore(call.state, token)
        self._registry.ownership.transfer(call.by(bridge), bridge, to, token)

    def _mint(
        self,
        call: Execution,
        client_id: ClientId,
        model: VisitingModel,
        ends: tuple[InteroperableLedger, Account],
    ) -> TokenId:
        """Mint under the id of the way it came.

        Whatever the ledger behind the client says of the way, it is itself the last of it. The
        registry refuses to mint what is live or locked here.
        """
        home, to = ends
        behind = self._port.gateway.routes.get(call.state, client_id).ledger
        if behind == home:
            self._require_voyage(not model.path, model)
        else:
            model = replace(model, path=(*model.path, behind))
        self._require_voyage(is_voyage(home, model.path, self._site.ledger), model)
        token = token_id(model.model, model.path)
        self._passages.arrive(call.state, token, client_id)
        self._registry.visitors.mint(call.by(self._site.bridge), token, to, model)
        return token

    def _require_voyage(self, possible: bool, model: VisitingModel) -> None:
        require(possible, "NotAVoyage", home=model.home, path=model.path)
