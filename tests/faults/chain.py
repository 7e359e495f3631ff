"""A simulated ledger: blocks at their times, a mempool, finality, reorganisations, halts.

`Chain` is the truth. Everybody sees it through a node of their own (`faults.node`).
Blocks come into being when somebody looks: all that were due by then, at the times they were due.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from random import Random

from caimi.ledgers.port import LedgerId
from faults.machine import Machine, Message, Result, block_hash
from faults.transaction import BLOCK_GAS, Log, Outcome, SimBlock, Transaction

START = 1_800_000_000
GWEI = 10**9


class Refused(Exception):
    """The node refuses a request; `output` is what a contract said when it reverted."""

    def __init__(self, message: str, output: bytes | None = None) -> None:
        super().__init__(message)
        self.output = output


class Chain:
    """One ledger with a block every `interval` seconds of its own clock.

    Its clock is `skew` seconds off, and shows only every `grain`-th second, so that ledgers whose
    blocks share a second are there too. `rng` decides what a builder may decide.
    """

    def __init__(self, number: int, now: Callable[[], float]) -> None:
        self.number = number
        self.id = LedgerId(f"eip155:{number}")
        self.client_prefix = f"caimi-{number}"
        self.now = now
        self.interval = 12
        self.skew = 0
        self.grain = 1
        self.depth = 3
        self.base_fee = GWEI
        self.rng = Random(0)
        self.halted_until = 0.0
        self.on_block: Callable[[Chain, SimBlock], None] = lambda chain, block: None
        self.head_machine = Machine(number)
        self.past_machine = Machine(number)
        genesis = SimBlock(0, START, block_hash(number, 0), bytes(32), GWEI, ())
        self.blocks: list[SimBlock] = [genesis]
        self.changed: list[int] = []  # heights of the blocks that hold transactions
        self.logs: list[Log] = []
        self.receipts: dict[bytes, Outcome] = {}
        self.pool: dict[tuple[bytes, int], Transaction] = {}
        self.sent: defaultdict[bytes, list[int]] = defaultdict(list)
        self.forks = 0
        self.due = 0.0
        self.epoch = START
        self.answers: dict[tuple[int, bytes, bytes, bytes], Result] = {}
        # What headers commit to, by their blocks and what a node says of them.
        self.commitments: dict[tuple[bytes, tuple[bytes, bytes] | None], dict[str, object]] = {}
        self._base = (0, 0)

    # --- schedules --------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Make the present the place where every schedule begins."""
        self._base = (len(self.blocks), len(self.changed))
        self.epoch = START + 86_400

    def restore(self) -> None:
        """Go back to where every schedule begins."""
        count, changes = self._base
        self._undo(count)
        assert len(self.changed) == changes
        self.pool.clear()
        self.forks = 0
        self.halted_until = 0.0
        self.base_fee = GWEI
        self.answers.clear()
        self.commitments.clear()
        self.due = self.now() + self.interval

    # --- blocks -----------------------------------------------------------------------------------

    @property
    def head(self) -> SimBlock:
        return self.blocks[-1]

    @property
    def final_height(self) -> int:
        return max(0, self.head.height - self.depth)

    def catch_up(self) -> None:
        """Make all blocks that are due."""
        while self.due <= self.now():
            if self.due >= self.halted_until:
                self._make(self.due)
            self.due += self.interval

    def _make(self, at: float) -> None:
        time = self.epoch + int(at) + self.skew
        self._add(max(time - time % self.grain, self.head.time), self._choose())

    def _choose(self) -> tuple[Transaction, ...]:
        """Take the highest tips first, in the order of each account's nonces."""
        chosen: list[Transaction] = []
        gas = 0
        taken: dict[bytes, int] = {}
        waiting = sorted(self.pool.values(), key=lambda t: (-t.tip, t.nonce))
        progress = True
        while progress:
            progress = False
            for transaction in waiting:
                sender = transaction.sender
                turn = len(self.sent[sender]) + taken.get(sender, 0)
                if (
                    transaction.nonce == turn
                    and transaction.most >= self.base_fee
                    and gas + transaction.gas <= BLOCK_GAS
                ):
                    chosen.append(transaction)
                    taken[sender] = taken.get(sender, 0) + 1
                    gas += transaction.gas
                    progress = True
        return tuple(chosen)

    def _add(self, time: int, transactions: tuple[Transaction, ...]) -> None:
        height = self.head.height + 1
        names = [transaction.hash.hex() for transaction in transactions]
        name = block_hash(self.number, height, time, self.forks, self.head.hash.hex(), *names)
        block = SimBlock(height, time, name, self.head.hash, self.base_fee, transactions)
        self.blocks.append(block)
        if transactions:
            for outcome in self.head_machine.apply(block):
                transaction = outcome.transaction
                self.receipts[transaction.hash] = outcome
                self.sent[transaction.sender].append(height)
                self.logs.extend(outcome.logs)
                self.pool.pop((transaction.sender, transaction.nonce), None)
            self.changed.append(height)
            self.answers.clear()
            self.on_block(self, block)

    def reorganise(self, depth: int, losing: float) -> None:
        """Replace the newest `depth` blocks by one more; each transaction is lost with a chance."""
        self.catch_up()
        depth = min(depth, len(self.blocks) - self._base[0])
        if depth < 1:
            return
        times = [block.time for block in self.blocks[-depth:]]
        undone = [t for block in self.blocks[-depth:] for t in block.transactions]
        self._undo(len(self.blocks) - depth)
        self.forks += 1
        for transaction in undone:
            if self.rng.random() >= losing:
                self.pool.setdefault((transaction.sender, transaction.nonce), transaction)
        # The new branch takes the transactions in later, and its blocks came at other times.
        empty = self.rng.randint(0, depth)
        for place, time in enumerate([*times, times[-1]]):
            moved = max(time + self.rng.randint(-1, 1) * self.grain, self.head.time)
            self._add(moved, () if place < empty else self._choose())

    def _undo(self, count: int) -> None:
        """Forget all blocks after the first `count`."""
        height = count - 1
        keep = bisect_right(self.changed, height)
        self.head_machine.rewind(keep)
        self.past_machine.rewind(keep)
        for block in self.blocks[count:]:
            for transaction in block.transactions:
                del self.receipts[transaction.hash]
                self.sent[transaction.sender].pop()
        del self.blocks[count:], self.changed[keep:]
        while self.logs and self.logs[-1].height > height:
            self.logs.pop()
        self.answers.clear()

    # --- what nodes serve -------------------------------------------------------------------------

    def accept(self, raw: bytes) -> bytes:
        """Take a transaction into the mempool; raises `Refused`."""
        try:
            transaction = Transaction.decode(raw, self.number)
        except (ValueError, IndexError) as error:
            raise Refused(f"malformed transaction: {error}") from error
        if transaction.hash in self.receipts:
            raise Refused("already known")
        if transaction.nonce < len(self.sent[transaction.sender]):
            raise Refused("nonce too low")
        slot = (transaction.sender, transaction.nonce)
        waiting = self.pool.get(slot)
        if waiting is not None and waiting.hash == transaction.hash:
            raise Refused("already known")
        if waiting is not None and (
            transaction.most * 8 < waiting.most * 9 or transaction.tip * 8 < waiting.tip * 9
        ):
            raise Refused("replacement transaction underpriced")
        self.pool[slot] = transaction
        return transaction.hash

    def machine_at(self, height: int) -> Machine:
        """Give an EVM as it was after block `height`."""
        version = bisect_right(self.changed, height)
        if version == len(self.changed):
            return self.head_machine
        past = self.past_machine
        past.rewind(version)
        while past.applied < version:
            past.apply(self.blocks[self.changed[past.applied]])
        return past

    def call(self, message: Message, height: int) -> bytes:
        """Run a call without effect on the state after block `height`; raises `Refused`."""
        key = (height, message.sender, message.to, message.data)
        result = self.answers.get(key)
        if result is None:
            result = self.machine_at(height).call(self.blocks[height], message)
            self.answers[key] = result
        return _output(result)

    def estimate(self, message: Message) -> int:
        """Give a gas limit with which the transaction succeeds now; raises `Refused`."""
        machine, head = self.head_machine, self.head
        result = machine.call(head, message)
        _output(result)
        gas = result.gas_used + result.gas_used // 32 + 3_000
        while gas < BLOCK_GAS:
            limited = Message(message.to, message.data, message.sender, message.value, gas)
            if machine.call(head, limited).succeeded:
                return gas
            gas += gas // 4
        return BLOCK_GAS

    def logs_between(self, first: int, last: int) -> list[Log]:
        """Give the logs of blocks first to last, both included, in order."""
        heights = [log.height for log in self.logs]
        return self.logs[bisect_right(heights, first - 1) : bisect_right(heights, last)]


def _output(result: Result) -> bytes:
    if result.succeeded:
        assert result.output is not None
        return result.output
    raise Refused(
        "execution reverted" if result.output is not None else "execution failed", result.output
    )
