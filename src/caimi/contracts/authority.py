"""Who may do what is not open to everybody."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from caimi.contracts.execution import Effect, Execution, require
from caimi.contracts.identifiers import Account
from caimi.contracts.records import Table
from caimi.contracts.state import State


class AuthorityRole(IntEnum):
    """What an account may be trusted with."""

    ADMINISTRATOR = 0
    """All that weakens or changes a rule, and the roles themselves."""
    GUARDIAN = 1
    """To stop things."""
    EXIT = 2
    """To give back what is locked towards a ledger that died."""


@dataclass(frozen=True, slots=True)
class RoleChanged(Effect):
    """An account has a role from now on, or no more."""

    role: AuthorityRole
    account: Account
    held: bool


_HOLDERS: Final[Table[tuple[int, Account], bool]] = Table("authority/holders", bool)


class Authority:
    """The roles. Administrators give and take them."""

    def found(self, call: Execution, administrator: Account, guardian: Account) -> None:
        """Give the first roles; once, before anything else."""
        self._set(call, AuthorityRole.ADMINISTRATOR, administrator, held=True)
        self._set(call, AuthorityRole.GUARDIAN, guardian, held=True)

    def has(self, state: State, role: AuthorityRole, account: Account) -> bool:
        """Whether an account has a role."""
        return _HOLDERS.get(state, (role, account)) is not None

    def check(self, call: Execution, role: AuthorityRole) -> None:
        """Let holders of a role pass; refuses ``AccessManagedUnauthorized``."""
        require(
            self.has(call.state, role, call.caller), "AccessManagedUnauthorized", caller=call.caller
        )

    def grant(self, call: Execution, role: AuthorityRole, account: Account) -> None:
        """Give a role. Administrators only."""
        self._check_administrator(call)
        self._set(call, role, account, held=True)

    def revoke(self, call: Execution, role: AuthorityRole, account: Account) -> None:
        """Take a role. Administrators only."""
        self._check_administrator(call)
        self._set(call, role, account, held=False)

    def _check_administrator(self, call: Execution) -> None:
        require(
            self.has(call.state, AuthorityRole.ADMINISTRATOR, call.caller),
            "AccessManagerUnauthorizedAccount",
            account=call.caller,
            role=AuthorityRole.ADMINISTRATOR.value,
        )

    def _set(self, call: Execution, role: AuthorityRole, account: Account, *, held: bool) -> None:
        if held:
            _HOLDERS.put(call.state, (role, account), True)
        else:
            _HOLDERS.delete(call.state, (role, account))
        call.emit(RoleChanged(role, account, held))
