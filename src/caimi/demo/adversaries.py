"""Custodians that fail: one that does not answer, one that answers wrongly."""

from __future__ import annotations

from dataclasses import replace

from caimi.custody.answer import Asked, SignedShare
from caimi.custody.delivery import delivery_info, seal
from caimi.custody.group import generator_times
from caimi.custody.key_release import KeyRelease
from caimi.custody.keys import KeyShare
from caimi.custody.request import SignedShareRequest
from caimi.custody.response import ShareResponse
from caimi.custody.tdh2 import Ciphertext, decryption_share
from caimi.custody.unlock import CustodianClient
from caimi.errors.custody import CustodianUnreachable
from caimi.ledgers.port import AttestationKey


class Absent:
    """A custodian that is down."""

    def __init__(self, client: CustodianClient) -> None:
        self.index = client.index
        self.account = client.account

    async def share(self, request: SignedShareRequest) -> ShareResponse:
        """Never answer."""
        raise CustodianUnreachable(f"Custodian {self.index} is down.")


class Corrupting:
    """A custodian that signs a wrong share under a right proof's shape, properly sealed."""

    def __init__(self, key_share: KeyShare, key: AttestationKey) -> None:
        self.index = key_share.index
        self.account = key.account
        self._key_share = key_share
        self._key = key

    async def share(self, request: SignedShareRequest) -> ShareResponse:
        """Give a share whose point is not what the key share makes."""
        asked, group = request.request, self._key_share.group
        ciphertext = Ciphertext.from_bytes(asked.ciphertext)
        wrong = replace(decryption_share(ciphertext, self._key_share), point=generator_times(7))
        answer = SignedShare.sign(
            wrong, Asked(asked.digest, ciphertext, group.verification_key(self.index)), self._key
        )
        info = delivery_info(ciphertext.label, asked.consumer, self.index, asked.nonce)
        sealed = seal(asked.hpke_public_key, answer.to_bytes(), info)
        release = KeyRelease.of(asked, self.index, group, asked.issued_at)
        return ShareResponse(self.index, sealed, release.sign(self._key))
