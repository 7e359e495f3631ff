"""`[[treasuries]]`: an account of each ledger that keeps service accounts there in coins."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from caimi.names import NAME

CoinsText = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,30}(\.[0-9]{1,77})?$")]
"""An amount of coins as people write it, like ``"0.25"``; text, for no fraction is to be lost."""
ListedRecipient = Annotated[str, StringConstraints(pattern=r"^[-.%:a-zA-Z0-9]{1,170}$")]


class TreasurySection(BaseModel):
    """One ledger's treasury: who pays, how much an account should have, and how much a day may go.

    `key` is a name of the keyring. An account that has less than `floor` coins is filled up to
    `ceiling`; within 24 hours no more than `daily_cap` leaves. `low` is what the treasury should
    have at least, a day's cap unless told. Kept are the accounts of the names in `keys`, the
    workers and relayers of this file whose keys are in the keyring, and `accounts`, as the ledger
    writes them or by CAIP-10 id.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    ledger: Annotated[str, StringConstraints(min_length=1, max_length=41)]
    key: Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
    floor: CoinsText
    ceiling: CoinsText
    daily_cap: CoinsText
    low: CoinsText | None = None
    keys: Annotated[
        list[Annotated[str, StringConstraints(pattern=f"^{NAME}$")]],
        Field(max_length=256, strict=False),
    ] = []
    accounts: Annotated[list[ListedRecipient], Field(max_length=256, strict=False)] = []
