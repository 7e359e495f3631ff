"""What `caimi verify` checks: a published version, its plain files, or a worker's receipt."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from caimi import html_text
from caimi.client.context import Context, Progress, no_progress
from caimi.client.resolve import Resolved, check_publisher, named_manifest, resolve
from caimi.errors.base import CaimiError
from caimi.errors.inference import ReceiptMalformed
from caimi.inference.receipt import SignedReceipt
from caimi.inference.receipt_json import MAX_RECEIPT_BYTES, receipt_from_json
from caimi.inference.verification import (
    FAILED,
    NO_EVIDENCE,
    PASSED,
    UNCHECKED,
    Check,
    Evidence,
    check_receipt,
)
from caimi.inference.wasm import SUFFIX
from caimi.models.manifest import Manifest
from caimi.models.unsealing import fetch_bundle
from caimi.models.verification import check_files, check_listing
from caimi.uri import ModelUri


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and what came of it."""

    subject: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(check.state != FAILED for check in self.checks)

    def _repr_html_(self) -> str:
        """Give a row a check, for a notebook."""
        rows = [(check.name, check.state, check.detail) for check in self.checks]
        return html_text.table(f"Verification of {self.subject}", ("check", "", "detail"), rows)


async def verify_version(
    context: Context,
    uri: str | ModelUri,
    files: Path | None,
    progress: Progress = no_progress,
) -> Verified:
    """Check a version on its ledger, its manifest, its stored chunks, and plain files where given.

    Raises:
        UnknownModel, UnknownSelector: there is no such version to check.
    """
    resolved = await resolve(context, uri)
    manifest: list[Manifest] = []

    async def same_manifest() -> str:
        manifest.append(await named_manifest(context, resolved))
        return f"SHA-256 0x{manifest[0].digest.hex()[:16]}… as on {resolved.ledger.id}"

    checks = [await _checked("manifest is the one on the ledger", same_manifest)]
    if manifest:
        checks.append(
            await _checked(
                "sealed chunks are stored", lambda: _count_chunks(context, manifest[0], progress)
            )
        )
        checks.append(
            await _checked(
                "published by the account it names",
                lambda: check_publisher(resolved, manifest[0]),
            )
        )
        checks.append(
            await _checked("signed with the key it names", lambda: _signed(context, manifest[0]))
        )
        progress("plain files", 0, 1)
        checks.append(await _plain_files(manifest[0], files))
        progress("plain files", 1, 1)
        checks += [await _compiled(path, files) for path in _modules(manifest[0])]
    checks.append(_not_deprecated(resolved))
    return Verified(str(resolved.uri), tuple(checks))


async def _checked(name: str, work: Callable[[], Awaitable[str]]) -> Check:
    try:
        return Check(name, PASSED, await work())
    except CaimiError as error:
        return Check(name, FAILED, f"{error.code} {error.what}")


async def _count_chunks(context: Context, manifest: Manifest, progress: Progress) -> str:
    chunks = [cid for file in manifest.sealing.files for cid in file]
    for done, cid in enumerate(chunks):
        progress("stored chunks", done, len(chunks))
        await context.store.get(cid)
    progress("stored chunks", len(chunks), len(chunks))
    return f"{len(chunks)} chunks, each with its hash"


async def _signed(context: Context, manifest: Manifest) -> str:
    await fetch_bundle(manifest, context.store)
    key = hashlib.sha256(manifest.signature.public_key.encode()).hexdigest()
    return (
        "OpenSSF model signature of this model, version and publisher over every file's SHA-256; "
        f"key {key[:16]}…"
    )


async def _plain_files(manifest: Manifest, files: Path | None) -> Check:
    name = "plain files are the published ones"
    if files is None:
        return Check(name, UNCHECKED, "no files were given")

    async def check() -> str:
        await asyncio.to_thread(check_listing, manifest, files)
        await asyncio.to_thread(check_files, manifest, files)
        return f"{len(manifest.files)} files, each with its SHA-256"

    return await _checked(name, check)


def _modules(manifest: Manifest) -> list[str]:
    return [file.path for file in manifest.files if file.path.endswith(SUFFIX)]


async def _compiled(path: str, files: Path | None) -> Check:
    name = f"{path} is what its ONNX file compiles to"
    if files is None:
        return Check(name, UNCHECKED, "no files were given")

    from caimi.inference.wasm.rebuild import check_module  # noqa: PLC0415 - loads slowly

    async def check() -> str:
        return f"{await asyncio.to_thread(check_module, files / path)}, byte for byte"

    return await _checked(name, check)


def _not_deprecated(resolved: Resolved) -> Check:
    return Check.of("version is not deprecated", not resolved.version.deprecated)


async def verify_receipt(
    context: Context, signed: SignedReceipt, evidence: Evidence = NO_EVIDENCE
) -> Verified:
    """Check a receipt: signature, model on its ledger, and whatever `evidence` allows.

    Raises:
        UnknownLedger: the ledger of its model, or of its worker, is not configured.
        LedgerUnavailable: one of them does not answer.
    """
    said = signed.receipt
    home, workers = context.ledger(said.ledger), context.ledger(said.worker_ledger)
    checks = await check_receipt(signed, home, workers, evidence)
    return Verified(f"receipt 0x{said.digest(workers.accounts).hex()}", checks)


def model_of(signed: SignedReceipt) -> ModelUri:
    """Name the model version that a receipt is about.

    Raises:
        InvalidModelUri: what the receipt says is no name of one.
    """
    said = signed.receipt
    return ModelUri(said.ledger, said.model_id, said.version)


def read_receipt(path: Path) -> SignedReceipt:
    """Read a receipt file.

    Raises:
        ReceiptMalformed: it cannot be read, or holds no receipt.
    """
    try:
        with path.open("rb") as file:
            return receipt_from_json(file.read(MAX_RECEIPT_BYTES + 1))
    except OSError as error:
        raise ReceiptMalformed(f"{path} cannot be read: {error.strerror}.") from error
