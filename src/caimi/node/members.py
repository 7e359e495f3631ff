"""A node as a member of a key generation, over HTTP."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from caimi.custody.dkg import Ceremony, Enrolment, Order, SignedMessage, Step
from caimi.custody.dkg.ceremony import SESSION_BYTES
from caimi.custody.encoding import Fields
from caimi.custody.keys import GroupKey
from caimi.errors.custody import MalformedEncoding
from caimi.hex_text import read_hex
from caimi.ledgers.port import Signer
from caimi.node.ceremony_records import CeremonyRecord
from caimi.node.coordinator import MemberStatus
from caimi.node.key_generation import messages_to_json
from caimi.node.settings import PUBLIC_KEY
from caimi.services.endpoint import MAX_ANSWER_BYTES, Endpoint

_STATUS_FIELDS: Final = frozenset({"holds_share", "records"})
_IDENTITY: Final = re.compile(PUBLIC_KEY)


class HttpMember:
    """A node as a member of a key generation (port `Member`), ordered by `coordinator`."""

    def __init__(
        self,
        endpoint: Endpoint,
        coordinator: Signer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._coordinator = coordinator
        self._clock = clock
        self._node = b""
        self._number = 0

    async def status(self) -> MemberStatus:
        """Ask how far the node is."""
        text = await self._order(Step.STATUS, bytes(SESSION_BYTES))
        fields = Fields(text, _STATUS_FIELDS, "the node's status", MAX_ANSWER_BYTES)
        held = fields.raw("holds_share")
        records = fields.texts("records", 1_000, MAX_ANSWER_BYTES)
        return MemberStatus(held is True, tuple(map(CeremonyRecord.from_json, records)))

    async def enrol(self, session: bytes) -> Enrolment:
        """Have it enrol."""
        return Enrolment.from_json(await self._order(Step.ENROL, session))

    async def start(self, ceremony: Ceremony) -> SignedMessage:
        """Start the ceremony."""
        text = await self._order(Step.START, ceremony.session, ceremony.to_json())
        return SignedMessage.from_json(text)

    async def advance(self, session: bytes, messages: Sequence[SignedMessage]) -> SignedMessage:
        """Relay a round."""
        text = await self._order(Step.ADVANCE, session, messages_to_json(messages))
        return SignedMessage.from_json(text)

    async def finish(self, session: bytes, messages: Sequence[SignedMessage]) -> GroupKey:
        """Relay the confirmations."""
        text = await self._order(Step.FINISH, session, messages_to_json(messages))
        fields = Fields(text, frozenset({"group"}), "the group's key", MAX_ANSWER_BYTES)
        return GroupKey.from_bytes(fields.data("group", 1, 1 << 16))

    async def abort(self, session: bytes) -> None:
        """Have it put the session aside."""
        await self._order(Step.ABORT, session)

    async def _order(self, step: Step, session: bytes, payload: str = "{}") -> str:
        if not self._node:
            said = str((await self._endpoint.get("/v1/identity")).get("key", ""))
            if _IDENTITY.fullmatch(said) is None:
                raise MalformedEncoding("The node's identity key is not 33 bytes in hex.")
            self._node = read_hex(said)
        self._number = max(self._number + 1, int(self._clock() * 1000))
        order = Order(session, step, self._node, self._number, payload).sign(self._coordinator)
        return await self._endpoint.post_text(f"/v1/dkg/{step}", order.to_json())
