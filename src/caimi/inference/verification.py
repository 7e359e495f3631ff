"""Checking a receipt: by itself, against its ledger, against data, and by running the model again.

What a check looks at may come from the worker, so nothing is taken as the receipt's before its hash
is: a worker may sign one answer and show another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from caimi.errors.custody import ForeignHome
from caimi.errors.ids import InvalidAccountId, InvalidLedgerId
from caimi.errors.inference import ReceiptInvalid, RunFailed, WrongInput
from caimi.errors.ledgers import UnknownModel, UnknownVersion
from caimi.inference.engine import Session
from caimi.inference.engines import answer_of
from caimi.inference.inclusion import Inclusion
from caimi.inference.receipt import SignedReceipt
from caimi.inference.spread import MULTIPLE, NO_SPREAD, Spread
from caimi.inference.tensors import Array, Tensors, dtype_name, hash_tensors
from caimi.ledgers.home import home_model
from caimi.ledgers.port import Ledger, account_named
from caimi.times import time_text

PASSED, FAILED, UNCHECKED = "passed", "failed", "unchecked"
_RELATIVE: Final = {"float16": 1e-2}
_RELATIVE_ELSE: Final = 1e-4
_ABSOLUTE: Final = 1e-6
"""How near values are called the same without a measurement: relatively by type, and absolutely."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: `state` is passed, failed or unchecked, `detail` says more."""

    name: str
    state: str
    detail: str = ""

    @classmethod
    def of(cls, name: str, holds: bool, detail: str = "") -> Check:
        """Make a check that passed or failed."""
        return cls(name, PASSED if holds else FAILED, detail)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a receipt can be checked against besides its ledger; what is None is not checked.

    `session` has the model that the receipt names, opened from files that were checked, in an
    engine of the answer id `answer` (empty if it has none): it is run on `inputs`. `spread`
    measures how far right answers of that model on that input lie apart here; it is asked only
    where values are not plainly the same.
    """

    inclusion: Inclusion | None = None
    inputs: Tensors | None = None
    outputs: Tensors | None = None
    session: Session | None = None
    answer: str = ""
    spread: Callable[[], Spread] | None = None


NO_EVIDENCE: Final = Evidence()


async def check_receipt(
    signed: SignedReceipt, home: Ledger, workers: Ledger, evidence: Evidence = NO_EVIDENCE
) -> tuple[Check, ...]:
    """Check a receipt in every way that `evidence` allows.

    `home` is the model's ledger and `workers` the worker's, as the receipt names them. It chose the
    former: what that says counts only where the model is at home there.

    Raises:
        LedgerUnavailable: a ledger does not answer, so nothing can be said.
    """
    said = signed.receipt
    inputs = _check_hash("its input is the one given", evidence.inputs, said.input_hash)
    outputs = _check_hash("its output is the one given", evidence.outputs, said.output_hash)
    return (
        _check_signature(signed, workers),
        await _check_model(signed, home),
        await _check_inclusion(signed, evidence.inclusion, workers),
        inputs,
        outputs,
        await asyncio.to_thread(_check_by_running, signed, evidence, inputs, outputs),
    )


def _check_signature(signed: SignedReceipt, workers: Ledger) -> Check:
    name = "signed by its worker"
    try:
        signed.verify(workers.accounts)
    except ReceiptInvalid as error:
        return Check(name, FAILED, error.what)
    return Check(name, PASSED, signed.receipt.worker)


async def _check_model(signed: SignedReceipt, home: Ledger) -> Check:
    said, name = signed.receipt, "model version on its ledger"
    try:
        await home_model(home, said.model_id)
        version = await home.registry.version(said.model_id, said.version)
    except (ForeignHome, UnknownModel, UnknownVersion) as error:
        return Check(name, FAILED, error.what)
    found = f"manifest 0x{version.manifest.hex()[:16]}…"
    if version.manifest != said.manifest:
        return Check(name, FAILED, f"{found} there, 0x{said.manifest.hex()[:16]}… in the receipt")
    return Check(name, PASSED, found)


async def _check_inclusion(
    signed: SignedReceipt, inclusion: Inclusion | None, workers: Ledger
) -> Check:
    name = "anchored by its worker"
    if inclusion is None:
        return Check(name, UNCHECKED, "no inclusion proof was given")
    said, accounts = signed.receipt, workers.accounts
    if not inclusion.holds(said.digest(accounts)):
        return Check(name, FAILED, "the proof does not lead from the receipt to the root")
    try:
        worker = account_named(said.worker, accounts)
    except (InvalidAccountId, InvalidLedgerId) as error:
        return Check(name, FAILED, error.what)
    time = await workers.receipts.anchored(worker, inclusion.root)
    detail = f"root 0x{inclusion.root.hex()[:16]}…"
    when = "never" if time is None else time_text(time)
    return Check.of(name, time is not None, f"{detail}: {when}")


def _check_hash(name: str, tensors: Tensors | None, expected: bytes) -> Check:
    if tensors is None:
        return Check(name, UNCHECKED, "not given")
    given = hash_tensors(tensors)
    detail = f"0x{expected.hex()[:16]}…"
    if given != expected:
        detail = f"0x{given.hex()[:16]}… given, {detail} in the receipt"
    return Check.of(name, given == expected, detail)


def _check_by_running(
    signed: SignedReceipt, evidence: Evidence, inputs: Check, outputs: Check
) -> Check:
    name = "same answer when run again"
    if evidence.session is None or evidence.inputs is None:
        return Check(name, UNCHECKED, "needs the model and the input")
    if inputs.state != PASSED:
        return Check(name, UNCHECKED, "the input given is not the receipt's")
    try:
        again = evidence.session.run(evidence.inputs)
    except (WrongInput, RunFailed) as error:
        return Check(name, FAILED, error.what)
    if hash_tensors(again) == signed.receipt.output_hash:
        return Check(name, PASSED, "bit for bit")
    if evidence.answer and evidence.answer == answer_of(signed.receipt):
        return Check(name, FAILED, f"other bits, though {evidence.answer} is one answer")
    given = evidence.outputs if outputs.state == PASSED else None
    return _compare(name, again, given, evidence.spread)


def _compare(
    name: str, again: Tensors, given: Tensors | None, measure: Callable[[], Spread] | None
) -> Check:
    """Compare values where bits differ.

    Bits depend on the machine, so other bits alone convict nobody; but without the receipt's output
    there are only bits to compare, and what cannot be confirmed does not pass.
    """
    if given is None:
        return Check(name, FAILED, "other bits; give the receipt's output to compare values")
    different = differences(again, given)
    if not different:
        return Check(name, PASSED, "other bits, the same values within what machines differ by")
    listed = ", ".join(different)
    if measure is None:
        return Check(name, FAILED, f"other values in {listed}")
    spread = measure()
    far = differences(again, given, spread)
    if far:
        detail = f"other values in {', '.join(far)}, over {MULTIPLE} times what this model's differ"
        return Check(name, FAILED, f"{detail} by on this machine")
    most = max(spread.largest.values(), default=0.0)
    return Check(
        name,
        PASSED,
        f"other bits; values in {listed} within {MULTIPLE} times the {most:.1e} that this model's "
        "differ by on this machine",
    )


def differences(again: Tensors, given: Tensors, spread: Spread = NO_SPREAD) -> list[str]:
    """Name the tensors whose values differ by more than `spread` and plain rounding explain."""
    return [
        name
        for name in sorted({*again, *given})
        if name not in again
        or name not in given
        or not _is_close(given[name], again[name], spread.allowed(name), spread.loose.get(name))
    ]


def _is_close(given: Array, again: Array, allowed: float, loose: Array | None) -> bool:
    if given.shape != again.shape or dtype_name(given) != dtype_name(again):
        return False
    if again.dtype.kind not in "fc":
        same = np.asarray(given == again)
        return bool(np.all(same if loose is None or loose.shape != same.shape else same | loose))
    relative = _RELATIVE.get(again.dtype.name, _RELATIVE_ELSE)
    bound = max(allowed, _ABSOLUTE)
    return bool(np.allclose(given, again, rtol=relative, atol=bound, equal_nan=True))
