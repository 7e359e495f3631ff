"""The custodian's role: answer share requests that its own view of the ledger justifies.

The signer of a request, its age, its sealed key and the grant are all checked here, whatever the
service in front has checked: no share leaves without a live grant at the custodian's own finalised
view of the ledger. What it gives it signs, and that it gave it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from caimi.custody.answer import Asked, SignedShare
from caimi.custody.delivery import delivery_info, seal
from caimi.custody.key_release import KeyRelease
from caimi.custody.keys import KeyShare
from caimi.custody.label import label_for
from caimi.custody.replay import ReplayGuard
from caimi.custody.request import FRESHNESS_SECONDS, NO_POLICY, ShareRequest, SignedShareRequest
from caimi.custody.response import ShareResponse
from caimi.custody.tdh2 import Ciphertext, decryption_share, verify_ciphertext
from caimi.custody.tombstones import Tombstones
from caimi.errors.custody import (
    InvalidRequestSignature,
    LabelMismatch,
    ModelErased,
    PolicyUnsupported,
)
from caimi.ledgers.port import AttestationKey, Statement
from caimi.logs import about, logger

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Grant:
    """A consumer's live right to a model version, as of a finalised `height` of `ledger`."""

    ledger: str
    height: int
    consumer: str


class GrantChecker(Protocol):
    """A custodian's own finalised view of the ledger that holds the model."""

    async def check(self, ledger: str, model_id: bytes, version: str, consumer: str) -> Grant:
        """Give the live grant, or raise `GrantRefused` (or the ledger's own error)."""

    async def signed(self, consumer: str, statement: Statement, signature: bytes) -> bool:
        """Tell whether `consumer` signed: with its key, or, a contract account, as its code says.

        Raises:
            GrantRefused: the account's ledger is not one this custodian follows.
            MalformedEncoding: it is no account as its ledger writes them.
        """


@dataclass(slots=True)
class Custodian:
    """Holder of one key share; `key` signs what it gives. `clock` gives Unix seconds."""

    key_share: KeyShare = field(repr=False)
    key: AttestationKey = field(repr=False)
    grants: GrantChecker
    tombstones: Tombstones
    clock: Callable[[], float]
    replays: ReplayGuard = field(default_factory=ReplayGuard, repr=False)

    @property
    def index(self) -> int:
        """Give the custodian's place in the group, from 1."""
        return self.key_share.index

    async def answer(self, signed: SignedShareRequest) -> ShareResponse:
        """Check a request and give this custodian's share, sealed to the requester's key.

        Raises:
            PolicyUnsupported: it names a policy, or shows credentials.
            InvalidRequestSignature, StaleRequest, ReplayedRequest: the request itself is refused.
            MalformedEncoding, InvalidCiphertext, LabelMismatch: its sealed key is refused.
            ModelErased: the version's key was erased.
            GrantRefused: the ledger shows no live grant.
            LedgerUnavailable…: as the ledger says.
            RemoteSignerFailed…: the custodian's own key cannot sign.
            CustodianBusy: too many requests are being remembered.
        """
        request = signed.request
        account = request.consumer.encode()
        _refuse_policies(request)
        signed.check_fresh(self.clock())
        self.replays.check(account, request.nonce)
        ciphertext = Ciphertext.from_bytes(request.ciphertext)
        if ciphertext.label != request.label:
            raise LabelMismatch(
                f"The sealed key is not that of version {request.version!r} "
                f"of model 0x{request.model_id.hex()}."
            )
        verify_ciphertext(ciphertext, self.key_share.group.public_key)
        self._refuse_erased(ciphertext.label, request.version)

        grant = await self.grants.check(
            request.ledger, request.model_id, request.version, request.consumer
        )
        # Code of a contract account runs only for one that has a grant.
        if not await self.grants.signed(request.consumer, request.statement, signed.signature):
            raise InvalidRequestSignature(
                f"The request is not signed by {request.consumer}, by its key or as its contract."
            )

        # In a thread, since the key may be in another machine.
        answer = await asyncio.to_thread(self._answer, request, ciphertext, int(self.clock()))

        # From here on nothing awaits: no erasure, replay or late answer can slip in between.
        now = self.clock()
        signed.check_fresh(now)
        self._refuse_erased(ciphertext.label, request.version)
        self.replays.remember(
            account, request.nonce, until=request.issued_at + FRESHNESS_SECONDS, now=now
        )
        with about(request=request.nonce.hex()):
            _log.info(
                "custodian %d gives a share of model 0x%s version %r to %s: "
                "grant of %s at height %d",
                self.index,
                request.model_id.hex(),
                request.version,
                grant.consumer,
                grant.ledger,
                grant.height,
            )
        return answer

    def _answer(self, request: ShareRequest, ciphertext: Ciphertext, time: int) -> ShareResponse:
        """Make the share, and sign it and its release; nothing of it leaves here."""
        group = self.key_share.group
        share = decryption_share(ciphertext, self.key_share)
        release = KeyRelease.of(request, self.index, group, time)
        asked = Asked(release.request, ciphertext, group.verification_key(self.index))
        answer = SignedShare.sign(share, asked, self.key)
        info = delivery_info(ciphertext.label, request.consumer, self.index, request.nonce)
        sealed = seal(request.hpke_public_key, answer.to_bytes(), info)
        return ShareResponse(self.index, sealed, release.sign(self.key))

    async def erase(self, model_id: bytes, version: str) -> None:
        """Refuse this model version for ever; durable when this returns.

        With ``total - threshold + 1`` custodians refusing, its key cannot be had again
        (crypto-shredding). Whether the one who asks may is for the caller to check.
        """
        await self.tombstones.add(label_for(model_id, version))

    def _refuse_erased(self, label: bytes, version: str) -> None:
        if self.tombstones.holds(label):
            raise ModelErased(f"The key of version {version!r} of this model was erased.")


def _refuse_policies(request: ShareRequest) -> None:
    if request.policy != NO_POLICY or request.credentials:
        raise PolicyUnsupported(
            f"The request names policy 0x{request.policy.hex()} and shows "
            f"{len(request.credentials)} credentials."
        )
