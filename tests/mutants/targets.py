"""The trust core: which files are mutated, and which tests are their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
EVM = ROOT / "contracts" / "evm"

Language = Literal["python", "solidity"]


@dataclass(frozen=True, slots=True)
class Target:
    """Files (globs from the repository's root) and the folder or file of their own tests."""

    language: Language
    tests: str
    sources: tuple[str, ...]

    def files(self) -> list[str]:
        """Name the files, in order, from the repository's root."""
        found = {path for pattern in self.sources for path in ROOT.glob(pattern)}
        return sorted(str(path.relative_to(ROOT)) for path in found if path.name != "__init__.py")


_MODELS = (
    "content_key",
    "sealed_form",
    "sealed_reader",
    "sealing",
    "sealing_journal",
    "signature_bundle",
    "signing",
    "unsealing",
    "verification",
)
_MESSAGING = (
    "actions",
    "attestations",
    "checkpoint",
    "decisions",
    "execution",
    "open_packets",
    "proof",
    "reading",
    "relayer",
    "validator",
    "waiting_fees",
    "witnesses",
)

TARGETS = (
    Target("python", "tests/custody", ("src/caimi/custody/**/*.py",)),
    Target("python", "tests/models", tuple(f"src/caimi/models/{name}.py" for name in _MODELS)),
    Target("python", "tests/test_signatures.py", ("src/caimi/signatures.py",)),
    Target(
        "python", "tests/messaging", tuple(f"src/caimi/messaging/{name}.py" for name in _MESSAGING)
    ),
    Target(
        "python",
        "tests/ledgers/fabric/verification",
        ("src/caimi/ledgers/fabric/verification/*.py", "src/caimi/ledgers/fabric/msp/*.py"),
    ),
    Target("python", "tests/persistence", ("src/caimi/persistence/signed_*.py",)),
    Target("solidity", "test/gateway", ("contracts/evm/src/gateway/*.sol",)),
    Target("solidity", "test/clients", ("contracts/evm/src/clients/*.sol",)),
    Target("solidity", "test/models", ("contracts/evm/src/models/*.sol",)),
    Target("solidity", "test/limits", ("contracts/evm/src/limits/*.sol",)),
)
