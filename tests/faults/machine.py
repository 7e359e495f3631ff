"""One EVM (pyrevm) that executes a ledger's blocks, and can take them back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyrevm import EVM, BlockEnv, CfgEnv, Env, JournalCheckpoint

from caimi.hashing import keccak256
from faults.transaction import BLOCK_GAS, Log, Outcome, SimBlock, Transaction

_REVERT = re.compile(r"Revert \{ gas_used: (\d+), output: 0x([0-9a-f]*) \}")
_ANYONE = bytes(19) + b"\x01"


def hexed(data: bytes) -> str:
    """Write bytes as 0x hex."""
    return "0x" + data.hex()


@dataclass(frozen=True, slots=True)
class Message:
    """What a call would run."""

    to: bytes
    data: bytes
    sender: bytes = _ANYONE
    value: int = 0
    gas: int = BLOCK_GAS


@dataclass(frozen=True, slots=True)
class Result:
    """What a call would give; `output` is None when the EVM refuses to run it."""

    succeeded: bool
    gas_used: int
    output: bytes | None


class Machine:
    """An EVM after some blocks. Fees are not charged: every balance is what contracts made it."""

    def __init__(self, number: int) -> None:
        self.evm = EVM(env=Env(cfg=CfgEnv(chain_id=number)), gas_limit=BLOCK_GAS, spec_id="CANCUN")
        self.applied = 0
        self._before: list[JournalCheckpoint] = []

    def fund(self, account: bytes, wei: int) -> None:
        """Give an account coins; before any block."""
        self.evm.set_balance(hexed(account), wei)

    def apply(self, block: SimBlock) -> tuple[Outcome, ...]:
        """Execute a block."""
        self._before.append(self.evm.snapshot())
        self.applied += 1
        self._enter(block)
        outcomes: list[Outcome] = []
        count = 0
        for transaction in block.transactions:
            outcome = self._execute(block, transaction, count)
            count += len(outcome.logs)
            outcomes.append(outcome)
        return tuple(outcomes)

    def rewind(self, applied: int) -> None:
        """Take back all blocks after the first `applied`."""
        while self.applied > applied:
            # One by one: the EVM counts its snapshots as depth, and each takes back only its own.
            self.evm.revert(self._before.pop())
            self.applied -= 1

    def call(self, block: SimBlock, message: Message) -> Result:
        """Run a call on the present state in the surroundings of `block`, without effect."""
        self._enter(block)
        before = self.evm.snapshot()
        try:
            return self._run(message)
        finally:
            self.evm.revert(before)

    def balance(self, account: bytes) -> int:
        return int(self.evm.get_balance(hexed(account)))

    def code(self, account: bytes) -> bytes:
        found = self.evm.get_code(hexed(account))
        return bytes(found) if found else b""

    def _enter(self, block: SimBlock) -> None:
        self.evm.reset_transient_storage()
        self.evm.set_block_env(
            BlockEnv(number=block.height, timestamp=block.time, gas_limit=BLOCK_GAS, basefee=0)
        )

    def _run(self, message: Message) -> Result:
        evm = self.evm
        try:
            if message.to:
                output = bytes(
                    evm.message_call(
                        hexed(message.sender),
                        hexed(message.to),
                        calldata=message.data,
                        value=message.value,
                        gas=message.gas,
                    )
                )
            else:
                created = evm.deploy(
                    hexed(message.sender), message.data, value=message.value, gas=message.gas
                )
                output = bytes.fromhex(created[2:])
        except RuntimeError as error:
            reverted = _REVERT.search(str(error))
            if reverted is None:
                return Result(False, message.gas, None)
            return Result(False, int(reverted[1]), bytes.fromhex(reverted[2]))
        assert evm.result is not None
        return Result(True, int(evm.result.gas_used), output)

    def _execute(self, block: SimBlock, transaction: Transaction, first: int) -> Outcome:
        self.evm.reset_transient_storage()
        result = self._run(
            Message(
                transaction.to,
                transaction.data,
                transaction.sender,
                transaction.value,
                transaction.gas,
            )
        )
        logs: tuple[Log, ...] = ()
        if result.succeeded:
            assert self.evm.result is not None
            logs = _logs(self.evm.result.logs, block, transaction, first)
        return Outcome(
            transaction,
            block.height,
            result.succeeded,
            result.gas_used,
            result.output or b"",
            (result.output or b"") if result.succeeded and not transaction.to else b"",
            logs,
        )


def _logs(
    raw: Sequence[object], block: SimBlock, transaction: Transaction, first: int
) -> tuple[Log, ...]:
    logs: list[Log] = []
    for index, log in enumerate(raw, first):
        topics, data = log.data  # type: ignore[attr-defined]
        address = bytes.fromhex(log.address[2:])  # type: ignore[attr-defined]
        document: dict[str, object] = {
            "address": hexed(address),
            "topics": [hexed(bytes(topic)) for topic in topics],
            "data": hexed(bytes(data)),
            "blockNumber": hex(block.height),
            "blockHash": hexed(block.hash),
            "transactionHash": hexed(transaction.hash),
            "logIndex": hex(index),
            "removed": False,
        }
        logs.append(
            Log(
                address,
                tuple(bytes(topic) for topic in topics),
                bytes(data),
                block.height,
                transaction.hash,
                document,
            )
        )
    return tuple(logs)


def block_hash(*parts: object) -> bytes:
    """Name a block by what is in it."""
    return keccak256("/".join(map(str, parts)).encode())
