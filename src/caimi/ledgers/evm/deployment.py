"""Where CAIMI's contracts are on a ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from caimi.errors.ledgers import DeploymentInvalid
from caimi.hex_text import read_either_case
from caimi.ledgers.port import LedgerId

NAMES = (
    "authority",
    "gateway",
    "registry",
    "bridge",
    "market",
    "receipts",
    "messages",
    "fees",
    "exit",
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where CAIMI's contracts are on one ledger; none is older than block `deployed_at`."""

    ledger: LedgerId
    contracts: Mapping[str, bytes]
    deployed_at: int

    def __post_init__(self) -> None:
        missing = [name for name in NAMES if len(self.contracts.get(name, b"")) != 20]
        if missing:
            raise DeploymentInvalid(f"The deployment on {self.ledger} lacks {', '.join(missing)}.")

    def as_dict(self) -> dict[str, object]:
        """Give the JSON and TOML form."""
        return {
            "id": self.ledger,
            "deployed_at": self.deployed_at,
            "contracts": {name: f"0x{self.contracts[name].hex()}" for name in NAMES},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> Deployment:
        """Read the JSON and TOML form; other keys are the configuration's own.

        Raises:
            DeploymentInvalid: something is missing or malformed.
        """
        ledger, height = document.get("id"), document.get("deployed_at")
        contracts = document.get("contracts")
        if not isinstance(ledger, str) or not isinstance(height, int) or height < 0:
            raise DeploymentInvalid("A deployment names no ledger or no height.")
        if not isinstance(contracts, Mapping):
            raise DeploymentInvalid(f"The deployment on {ledger} names no contracts.")
        addresses = {}
        for name, text in contracts.items():
            try:
                addresses[str(name)] = read_either_case(text, 20)
            except ValueError:
                raise DeploymentInvalid(
                    f"{name} on {ledger} has no address: {text!r:.60}."
                ) from None
        return cls(LedgerId(ledger), addresses, height)
