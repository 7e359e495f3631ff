"""The journal: operations that survive a crash, over a store that it knows by its port."""

from caimi.journal.operations import Journal, Operation, operation_key
from caimi.journal.port import JournalStore, OperationRecord

__all__ = ["Journal", "JournalStore", "Operation", "OperationRecord", "operation_key"]
