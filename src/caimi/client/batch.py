"""Publishing by the thousand: one transaction anchors the Merkle root of many publications.

Each is signed by its publisher and provable by itself: with its proof, anybody can bring it into
the registry later (`Registry.publish_from_batch`) or show that it existed when the batch was
anchored. A batch is in the journal, with its transaction, before it is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from caimi.client.context import Context
from caimi.errors.ids import InvalidMerkleProof
from caimi.ledgers.port import Done, Ledger, Publication, PublicationBatch
from caimi.ledgers.publications import publication_leaf, publication_statement
from caimi.merkle import MerkleTree, verify

MAX_BATCH: Final = 10_000
WINDOW_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Release:
    """A version to publish: its manifest's canonical bytes, already in a store."""

    name: str
    version: str
    manifest: bytes


@dataclass(frozen=True, slots=True)
class AnchoredPublication:
    """A publication in an anchored batch: what shows that it is there, and who signed it."""

    publication: Publication
    signature: bytes
    batch_id: int
    root: bytes
    proof: tuple[bytes, ...]


class PublicationBatcher:
    """Gathers publications of one key on one ledger, and anchors them together.

    `publish` returns when its batch is on the ledger and its inclusion has been checked against the
    root that the ledger keeps. A batch closes after `window` seconds, or when it is full.
    """

    def __init__(
        self,
        context: Context,
        ledger: str,
        *,
        window: float = WINDOW_SECONDS,
        max_batch: int = MAX_BATCH,
    ) -> None:
        self._context = context
        self._ledger = context.ledger(ledger)
        self._window = window
        self._max = max_batch
        self._waiting: list[tuple[Release, asyncio.Future[AnchoredPublication]]] = []
        self._anchoring: asyncio.Task[None] | None = None
        self.receipts: list[Done[int]] = []

    async def publish(self, release: Release) -> AnchoredPublication:
        """Publish one version in the next batch.

        Raises:
            InsufficientFunds, LedgerUnavailable…: the batch could not be anchored.
            InvalidMerkleProof: the ledger keeps another root than the one that was sent.
        """
        done: asyncio.Future[AnchoredPublication] = asyncio.get_running_loop().create_future()
        self._waiting.append((release, done))
        if self._anchoring is None or self._anchoring.done():
            self._anchoring = asyncio.create_task(self._anchor_waiting())
        return await done

    async def _anchor_waiting(self) -> None:
        while self._waiting:
            if len(self._waiting) < self._max:
                await asyncio.sleep(self._window)
            taken, self._waiting = self._waiting[: self._max], self._waiting[self._max :]
            try:
                anchored = await self._anchor([release for release, _ in taken])
            except Exception as error:  # whatever it is, those who wait must hear of it
                for _, done in taken:
                    if not done.done():
                        done.set_exception(error)
                continue
            for (_, done), entry in zip(taken, anchored, strict=True):
                if not done.done():
                    done.set_result(entry)

    async def _anchor(self, releases: Sequence[Release]) -> list[AnchoredPublication]:
        signed, tree = await asyncio.to_thread(self._sign, releases)
        root = tree.root
        async with self._context.journal.operation(
            "publish-batch", self._ledger.id, root.hex()
        ) as operation:
            await operation.note(publications=json.dumps([_as_json(*entry) for entry in signed]))
            call = self._ledger.registry.anchor_batch(root, len(releases))
            receipt = await self._context.submit(operation, "anchor", call)
            await operation.finish()
        self.receipts.append(receipt)
        kept = await self._ledger.registry.batch(receipt.effect)
        return await asyncio.to_thread(_prove, self._ledger, signed, tree, kept)

    def _sign(
        self, releases: Sequence[Release]
    ) -> tuple[list[tuple[Publication, bytes]], MerkleTree]:
        registry = self._ledger.registry
        wallet = self._context.wallet(self._ledger.id)
        signed, leaves = [], []
        for release in releases:
            digest = hashlib.sha256(release.manifest).digest()
            publication = Publication(wallet.account, release.name, release.version, digest)
            model_id = registry.model_id(wallet.account, release.name)
            statement = publication_statement(publication, model_id)
            signed.append((publication, wallet.sign_statement(statement)))
            leaves.append(publication_leaf(publication, model_id))
        return signed, MerkleTree(leaves)


def _prove(
    ledger: Ledger,
    signed: Sequence[tuple[Publication, bytes]],
    tree: MerkleTree,
    kept: PublicationBatch,
) -> list[AnchoredPublication]:
    proved = []
    for place, (publication, signature) in enumerate(signed):
        proof = tree.proof(place)
        if not verify(kept.root, tree.leaf(place), proof):
            raise InvalidMerkleProof(
                f"{publication.name} {publication.version} is not under the root that {ledger.id} "
                f"keeps for batch {kept.batch_id}."
            )
        proved.append(AnchoredPublication(publication, signature, kept.batch_id, kept.root, proof))
    return proved


def _as_json(publication: Publication, signature: bytes) -> list[str]:
    return [
        publication.name,
        publication.version,
        publication.manifest.hex(),
        signature.hex(),
    ]
