"""Custodians that fail: one that does not answer, one that answers wrongly."""

from __future__ import annotations

from dataclasses import replace

from caimi.custody.delivery import delivery_info, seal
from caimi.custody.group import generator_times
from caimi.custody.keys import KeyShare
from caimi.custody.request import ShareResponse, SignedShareRequest
from caimi.custody.tdh2 import Ciphertext, decryption_share
from caimi.custody.unlock import CustodianClient
from caimi.errors.custody import CustodianUnreachable


class Absent:
    """A custodian that is down."""

    def __init__(self, client: CustodianClient) -> None:
        self.index = client.index

    async def share(self, request: SignedShareRequest) -> ShareResponse:
        """Never answer."""
        raise CustodianUnreachable(f"Custodian {self.index} is down.")


class Corrupting:
    """A custodian that sends a wrong share under a right proof's shape, properly sealed."""

    def __init__(self, index: int, key_share: KeyShare) -> None:
        self.index = index
        self._key_share = key_share

    async def share(self, request: SignedShareRequest) -> ShareResponse:
        """Give a share whose point is not what the key share makes."""
        asked = request.request
        ciphertext = Ciphertext.from_bytes(asked.ciphertext)
        wrong = replace(decryption_share(ciphertext, self._key_share), point=generator_times(7))
        info = delivery_info(ciphertext.label, asked.consumer, self.index, asked.nonce)
        return ShareResponse(self.index, seal(asked.hpke_public_key, wrong.to_bytes(), info))
