"""Errors of batches that multi-signature accounts carry out (letter L)."""

from __future__ import annotations

from caimi.errors.ledgers import LedgerError


class BatchInvalid(LedgerError):
    """A file is no batch of transactions for a multi-signature account on this ledger."""

    code = "CAIMI-L068"
    why = "It is damaged, was changed after it was written, or is for another ledger."
    next_step = "Write it anew, with --batch; sign nothing that is in it."


class UnknownCall(LedgerError):
    """A batch holds a call that is no change which CAIMI makes."""

    code = "CAIMI-L069"
    why = "What nobody can read can take the ledger away from those who sign it."
    next_step = "Do not sign it. Ask who made the file what the call is for, and look at it alone."
