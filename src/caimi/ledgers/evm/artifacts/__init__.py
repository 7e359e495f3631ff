"""The contracts' interfaces and bytecode, compiled from contracts/evm, shipped with the package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from caimi.errors.ledgers import ArtifactMissing
from caimi.ledgers.evm.abi.interface import Interface

CONTRACTS = (
    "AccessManager",
    "CommitteeClient",
    "CompositeClient",
    "EmergencyExit",
    "EndorsedReadsClient",
    "Gateway",
    "LicenceMarket",
    "ModelBridge",
    "ModelRegistry",
    "OptimisticClient",
    "ReceiptLog",
    "RelayFees",
    "StorageProofClient",
    "TimelockController",
)
"""Every contract that is shipped."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A contract: what it offers, and the code that creates it."""

    name: str
    interface: Interface
    bytecode: bytes


@cache
def artifact(name: str) -> Artifact:
    """Load a contract.

    Raises:
        ArtifactMissing: it is not in the installation, or damaged.
    """
    try:
        document = json.loads(files(__package__).joinpath(f"{name}.json").read_text("utf-8"))
        return Artifact(
            name,
            Interface(document["abi"]),
            bytes.fromhex(document["bytecode"].removeprefix("0x")),
        )
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactMissing(f"The contract {name} cannot be loaded: {error}.") from error
