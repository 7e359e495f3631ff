"""Putting CAIMI on a ledger, and joining it to others: for whoever administers it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from caimi.config import LedgerSection
from caimi.ledgers.port.accounts import Account
from caimi.ledgers.port.blocks import LedgerId
from caimi.ledgers.port.calls import Call, Outbox
from caimi.ledgers.port.clients import ClientTerms
from caimi.ledgers.port.gateway import Committee
from caimi.ledgers.port.keys import Signer
from caimi.ledgers.port.ledger import Ledger
from caimi.ledgers.port.money import Money

BY_COMMITTEE: Final = ClientTerms()


@dataclass(frozen=True, slots=True)
class RouteEnd:
    """One end of a route to be: `here` gets a client of `of`, which believes `committee`."""

    here: Ledger
    of: Ledger
    committee: Committee
    terms: ClientTerms = BY_COMMITTEE


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """A ledger before CAIMI is on it: its id, its name here, and what its family is told of it.

    `told` is what its section will say to the family, but for where CAIMI is. `family` is needed as
    in a section.
    """

    id: LedgerId
    name: str
    told: Mapping[str, object] = field(default_factory=dict)
    family: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One transaction of a plan: what it does, and whether it was signed before.

    `work` is about what it takes; 0 where the ledger counts none.
    """

    what: str
    work: int
    begun: bool


@dataclass(frozen=True, slots=True)
class LedgerPlan:
    """What `account` is about to do on a ledger, and what that costs, about and at most.

    The two costs are of what is not begun, at the present price; they and what the account has are
    None where nobody pays.
    """

    ledger: LedgerId
    account: Account
    steps: tuple[PlannedStep, ...]
    likely: Money | None = None
    most: Money | None = None
    held: Money | None = None

    @property
    def missing(self) -> Money | None:
        """What the account lacks of the most that it can cost; None when it lacks nothing."""
        if self.most is None or self.held is None or self.held >= self.most:
            return None
        return self.most - self.held


class Drafts(Protocol):
    """Takes calls that another account is to make, such as one of several signatures."""

    def draft(self, call: Call[object]) -> None: ...


class Administered(Protocol):
    """A ledger with CAIMI on it, and a key that administers it, or proposes what is to change."""

    @property
    def ledger(self) -> Ledger: ...
    @property
    def admin(self) -> Signer: ...

    async def add_client(
        self,
        of: Ledger,
        committee: Committee,
        *,
        terms: ClientTerms = BY_COMMITTEE,
        outbox: Outbox | None = None,
        key: str = "route",
    ) -> str:
        """Add a route to a ledger of any family, by a client of some terms; gives its id.

        With an `outbox`, what was killed goes on where it stopped; its entries begin with `key`.

        Raises:
            RouteUnfit: there is no such client here, or none of that ledger.
            ChangeWaits: the ledger's changes wait, and this one is proposed; do it again then.
        """
        ...

    async def administer(
        self, call: Call[None], *, outbox: Outbox | None = None, key: str = "administer"
    ) -> None:
        """Make a change that administrators make, once under `key`.

        Raises:
            TransactionReverted: the key may not, or it cannot be made.
            ChangeWaits: as `add_client` says.
        """
        ...


class Administration(Protocol):
    """What a family offers to whoever administers its ledgers."""

    async def deploy(
        self,
        place: LedgerPlace,
        signer: Signer,
        *,
        guardian: bytes | None = None,
        outbox: Outbox | None = None,
        key: str = "deploy",
    ) -> LedgerSection:
        """Put CAIMI on a ledger, administered by `signer`; gives its section.

        `guardian` is the native account that may stop things, `signer`'s unless given. With an
        `outbox`, what was killed goes on where it stopped; its entries begin with `key`.

        Raises:
            ConfigInvalid: the place is not told as the family asks.
            LedgerUnavailable, WrongLedger…: the ledger is not there.
        """
        ...

    async def plan(
        self,
        place: LedgerPlace,
        account: bytes,
        *,
        outbox: Outbox | None = None,
        key: str = "deploy",
    ) -> LedgerPlan:
        """Tell what `deploy` would do with the key of a native account; sends nothing.

        Raises as `deploy`.
        """
        ...

    async def audit(self, section: LedgerSection) -> Sequence[str]:
        """Say what is not on a ledger as `deploy` leaves it, in words; nothing when all is.

        Whoever governs may have changed roles since: what lets another than administrators do more
        than stop is told, who administers is not.

        Raises:
            LedgerUnavailable, WrongLedger…: the ledger is not there.
        """
        ...

    async def gone(self, section: LedgerSection) -> bool:
        """Whether nothing at all of a deployment is on its ledger any more, and that is final.

        So it is where a ledger was started anew. A node that lags tells nothing, and is no proof.

        Raises:
            LedgerBehind: nothing is seen, by a node that may know the ledger only before it.
            LedgerUnavailable, WrongLedger…: the ledger is not there.
        """
        ...

    async def plan_route(
        self,
        end: RouteEnd,
        account: bytes,
        *,
        outbox: Outbox | None = None,
        key: str = "route",
        drafts: Drafts | None = None,
    ) -> LedgerPlan:
        """Tell what adding a route's end, and naming its counterparty, takes; sends nothing.

        `drafts` as in `administered`.

        Raises:
            RouteUnfit: the account neither administers the ledger nor proposes its changes, or
                there is no such client.
        """
        ...

    async def audit_route(self, end: RouteEnd, client_id: str) -> Sequence[str]:
        """Say what of a route's end is not as `add_client` leaves it, in words."""
        ...

    def administered(
        self, ledger: Ledger, signer: Signer, drafts: Drafts | None = None
    ) -> Administered:
        """Join one of the family's ledgers and a key that administers it, or proposes changes.

        `drafts` takes what another account is to propose, where changes are proposed at all.
        """
        ...


@runtime_checkable
class Upgrading(Protocol):
    """An administration that can also bring what is on a ledger to what its section says by now."""

    async def plan_upgrade(self, section: LedgerSection, account: bytes) -> LedgerPlan:
        """Tell what `upgrade` would do, and what of it is done; raises as it."""
        ...

    async def upgrade(self, section: LedgerSection) -> None:
        """Do what is left. Whoever was interrupted, or waits for others, does the same again.

        Raises:
            LedgerUnavailable, WrongLedger…: the ledger is not there.
        """
        ...
