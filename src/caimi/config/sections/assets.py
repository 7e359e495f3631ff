"""`[[assets]]`: the tokens that are paid in, beside each ledger's coin."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from caimi.config.section import Section
from caimi.config.values import AccountText, LedgerNamed, Symbol

COIN: Final = "coin"
"""What a ledger's own coin is called among assets, whatever its people call it."""


class AssetSection(Section):
    """A token that is paid in: its symbol, its ledger by id or name, and its contract there.

    An amount of 1 is 10 to the power of `decimals` of its smallest units. Symbol and decimals are
    compared with what the contract says, when the token is first used.
    """

    symbol: Symbol
    ledger: LedgerNamed
    address: AccountText
    decimals: Annotated[int, Field(ge=0, le=77)]
