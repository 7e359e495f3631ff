"""Pulling: ask the custodians for the key, fetch the sealed chunks, open and check everything."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from caimi.chains import AccountId
from caimi.client.context import Context, Progress, no_progress
from caimi.client.resolve import Resolved, fetch_manifest, resolve
from caimi.custody import tdh2
from caimi.custody.delivery import RecipientKey
from caimi.custody.label import label_for
from caimi.custody.request import ShareRequest
from caimi.custody.unlock import Outcome, unlock
from caimi.errors.operations import ConfigInvalid, ManifestMismatch
from caimi.ledgers.port import LedgerId
from caimi.models.content_key import ContentKey
from caimi.models.manifest import Manifest
from caimi.models.package import PackageWarning
from caimi.models.unsealing import unseal
from caimi.uri import ModelUri


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A content key, and what each custodian did for it."""

    key: ContentKey
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model's plain files, every hash and the publisher's signature checked.

    `bundle` and `public_key` (PEM) are what ``model_signing verify key`` takes for `directory`.
    `warnings` are about the files, as when publishing them.
    """

    uri: str
    directory: Path
    files: tuple[str, ...]
    manifest: Manifest
    outcomes: tuple[Outcome, ...]
    bundle: bytes
    public_key: str
    warnings: tuple[PackageWarning, ...] = ()


async def pull(
    context: Context,
    uri: str | ModelUri,
    directory: Path,
    *,
    paying_ledger: str | None = None,
    permit: Collection[str] = (),
    progress: Progress = no_progress,
) -> Pulled:
    """Unlock and open a licensed version into `directory`; finished files are not fetched again.

    `paying_ledger` is the ledger whose account holds the licence; by default each one is tried.
    `permit` names formats that may run code when they are loaded; see `unseal`.

    Raises:
        NotEnoughShares: too few custodians honoured the request; it names what each did.
        CodeExecutingFormat, InvalidModel: a file is not what may be loaded; none is left.
        ObjectMissing, ChunkTampered, SignatureInvalid…: what was stored is not what was published.
    """
    resolved = await resolve(context, uri)
    manifest = await fetch_manifest(context, resolved)
    consumer = await licensed_account(context, resolved, paying_ledger)
    progress("unlock", 0, 1)
    unlocked = await unlock_version(context, resolved, manifest, consumer)
    progress("unlock", 1, 1)
    opened = await unseal(
        manifest,
        context.store,
        unlocked.key,
        directory,
        permit=permit,
        progress=lambda done, total: progress("unseal", done, total),
    )
    return Pulled(
        str(resolved.uri),
        directory,
        tuple(entry.path for entry in manifest.files),
        manifest,
        unlocked.outcomes,
        opened.bundle,
        opened.public_key,
        opened.warnings,
    )


async def licensed_account(
    context: Context, resolved: Resolved, paying_ledger: str | None = None
) -> str:
    """Find the CAIP-10 account that holds a licence of the version, or owns the model.

    A contract account of the configuration goes first. Where none does, the home account is given:
    the custodians then say what is missing.
    """
    if context.identity.contract is not None:
        return context.identity.contract
    home = resolved.ledger.id
    candidates = [LedgerId(paying_ledger)] if paying_ledger else list(context.ledgers)
    for candidate in candidates:
        if paying_ledger is None and not context.identity.holds(candidate):
            continue
        consumer = context.identity.account(context.ledger(candidate).id)
        licence = await resolved.ledger.market.licence(
            resolved.model.model_id, resolved.version.version, consumer
        )
        if licence.live:
            return context.name(consumer)
    return context.name(context.identity.account(candidates[0] if paying_ledger else home))


async def unlock_version(
    context: Context, resolved: Resolved, manifest: Manifest, consumer: str
) -> Unlocked:
    """Ask the custodians to open a version's content key for `consumer`.

    Raises:
        NotEnoughShares: fewer than the threshold gave a good share.
        ManifestMismatch: the key was sealed to another committee or another version.
    """
    if context.group is None:
        raise ConfigInvalid("There is no [committee] to ask for the model's key.")
    if manifest.capsule.group_key != context.group.public_key.to_bytes():
        raise ManifestMismatch(
            f"{resolved.uri} is sealed to another committee than the configured one.",
            next_step="Use the configuration of the network it was published on.",
        )
    ciphertext = tdh2.Ciphertext.from_bytes(manifest.capsule.ciphertext)
    if ciphertext.label != label_for(resolved.model.model_id, resolved.version.version):
        raise ManifestMismatch(f"The key capsule of {resolved.uri} is of another version.")
    recipient = RecipientKey.generate()
    request = ShareRequest(
        ledger=resolved.ledger.id,
        model_id=resolved.model.model_id,
        version=resolved.version.version,
        consumer=consumer,
        hpke_public_key=recipient.public_bytes,
        ciphertext=manifest.capsule.ciphertext,
        issued_at=int(context.clock()),
    )
    wallet = context.wallet(LedgerId(AccountId.parse(consumer).ledger))
    of_contract = consumer == context.identity.contract
    signing = request.sign_for_contract if of_contract else request.sign
    signed = await asyncio.to_thread(signing, wallet)  # the key may be in another machine
    result = await unlock(
        ciphertext,
        signed,
        recipient,
        context.custodians,
        context.group,
    )
    return Unlocked(ContentKey(result.secret), result.outcomes)
