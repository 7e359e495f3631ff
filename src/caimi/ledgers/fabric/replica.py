"""A copy of what the chaincode did, from checked blocks: any block's state, and all it told."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from caimi.errors.ledgers import LedgerAnswerInvalid, LedgerUnavailable
from caimi.ledgers.fabric.channel import ChannelBlock, KnownChain, ValidTransaction
from caimi.ledgers.fabric.keys import CLOCK, act_of, state_key, value_of
from caimi.ledgers.fabric.telling import ToldAct
from caimi.ledgers.machine.ledger_file import LedgerFile
from caimi.ledgers.machine.tables import LedgerTables, StateAt
from caimi.ledgers.port import Block, LedgerId

_PATIENCE: Final = 5.0  # seconds
_ADVICE: Final = "Make room there, or delete the file: it is made anew from the blocks."
_CONFIGURATIONS: Final = (
    "CREATE TABLE IF NOT EXISTS configurations (height INTEGER PRIMARY KEY, block BLOB)"
)


class Replica:
    """One ledger's copy, in a file; several programs may follow the ledger in one.

    Raises:
        LedgerUnavailable: there can be no such file; or later on, it cannot be written, or read.
    """

    def __init__(self, ledger: LedgerId, file: Path) -> None:
        self._ledger = ledger
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
        except (OSError, sqlite3.Error) as error:
            raise LedgerUnavailable(
                f"The copy of {ledger} cannot be in {file}: {error}.", next_step=_ADVICE
            ) from error
        self._file = LedgerFile(ledger, self._db, file, _ADVICE)
        self.tables = LedgerTables(self._file)
        self.tables.make()
        self._file.do(_CONFIGURATIONS)

    @property
    def height(self) -> int:
        """How many blocks are in it."""
        head = self.tables.head
        return 0 if head is None else head.height + 1

    @property
    def known(self) -> KnownChain | None:
        """How far it goes, and what configured the channel last; None where it is empty."""
        head = self.tables.head
        if head is None:
            return None
        newest = "SELECT height, block FROM configurations ORDER BY height DESC LIMIT 1"
        configured = self._file.first(newest)
        assert configured is not None, "the first block configures the channel"
        return KnownChain(head.height, head.hash, *configured)

    def follow(self, block: ChannelBlock) -> None:
        """Take the next block in, whole; one that is here already changes nothing.

        Raises:
            LedgerAnswerInvalid: it is not the next, it is another one than is here, or it holds
                what no chaincode of CAIMI writes.
            LedgerUnavailable: the file cannot be written, or read.
        """
        with self.tables.writing():
            head = self.tables.head
            following = 0 if head is None else head.height + 1
            if block.number < following:
                if self.tables.block(block.number).hash != block.hash:
                    raise self._invalid(block, "is another one than before")
                return
            if block.number > following:
                raise self._invalid(block, f"came where {following} is the next")
            time = 0 if head is None else head.time
            for transaction in block.transactions:
                time = _clock(transaction, time)
            if block.configuration is not None:
                row = (block.number, block.configuration)
                self._file.do("INSERT INTO configurations VALUES (?, ?)", row)
            state = self.tables.add_block(Block(block.number, time, block.hash))
            try:
                for transaction in block.transactions:
                    self._carry_over(transaction, block.number, state)
            except (ValueError, sqlite3.IntegrityError) as error:
                raise self._invalid(block, f"holds what CAIMI's chaincode does not: {error}") from (
                    error
                )

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _carry_over(self, transaction: ValidTransaction, height: int, state: StateAt) -> None:
        acts: dict[str, ToldAct] = {}
        for write in transaction.writes:
            key, tx = state_key(write.name), act_of(write.name)
            if key is not None and write.value is None:
                state.delete(key)
            elif key is not None:
                state.put(key, value_of(write.value or b""))
            elif tx is not None:
                acts[tx] = ToldAct.decode(value_of(write.value or b""))
        for tx, act in sorted(acts.items(), key=lambda item: item[1].place):
            self.tables.add_act(tx, height, act.author, act.outcome)

    def _invalid(self, block: ChannelBlock, what: str) -> LedgerAnswerInvalid:
        return LedgerAnswerInvalid(f"Block {block.number} of {self._ledger} {what}.")


def _clock(transaction: ValidTransaction, time: int) -> int:
    for write in transaction.writes:
        if write.name == CLOCK and write.value is not None:
            time = int.from_bytes(write.value)
    return time
