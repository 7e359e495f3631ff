"""CAIMI's chaincode as a program, which an organisation runs beside its peer until it is ended."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from caimi.ledgers.fabric.chaincode.contract import Chaincode
from caimi.ledgers.fabric.chaincode.process import main
from caimi.ledgers.fabric.setup import AccountingTerms, LedgerSetup
from caimi.ledgers.port import LedgerId


@dataclass(frozen=True, slots=True)
class ChaincodeTerms:
    """What all organisations of a channel must agree on: else they endorse nothing together.

    `administrator` and `guardian` are accounts of the ledger, as it writes them.
    """

    ledger: LedgerId
    administrator: str
    guardian: str
    accounting: AccountingTerms | None = None

    def arguments(self) -> list[str]:
        """Give the options that say so."""
        said = [
            f"--ledger={self.ledger}",
            f"--administrator={self.administrator}",
            f"--guardian={self.guardian}",
        ]
        if self.accounting is not None:
            said += [
                f"--issuer={self.accounting.issuer.decode()}",
                f"--symbol={self.accounting.symbol}",
                f"--decimals={self.accounting.decimals}",
            ]
        return said

    def chaincode(self, clock: Callable[[], int]) -> Chaincode:
        """Set the chaincode up; raises `InvalidAccountId` where an account is none."""
        setup = LedgerSetup(self.ledger, self.accounting)
        accounts = setup.accounts
        first, stopping = accounts.parse(self.administrator), accounts.parse(self.guardian)
        if self.accounting is not None:
            accounts.parse(self.accounting.issuer.decode())
        return Chaincode(setup.rules, first.native, stopping.native, clock)


def run(arguments: Sequence[str]) -> int:
    """Serve the chaincode; the options are those of `ChaincodeTerms` and of `ChaincodePlace`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ledger", required=True, help="the channel's name as CAIP-2")
    parser.add_argument("--administrator", required=True, help="who begins with all powers")
    parser.add_argument("--guardian", required=True, help="who may stop things")
    parser.add_argument("--issuer", help="who issues the accounting asset, if there is one")
    parser.add_argument("--symbol", default="EUR", help="what it is called")
    parser.add_argument("--decimals", type=int, default=2, choices=range(19), metavar="0..18")
    parser.add_argument("--clock-ahead", type=Path, help="for tests: a file with seconds to add")
    told, rest = parser.parse_known_args(arguments)
    accounting = None
    if told.issuer is not None:
        accounting = AccountingTerms(told.issuer.encode(), told.symbol, told.decimals)
    terms = ChaincodeTerms(LedgerId(told.ledger), told.administrator, told.guardian, accounting)
    return main(terms.chaincode(_clock(told.clock_ahead)), rest)


def _clock(ahead: Path | None) -> Callable[[], int]:
    if ahead is None:
        return lambda: int(time.time())
    return lambda: int(time.time()) + int(ahead.read_text())


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
