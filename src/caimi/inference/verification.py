"""Checking a receipt: by itself, against the ledger, and by running the model again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caimi.errors.base import CaimiError
from caimi.inference.engine import Session
from caimi.inference.inclusion import Inclusion
from caimi.inference.receipt import SignedReceipt
from caimi.inference.tensors import Tensors, hash_tensors
from caimi.ledgers.port import Ledger

PASSED, FAILED, UNCHECKED = "passed", "failed", "unchecked"


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


def check_signature(signed: SignedReceipt) -> Check:
    """Check that the worker it names signed the receipt."""
    name = "signed by its worker"
    try:
        signed.verify()
    except CaimiError as error:
        return Check(name, FAILED, error.what)
    return Check(name, PASSED, f"0x{signed.receipt.worker.hex()}")


async def check_model(signed: SignedReceipt, home: Ledger) -> Check:
    """Check that the home ledger has the version with the manifest that the receipt names."""
    said, name = signed.receipt, "model version on its ledger"
    try:
        version = await home.registry.version(said.model_id, said.version)
    except CaimiError as error:
        return Check(name, FAILED, error.what)
    return Check.of(
        name, version.manifest == said.manifest, f"manifest 0x{version.manifest.hex()[:16]}…"
    )


async def check_inclusion(
    signed: SignedReceipt, inclusion: Inclusion | None, home: Ledger
) -> Check:
    """Check that the receipt is in a batch its worker anchored on the home ledger."""
    name = "anchored by its worker"
    if inclusion is None:
        return Check(name, UNCHECKED, "no inclusion proof was given")
    if not inclusion.holds(signed):
        return Check(name, FAILED, "the proof does not lead from the receipt to the root")
    time = await home.receipts.anchored(signed.receipt.worker, inclusion.root)
    detail = f"root 0x{inclusion.root.hex()[:16]}…"
    return Check.of(name, time is not None, f"{detail} at {time}" if time else f"{detail}: never")


def check_tensors_hash(name: str, tensors: Tensors | None, expected: bytes) -> Check:
    """Check that tensors are the ones whose hash the receipt names."""
    if tensors is None:
        return Check(name, UNCHECKED, "not given")
    return Check.of(name, hash_tensors(tensors) == expected)


def check_by_running(
    signed: SignedReceipt, session: Session, inputs: Tensors, outputs: Tensors | None
) -> Check:
    """Run the model again and compare: bit for bit, or within 1e-4 where the outputs are given.

    ONNX Runtime's bits depend on the machine, so a difference in bits alone is told, not failed.
    """
    name, again = "same answer when run again", session.run(inputs)
    if hash_tensors(again) == signed.receipt.output_hash:
        return Check(name, PASSED, "bit for bit")
    if outputs is None:
        return Check(
            name, FAILED, "other bits, and no outputs were given to compare within tolerance"
        )
    close = set(again) == set(outputs) and all(
        np.allclose(again[key], outputs[key], rtol=1e-4, atol=1e-6, equal_nan=True)
        if again[key].dtype.kind == "f"
        else np.array_equal(again[key], outputs[key])
        for key in again
    )
    return Check.of(name, close, "within 1e-4, on another machine's arithmetic")
