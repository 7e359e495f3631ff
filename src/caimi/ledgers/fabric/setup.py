"""What a channel's ledger is made of, the same for every organisation's chaincode and reader."""

from __future__ import annotations

from caimi.contracts.accounting import AccountingAsset
from caimi.contracts.deployment import Contracts
from caimi.contracts.identifiers import Account as Native
from caimi.ledgers.fabric.terms import AccountingTerms
from caimi.ledgers.machine.acts import ACTS
from caimi.ledgers.machine.coins import accounting_acts
from caimi.ledgers.machine.ed25519_accounts import Ed25519Accounts
from caimi.ledgers.machine.escrow import RelayEscrow, escrow_acts
from caimi.ledgers.machine.machine import site_of
from caimi.ledgers.machine.rules import ActRules
from caimi.ledgers.port import Asset, LedgerId


class LedgerSetup:
    """The contracts of one ledger and its acts, with an accounting asset where there is one."""

    def __init__(self, ledger: LedgerId, accounting: AccountingTerms | None = None) -> None:
        self.accounts = Ed25519Accounts(ledger)
        site = site_of(ledger)
        self.units: AccountingAsset | None = None
        self.asset: Asset | None = None
        self.escrow: RelayEscrow | None = None
        acts = dict(ACTS)
        if accounting is not None:
            issuer = Native(accounting.issuer.encode())
            self.units = AccountingAsset(issuer, self.accounts, site)
            self.asset = Asset(ledger, b"", accounting.symbol, accounting.decimals)
            acts |= accounting_acts(self.units)
        contracts = Contracts.over(site, self.accounts, self.units)
        if self.units is not None:
            self.escrow = RelayEscrow(contracts.gateway, self.units)
            acts |= escrow_acts(self.escrow)
        self.rules = ActRules(ledger, contracts, self.accounts, acts)
