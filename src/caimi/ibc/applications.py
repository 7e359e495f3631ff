"""The applications that a deployment offers: each one's port, and what is spoken there.

A gateway routes packets by port. Whoever deploys a ledger's contracts gives each of these ports to
the contract that it calls so; a further application is one more entry here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ABI: Final = "application/x-solidity-abi"


@dataclass(frozen=True, slots=True)
class Application:
    """What is spoken at a port; `contract` is what a deployment calls the contract behind it."""

    port: str
    version: str
    encoding: str
    contract: str

    def speaks(self, port: str, version: str) -> bool:
        """Tell whether a payload for a port, of a version, is its own."""
        return (port, version) == (self.port, self.version)


MODEL: Final = Application("model", "caimi-model-3", ABI, "bridge")
LICENCE: Final = Application("licence", "caimi-licence-2", ABI, "market")
MESSAGES: Final = Application("erc7786", "caimi-message-1", ABI, "messages")
APPLICATIONS: Final = (MODEL, LICENCE, MESSAGES)
