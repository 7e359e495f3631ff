"""Who owns a model: tokens, approvals and operators, by the rules of ERC-721."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caimi.contracts.execution import Effect, Execution, refuse, require
from caimi.contracts.identifiers import NOBODY, Account, TokenId
from caimi.contracts.records import Table
from caimi.contracts.site import Accounts, Site
from caimi.contracts.state import State


@dataclass(frozen=True, slots=True)
class OwnershipMoved(Effect):
    """A token went from one owner to another; nobody where it was made or burnt."""

    sender: Account
    recipient: Account
    token: TokenId


@dataclass(frozen=True, slots=True)
class OwnershipApproved(Effect):
    """An owner lets one account move one token."""

    owner: Account
    approved: Account
    token: TokenId


@dataclass(frozen=True, slots=True)
class OperatorApproved(Effect):
    """An owner lets an account move all tokens, or no more."""

    owner: Account
    operator: Account
    approved: bool


_OWNERS: Final[Table[tuple[TokenId], bytes]] = Table("registry/owners", bytes)
_APPROVED: Final[Table[tuple[TokenId], bytes]] = Table("registry/approved", bytes)
_OPERATORS: Final[Table[tuple[Account, Account], bool]] = Table("registry/operators", bool)


class Ownership:
    """The tokens of one registry."""

    def __init__(self, site: Site, accounts: Accounts) -> None:
        self._site = site
        self._accounts = accounts

    def owner(self, state: State, token: TokenId) -> Account:
        """Give a token's owner, `NOBODY` where it is not on this ledger."""
        return Account(_OWNERS.get(state, (token,)) or NOBODY)

    def require_owner(self, state: State, token: TokenId) -> Account:
        """Give a token's owner; refuses ``ERC721NonexistentToken``."""
        owner = self.owner(state, token)
        require(owner != NOBODY, "ERC721NonexistentToken", token_id=token)
        return owner

    def approved(self, state: State, token: TokenId) -> Account:
        """Give the account that may move the token; refuses as `require_owner`."""
        self.require_owner(state, token)
        return Account(_APPROVED.get(state, (token,)) or NOBODY)

    def is_operator(self, state: State, owner: Account, operator: Account) -> bool:
        """Whether an account may move all tokens of an owner."""
        return _OPERATORS.get(state, (owner, operator)) is not None

    def approve(self, call: Execution, to: Account, token: TokenId) -> None:
        """Let an account move a token; `NOBODY` takes it back."""
        owner = self.require_owner(call.state, token)
        require(
            call.caller == owner or self.is_operator(call.state, owner, call.caller),
            "ERC721InvalidApprover",
            approver=call.caller,
        )
        require(to == NOBODY or self._accounts.is_account(to), "InvalidAccount", account=to)
        _APPROVED.put(call.state, (token,), to)
        call.emit(OwnershipApproved(owner, to, token))

    def set_operator(self, call: Execution, operator: Account, *, approved: bool) -> None:
        """Let an account move all tokens of the caller, or no more."""
        require(self._accounts.is_account(operator), "ERC721InvalidOperator", operator=operator)
        key = (call.caller, operator)
        if approved:
            _OPERATORS.put(call.state, key, True)
        else:
            _OPERATORS.delete(call.state, key)
        call.emit(OperatorApproved(call.caller, operator, approved))

    def transfer(self, call: Execution, sender: Account, to: Account, token: TokenId) -> None:
        """Move a token, but not to the registry, nor to the bridge unless the bridge takes it.

        Neither could ever give it back: the bridge takes models by its own `send`, which notes who
        sent them.
        """
        site = self._site
        require(
            to != site.registry and (to == call.caller or to != site.bridge),
            "NotBySending",
            to=to,
            model_id=token,
        )
        require(self._accounts.is_account(to), "ERC721InvalidReceiver", receiver=to)
        owner = self.owner(call.state, token)
        if not self._may_move(call, owner, token):
            if owner == NOBODY:
                refuse("ERC721NonexistentToken", token_id=token)
            refuse("ERC721InsufficientApproval", operator=call.caller, token_id=token)
        require(owner == sender, "ERC721IncorrectOwner", sender=sender, token_id=token, owner=owner)
        self._move(call, owner, to, token)

    def mint(self, call: Execution, to: Account, token: TokenId) -> None:
        """Make a token; for the registry."""
        require(self._accounts.is_account(to), "ERC721InvalidReceiver", receiver=to)
        exists = self.owner(call.state, token) != NOBODY
        require(not exists, "ERC721InvalidSender", sender=NOBODY)
        self._move(call, NOBODY, to, token)

    def burn(self, call: Execution, token: TokenId) -> None:
        """Burn a token; for the registry."""
        self._move(call, self.require_owner(call.state, token), NOBODY, token)

    def _may_move(self, call: Execution, owner: Account, token: TokenId) -> bool:
        return owner != NOBODY and (
            call.caller == owner
            or self.is_operator(call.state, owner, call.caller)
            or _APPROVED.get(call.state, (token,)) == call.caller
        )

    def _move(self, call: Execution, sender: Account, to: Account, token: TokenId) -> None:
        _APPROVED.delete(call.state, (token,))
        if to == NOBODY:
            _OWNERS.delete(call.state, (token,))
        else:
            _OWNERS.put(call.state, (token,), to)
        call.emit(OwnershipMoved(sender, to, token))
