"""An EVM ledger inside this process: py-evm under Cancun rules, one block a transaction.

For demonstrations and tests: nothing to install, nothing on disk, no network. It keeps receipts
and logs in lists instead of searching blocks for them, and reads the newest state through one warm
state object; `embedded_rpc` gives it a JSON-RPC face.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eth.abc import BlockAPI, BlockHeaderAPI, ComputationAPI, SignedTransactionAPI, StateAPI
from eth.chains.base import MiningChain
from eth.constants import CREATE_CONTRACT_ADDRESS, POST_MERGE_DIFFICULTY, POST_MERGE_NONCE
from eth.db.atomic import AtomicDB
from eth.exceptions import PyEVMError
from eth.vm.forks.cancun import CancunVM
from eth.vm.spoof import SpoofTransaction
from eth_keys.exceptions import BadSignature
from eth_typing import Address
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

BLOCK_GAS_LIMIT = 60_000_000
GENESIS_BASE_FEE = 10**9
COINBASE = bytes.fromhex("c01ba5e000000000000000000000000000000000")
_MAX_QUEUED = 1024
_ANYONE = bytes(19) + b"\x01"
_UNDECODABLE = (RLPException, ValidationError, BadSignature, PyEVMError, IndexError, ValueError)


class Refused(Exception):
    """The ledger refuses a request; `output` is what the contract said when it reverted."""

    def __init__(self, message: str, output: bytes | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.output = output


@dataclass(frozen=True, slots=True)
class Log:
    """One event log with its position."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    height: int
    block_hash: bytes
    tx: bytes
    tx_index: int
    index: int


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction with its outcome."""

    transaction: SignedTransactionAPI
    header: BlockHeaderAPI
    succeeded: bool
    gas_used: int
    gas_price: int
    created: bytes | None
    logs: tuple[Log, ...]

    @property
    def kind(self) -> int:
        """The transaction's type (EIP-2718)."""
        return self.transaction.type_id or 0


@dataclass(frozen=True, slots=True)
class Message:
    """What a call or an estimate would run."""

    sender: bytes = _ANYONE
    to: bytes = b""
    data: bytes = b""
    value: int = 0
    gas: int | None = None


def _chain_class(number: int) -> type[MiningChain]:
    return type("EmbeddedChain", (_Chain,), {"chain_id": number})


class _Rules(CancunVM):
    """Cancun, where blocks of one second may share it: a block of our own making needs no check."""

    def validate_block(self, block: BlockAPI) -> None:
        """Accept: every block here comes from `EmbeddedChain`."""


class _Chain(MiningChain):
    vm_configuration = ((0, _Rules),)  # type: ignore[assignment]


class EmbeddedChain:
    """One in-process ledger with `number` as chain id and `accounts` funded at genesis (wei).

    Every transaction is mined when it arrives. Block times follow `clock` (seconds) plus what
    `advance` has added, and never go back; blocks of one second share it, so that many transactions
    do not run ahead of other ledgers' clocks. Callers hold `lock` while they use it.
    """

    def __init__(
        self,
        number: int,
        accounts: Mapping[bytes, int],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.number = number
        self.lock = threading.Lock()
        self._clock = clock
        self._ahead = 0
        genesis = {
            "coinbase": COINBASE,
            "difficulty": POST_MERGE_DIFFICULTY,
            "nonce": POST_MERGE_NONCE,
            "gas_limit": BLOCK_GAS_LIMIT,
            "base_fee_per_gas": GENESIS_BASE_FEE,
            "timestamp": int(clock()),
        }
        state = {
            account: {"balance": balance, "nonce": 0, "code": b"", "storage": {}}
            for account, balance in accounts.items()
        }
        self._chain: Any = _chain_class(number).from_genesis(AtomicDB(), genesis, state)  # type: ignore[arg-type]
        self._headers: list[BlockHeaderAPI] = [self._chain.get_canonical_head()]
        self._log_heights: list[int] = []
        self._logs: list[Log] = []
        self._mined: dict[bytes, Mined] = {}
        self._held: dict[int, tuple[bytes, ...]] = {}
        self._queued: dict[tuple[bytes, int], SignedTransactionAPI] = {}
        self._warm: tuple[int, StateAPI] | None = None

    # --- time -----------------------------------------------------------------------------------

    def advance(self, seconds: int) -> None:
        """Move this ledger's clock forward and mine an empty block at the new time."""
        if seconds < 0:
            raise Refused("time only moves forward")
        self._ahead += seconds
        self._mine(())

    def _now(self) -> int:
        return max(int(self._clock()) + self._ahead, self.head.timestamp)

    # --- blocks ---------------------------------------------------------------------------------

    @property
    def head(self) -> BlockHeaderAPI:
        """The newest header."""
        return self._headers[-1]

    def header(self, height: int) -> BlockHeaderAPI | None:
        """Give the header at `height`, or None above the head."""
        return self._headers[height] if 0 <= height < len(self._headers) else None

    def mine(self) -> None:
        """Mine an empty block."""
        self._mine(())

    def _mine(self, transactions: tuple[SignedTransactionAPI, ...]) -> None:
        parent = self.head
        header = self._chain.create_header_from_parent(
            parent, timestamp=self._now(), coinbase=COINBASE, gas_limit=BLOCK_GAS_LIMIT
        )
        vm = self._chain.get_vm(header)
        filled, receipts, computations = vm.apply_all_transactions(transactions, header)
        block = vm.set_block_transactions_and_withdrawals(
            vm.get_block(), filled, transactions, receipts
        )
        block = vm.mine_block(block).block
        self._chain.chaindb.persist_block(block)
        self._headers.append(block.header)
        self._held[block.number] = tuple(bytes(each.hash) for each in transactions)
        self._warm = None
        before = 0
        for at, (transaction, receipt, computation) in enumerate(
            zip(transactions, receipts, computations, strict=True)
        ):
            logs = tuple(
                Log(
                    address=entry.address,
                    topics=tuple(topic.to_bytes(32, "big") for topic in entry.topics),
                    data=entry.data,
                    height=block.number,
                    block_hash=block.hash,
                    tx=transaction.hash,
                    tx_index=at,
                    index=index,
                )
                for index, entry in enumerate(receipt.logs)
            )
            self._logs.extend(logs)
            self._log_heights.extend(log.height for log in logs)
            tip = min(
                transaction.max_priority_fee_per_gas,
                transaction.max_fee_per_gas - header.base_fee_per_gas,
            )
            self._mined[transaction.hash] = Mined(
                transaction=transaction,
                header=block.header,
                succeeded=not computation.is_error,
                gas_used=receipt.gas_used - before,
                gas_price=header.base_fee_per_gas + tip,
                created=computation.msg.storage_address
                if transaction.to == CREATE_CONTRACT_ADDRESS and not computation.is_error
                else None,
                logs=logs,
            )
            before = receipt.gas_used

    # --- transactions ---------------------------------------------------------------------------

    def send(self, raw: bytes) -> bytes:
        """Accept a signed transaction: mine it, or keep it until its nonce's turn. Give its hash.

        Raises:
            Refused: it is malformed, for another chain, already used, or its sender cannot pay.
        """
        vm = self._chain.get_vm(self.head)
        try:
            transaction = vm.get_transaction_builder().decode(raw)
            sender = transaction.sender
            if transaction.chain_id != self.number:
                raise Refused(f"invalid chain id for signer: have {transaction.chain_id}")
            transaction.validate()
        except _UNDECODABLE as error:
            raise Refused(f"malformed transaction: {type(error).__name__}") from error
        if transaction.hash in self._mined:
            raise Refused("already known")
        expected = self.nonce(sender)
        if transaction.nonce < expected:
            raise Refused(f"nonce too low: next nonce {expected}, tx nonce {transaction.nonce}")
        if transaction.nonce > expected:
            if len(self._queued) >= _MAX_QUEUED:
                raise Refused("txpool is full")
            self._queued[sender, transaction.nonce] = transaction
            return bytes(transaction.hash)
        self._apply(transaction)
        while (following := self._queued.pop((sender, self.nonce(sender)), None)) is not None:
            try:
                self._apply(following)
            except Refused:
                break
        return bytes(transaction.hash)

    def _apply(self, transaction: SignedTransactionAPI) -> None:
        try:
            self._mine((transaction,))
        except ValidationError as error:
            raise Refused(str(error)) from error

    def mined(self, tx: bytes) -> Mined | None:
        """Give a mined transaction."""
        return self._mined.get(tx)

    def transactions(self, header: BlockHeaderAPI) -> tuple[bytes, ...]:
        """Give the hashes of a block's transactions, in order."""
        return self._held.get(header.block_number, ())

    def queued(self, tx: bytes) -> SignedTransactionAPI | None:
        """Give a transaction that waits for its nonce's turn."""
        return next((item for item in self._queued.values() if item.hash == tx), None)

    def logs(self, first: int, last: int) -> Iterator[Log]:
        """Give the logs of blocks first to last, both included, in order."""
        start = bisect_left(self._log_heights, first)
        end = bisect_left(self._log_heights, last + 1)
        yield from self._logs[start:end]

    # --- state ----------------------------------------------------------------------------------

    @contextmanager
    def _reading(self, height: int | None) -> Iterator[StateAPI]:
        """Give the state after a block, in which gas costs nothing and nothing done lasts."""
        number = self.head.block_number if height is None else height
        header = self.header(number)
        if header is None:
            raise Refused(f"header not found: {number}")
        if self._warm is not None and self._warm[0] == number:
            state = self._warm[1]
        else:
            vm = self._chain.get_vm(header)
            free = header.copy(base_fee_per_gas=0)
            state = vm.build_state(
                self._chain.chaindb.db, free, vm.chain_context, vm.previous_hashes
            )
            if header is self.head:
                self._warm = (number, state)
        snapshot = state.snapshot()
        try:
            yield state
        finally:
            state.revert(snapshot)

    def nonce(self, account: bytes, height: int | None = None) -> int:
        """Count the transactions that the account has sent."""
        with self._reading(height) as state:
            return int(state.get_nonce(Address(account)))

    def balance(self, account: bytes, height: int | None = None) -> int:
        """Give the account's balance in wei."""
        with self._reading(height) as state:
            return int(state.get_balance(Address(account)))

    def code(self, account: bytes, height: int | None = None) -> bytes:
        """Give the account's code."""
        with self._reading(height) as state:
            return bytes(state.get_code(Address(account)))

    def call(self, message: Message, height: int | None = None) -> bytes:
        """Run a call without effect and give its output.

        Raises:
            Refused: it reverts, runs out of gas, or its sender cannot pay the value.
        """
        gas = min(message.gas or BLOCK_GAS_LIMIT, BLOCK_GAS_LIMIT)
        with self._reading(height) as state:
            computation = self._run(state, message, gas)
        return _output(computation)

    def estimate(self, message: Message) -> int:
        """Give a gas limit with which the transaction succeeds now.

        One run with all the gas there is gives what it uses; the 64/63 rule (EIP-150) may ask for
        more, so a second run checks, and only when that fails does a bisection follow.
        """
        with self._reading(None) as state:
            computation = self._run(state, message, BLOCK_GAS_LIMIT)
            _output(computation)
            used = BLOCK_GAS_LIMIT - int(computation.get_gas_remaining())
        low, high = used - 1, min(used + used // 32 + 3000, BLOCK_GAS_LIMIT)
        while not self._succeeds(message, high):
            low, high = high, min(high * 2, BLOCK_GAS_LIMIT)
            if low >= BLOCK_GAS_LIMIT:
                raise Refused("gas required exceeds the block gas limit")
        while high - low > max(1000, high // 16):
            middle = (low + high) // 2
            if self._succeeds(message, middle):
                high = middle
            else:
                low = middle
        return high

    def _succeeds(self, message: Message, gas: int) -> bool:
        with self._reading(None) as state:
            return not self._run(state, message, gas).is_error

    def _run(self, state: StateAPI, message: Message, gas: int) -> ComputationAPI:
        builder = self._chain.get_vm(self.head).get_transaction_builder()
        unsigned = builder.create_unsigned_transaction(
            nonce=state.get_nonce(Address(message.sender)),
            gas_price=0,
            gas=gas,
            to=message.to or CREATE_CONTRACT_ADDRESS,
            value=message.value,
            data=message.data,
        )
        try:
            return state.apply_transaction(SpoofTransaction(unsigned, from_=message.sender))  # type: ignore[arg-type]
        except ValidationError as error:
            raise Refused(str(error)) from error


def _output(computation: ComputationAPI) -> bytes:
    if computation.is_error:
        error = computation.error
        if type(error).__name__ == "Revert":
            raise Refused("execution reverted", bytes(computation.output))
        raise Refused(f"execution failed: {type(error).__name__}")
    return bytes(computation.output)
