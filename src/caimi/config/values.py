"""What single settings may be: the types of fields that sections share."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from caimi.chains import EIP155_REFERENCE, EVM_ADDRESS, LEDGER
from caimi.names import NAME

LedgerText = Annotated[str, StringConstraints(pattern=f"^{LEDGER}$")]
LedgerNamed = Annotated[str, StringConstraints(min_length=1, max_length=41)]
"""A ledger by its CAIP-2 id or by its short name."""
HexAddress = Annotated[str, StringConstraints(pattern=f"^{EVM_ADDRESS}$")]
AccountText = Annotated[str, StringConstraints(pattern=r"^[-.%a-zA-Z0-9]{1,128}$")]
ListedAccount = Annotated[
    str, StringConstraints(pattern=rf"^({LEDGER}:[-.%a-zA-Z0-9]{{1,128}}|{EVM_ADDRESS})$")
]
ContractAccount = Annotated[
    str, StringConstraints(pattern=f"^eip155:{EIP155_REFERENCE}:{EVM_ADDRESS}$")
]
HexBytes = Annotated[str, StringConstraints(pattern=r"^0x([0-9a-f]{2})+$", max_length=65536)]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]{1,500}$")]
DatabaseUrl = Annotated[str, StringConstraints(pattern=r"^postgresql(\+psycopg)?://[^\s]{1,2000}$")]
PathText = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", max_length=4096)]
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
Symbol = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{0,4}[A-Za-z][-+._A-Za-z0-9]{0,31}$", max_length=32)
]
