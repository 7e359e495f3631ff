"""Custodians' nodes over HTTP."""

from __future__ import annotations

import httpx

from caimi.custody.request import SignedShareRequest
from caimi.custody.response import ShareResponse
from caimi.custody.unlock import refused
from caimi.errors.custody import CustodianUnreachable
from caimi.errors.node import NodeUnreachable
from caimi.services.endpoint import Endpoint, read_object


class HttpCustodian:
    """A custodian's node (port `CustodianClient`); `account` is of the key that it attests with."""

    def __init__(self, index: int, account: bytes, endpoint: Endpoint) -> None:
        self._index = index
        self._account = account
        self._endpoint = endpoint

    @property
    def index(self) -> int:
        """The custodian's place in the group, from 1."""
        return self._index

    @property
    def account(self) -> bytes:
        """The account of the key that it signs with."""
        return self._account

    async def share(self, request: SignedShareRequest) -> ShareResponse:
        """Ask for a share; see `CustodianClient.share`."""
        try:
            status, answer = await self._endpoint.exchange("POST", "/v1/shares", request.to_json())
        except NodeUnreachable as error:
            raise CustodianUnreachable(error.what) from error
        if status != httpx.codes.OK:
            raise refused(self._index, {k: str(v) for k, v in (read_object(answer) or {}).items()})
        return ShareResponse.from_json(answer)
