"""An account of several owners on EVM ledgers of tests: what compile.js made of tests/multisig."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import EvmCall, contract_creation
from caimi.ledgers.evm.abi.interface import Interface, encode
from caimi.ledgers.evm.administration.timelock import TimelockCall
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.contract import Contract

_FILE = Path(__file__).parent / "multisig" / "multisig.json"


@dataclass(frozen=True)
class MultisigAccount:
    """One of them on a ledger; `owners` are the keys that say what it does."""

    ledger: EvmLedger
    contract: Contract
    owners: tuple[LocalSigner, ...]

    @classmethod
    async def create(
        cls, ledger: EvmLedger, payer: LocalSigner, owners: Sequence[LocalSigner], threshold: int
    ) -> MultisigAccount:
        made = json.loads(_FILE.read_text("utf-8"))["contracts"]["Multisig"]
        interface = Interface(made["abi"])
        accounts = [owner.account for owner in owners]
        code = bytes.fromhex(made["bytecode"][2:]) + encode(
            interface.constructor, [accounts, threshold]
        )
        done = await ledger.submit(contract_creation(ledger.id, "Creating an account", code), payer)
        return cls(ledger, Contract(ledger.chain, done.effect, interface), tuple(owners))

    @property
    def address(self) -> bytes:
        return self.contract.address

    async def signed(
        self, calls: Sequence[TimelockCall], signers: Sequence[LocalSigner]
    ) -> EvmCall[None]:
        """Collect signatures of these calls; gives the call that anybody may send."""
        steps = [(each.target, each.value, each.data) for each in calls]
        (digest,) = await self.contract.read("digest", steps)
        signatures = [
            each.sign_digest(digest) for each in sorted(signers, key=lambda one: one.account)
        ]
        return self.contract.call("Acting together", "execute", steps, signatures)
