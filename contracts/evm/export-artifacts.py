#!/usr/bin/env python3
"""Write the contracts' interfaces and bytecode into the Python package, or check them there.

    export-artifacts.py           build with forge and write src/caimi/ledgers/evm/artifacts/*.json
    export-artifacts.py --check   build, compare with the files, and fail when one differs

The output depends on the sources, the compiler and its settings only. What is built, the tests
among it, is what `forge test` finds built.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent.parent / "src" / "caimi" / "ledgers" / "evm" / "artifacts"
ACCESS_MANAGER = "node_modules/@openzeppelin/contracts/access/manager/AccessManager.sol"
TIMELOCK = "node_modules/@openzeppelin/contracts/governance/TimelockController.sol"
SOURCES = {
    "AccessManager": ACCESS_MANAGER,
    "CommitteeClient": "src/clients/CommitteeClient.sol",
    "CompositeClient": "src/clients/CompositeClient.sol",
    "EmergencyExit": "src/governance/EmergencyExit.sol",
    "EndorsedReadsClient": "src/clients/EndorsedReadsClient.sol",
    "Gateway": "src/gateway/Gateway.sol",
    "LicenceMarket": "src/models/LicenceMarket.sol",
    "MessagePort": "src/gateway/MessagePort.sol",
    "ModelBridge": "src/models/ModelBridge.sol",
    "ModelRegistry": "src/models/ModelRegistry.sol",
    "OptimisticClient": "src/clients/OptimisticClient.sol",
    "ReceiptLog": "src/models/ReceiptLog.sol",
    "RelayFees": "src/gateway/RelayFees.sol",
    "StorageProofClient": "src/clients/StorageProofClient.sol",
    "TimelockController": TIMELOCK,
}


def build() -> None:
    """Compile everything, where the sources are newer than what there is."""
    forge = next(HERE.glob("node_modules/@foundry-rs/forge-*/bin/forge"))
    subprocess.run([str(forge), "build", "--quiet"], cwd=HERE, check=True)  # noqa: S603 - our own tool


def artifact(name: str, source: str) -> str:
    """Give the text of one artifact."""
    built = json.loads((HERE / "out" / Path(source).name / f"{name}.json").read_text("utf-8"))
    bytecode = built["bytecode"]["object"]
    if "__$" in bytecode:
        sys.exit(f"{name} needs a library to be linked, which the deployment does not do")
    metadata = built["metadata"]
    settings = metadata["settings"]
    document = {
        "contractName": name,
        "sourceName": source.removeprefix("node_modules/"),
        "compiler": {
            "version": metadata["compiler"]["version"],
            "evmVersion": settings["evmVersion"],
            "optimizer": settings["optimizer"],
            "viaIR": settings.get("viaIR", False),
        },
        "abi": built["abi"],
        "bytecode": bytecode,
    }
    return json.dumps(document, indent=1, sort_keys=False) + "\n"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    check = parser.parse_args().check
    differing = []
    build()
    for name, source in SOURCES.items():
        text = artifact(name, source)
        path = TARGET / f"{name}.json"
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        differing.append(name)
        if not check:
            path.write_text(text, "utf-8")
    if check and differing:
        sys.exit(
            f"Artifacts differ from the contracts: {', '.join(differing)}. "
            "Run contracts/evm/export-artifacts.py and commit what it writes."
        )
    print(f"{len(SOURCES)} artifacts, {len(differing)} {'differ' if check else 'written'}")


if __name__ == "__main__":
    main()
