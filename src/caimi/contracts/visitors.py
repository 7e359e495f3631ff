"""Tokens of models whose home is another ledger. The bridge makes and burns them, nobody else."""

from __future__ import annotations

from dataclasses import dataclass

from caimi.contracts.execution import Effect, Execution, refuse, require
from caimi.contracts.identifiers import Account, InteroperableAccount, TokenId
from caimi.contracts.interoperable import ledger_of
from caimi.contracts.known_models import KnownModel, KnownModels, KnownVoyage
from caimi.contracts.naming import is_publisher, token_id
from caimi.contracts.ownership import Ownership
from caimi.contracts.site import Site
from caimi.contracts.visiting import VisitingModel
from caimi.names import is_model_name
from caimi.uri import is_version


@dataclass(frozen=True, slots=True)
class VisitorMinted(Effect):
    """A model of another ledger arrived, or came back to its sender."""

    token: TokenId
    home: InteroperableAccount
    to: Account


@dataclass(frozen=True, slots=True)
class VisitorBurned(Effect):
    """A model of another ledger left."""

    token: TokenId


class Visitors:
    """The visitors of one registry."""

    def __init__(self, site: Site, known: KnownModels, ownership: Ownership) -> None:
        self._site = site
        self._known = known
        self._ownership = ownership

    def mint(self, call: Execution, token: TokenId, to: Account, model: VisitingModel) -> None:
        """Make the token of a model of another ledger. The bridge only.

        Which ledgers make a path is for the bridge to say.
        """
        self._check_bridge(call)
        require(is_model_name(model.name), "InvalidName", name=model.name)
        home = ledger_of(model.home)
        if home is None or home == self._site.ledger:
            refuse("InvalidHome", home=model.home)
        publisher = model.publisher
        require(is_publisher(home, publisher), "InvalidPublisher", publisher=publisher)
        matching = token == token_id(model.model, model.path)
        require(matching, "WrongModelId", model_id=token)
        require(is_version(model.stated.version), "InvalidVersion", version=model.stated.version)
        require(any(model.stated.manifest), "ZeroManifest")
        if self._known.find(call.state, token) is None:
            known = KnownModel(model.publisher, model.name, model.home, 0)
            self._known.add(call.state, token, known)
        self._known.arrive(call.state, token, KnownVoyage(model.path, model.stated))
        self._ownership.mint(call, to, token)
        call.emit(VisitorMinted(token, model.home, to))

    def burn(self, call: Execution, token: TokenId) -> None:
        """Burn it again; the caller must hold it. The bridge only.

        What is known of the model stays, so that it can come again.
        """
        self._check_bridge(call)
        require(not self._known.is_home(call.state, token), "ModelIsNotForeign", model_id=token)
        owner = self._ownership.owner(call.state, token)
        require(owner == call.caller, "NotModelOwner", model_id=token, account=call.caller)
        self._ownership.burn(call, token)
        call.emit(VisitorBurned(token))

    def _check_bridge(self, call: Execution) -> None:
        require(call.caller == self._site.bridge, "AccessManagedUnauthorized", caller=call.caller)
