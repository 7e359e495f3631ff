"""HTTP clients of nodes: the roles' ports, spoken over the wire."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Final

import httpx

from caimi.custody.dkg import Ceremony, Enrolment, Order, SignedMessage, Step
from caimi.custody.dkg.ceremony import SESSION_BYTES
from caimi.custody.encoding import Fields
from caimi.custody.keys import GroupKey
from caimi.custody.request import ShareResponse, SignedShareRequest
from caimi.custody.unlock import refused
from caimi.errors.custody import CustodianUnreachable, MalformedEncoding
from caimi.errors.node import NodeRefused, NodeUnreachable
from caimi.inference.inclusion import Inclusion
from caimi.inference.prices import Offer
from caimi.inference.receipt import SignedReceipt
from caimi.inference.tensors import Array, Tensors
from caimi.inference.wire import tensors_from_json, tensors_to_json
from caimi.json_text import read_json
from caimi.ledgers.port import LedgerId, Signer
from caimi.messaging.checkpoint import Attestation
from caimi.messaging.ibc_attestations import IbcAttestation, Path
from caimi.node.ceremony_records import CeremonyRecord
from caimi.node.coordinator import MemberStatus
from caimi.node.key_generation import messages_to_json
from caimi.uri import ModelUri

MAX_ANSWER_BYTES: Final = 8 << 20
TIMEOUT: Final = httpx.Timeout(10.0, connect=3.0)
WORKER_TIMEOUT: Final = httpx.Timeout(120.0, connect=3.0)
_STATUS_FIELDS: Final = frozenset({"holds_share", "records"})
_IDENTITY: Final = re.compile(r"0x0[23][0-9a-f]{64}")


class Endpoint:
    """One service's base URL; `transport` replaces the network for a service in this process."""

    def __init__(
        self,
        url: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        self.url = url
        self._http = httpx.AsyncClient(
            base_url=url, transport=transport, timeout=timeout, trust_env=False
        )

    async def get(self, path: str) -> dict[str, object]:
        """Give the JSON object at `path`; raises as `post`."""
        return self._read(await self.exchange("GET", path, None))

    async def post(self, path: str, body: str) -> dict[str, object]:
        """Post JSON text and give the JSON object that comes back.

        Raises:
            NodeUnreachable: no answer came.
            NodeRefused: the answer is an error, or not an object of bounded size.
        """
        return self._read(await self.exchange("POST", path, body))

    async def post_text(self, path: str, body: str) -> str:
        """Post JSON text and give the answer's text; raises as `post`."""
        status, answer = await self.exchange("POST", path, body)
        if status != httpx.codes.OK:
            raise self._refusal(status, answer)
        return answer

    async def exchange(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        """Give the status and the text of an answer of bounded size, whatever it says."""
        headers = {"content-type": "application/json"} if body is not None else {}
        try:
            async with self._http.stream(method, path, content=body, headers=headers) as response:
                answer = bytearray()
                async for part in response.aiter_bytes():
                    answer += part
                    if len(answer) > MAX_ANSWER_BYTES:
                        raise NodeRefused(f"{self.url}{path} answered more than it may.")
                return response.status_code, answer.decode("utf-8", "replace")
        except httpx.HTTPError as error:
            raise NodeUnreachable(
                f"{self.url} does not answer: {type(error).__name__} {error}."
            ) from error

    def _read(self, answered: tuple[int, str]) -> dict[str, object]:
        status, answer = answered
        if status != httpx.codes.OK:
            raise self._refusal(status, answer)
        document = _object(answer)
        if document is None:
            raise NodeRefused(f"{self.url} did not answer with a JSON object.")
        return document

    def _refusal(self, status: int, answer: str) -> NodeRefused:
        error = _object(answer) or {}
        said = [str(error.get(key, ""))[:300] for key in ("code", "what", "why", "next")]
        return NodeRefused(
            f"{self.url} answered {status}: {said[0]} {said[1]}".rstrip(),
            why=said[2] or None,
            next_step=said[3] or None,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


class HttpCustodian:
    """A custodian's node (port `CustodianClient`)."""

    def __init__(self, index: int, endpoint: Endpoint) -> None:
        self._index = index
        self._endpoint = endpoint

    @property
    def index(self) -> int:
        """The custodian's place in the group, from 1."""
        return self._index

    async def share(self, request: SignedShareRequest) -> ShareResponse:
        """Ask for a share; see `CustodianClient.share`."""
        try:
            status, answer = await self._endpoint.exchange("POST", "/v1/shares", request.to_json())
        except NodeUnreachable as error:
            raise CustodianUnreachable(error.what) from error
        if status != httpx.codes.OK:
            raise refused(self._index, {k: str(v) for k, v in (_object(answer) or {}).items()})
        return ShareResponse.from_json(answer)


class HttpValidator:
    """A validator's node (port `ValidatorClient`)."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    @property
    def name(self) -> str:
        """The node's URL."""
        return self._endpoint.url

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        """Ask for a checkpoint's attestation; see `ValidatorClient.attest`."""
        body = json.dumps({"ledger": ledger, "from": from_height, "height": height})
        return Attestation.from_document(await self._endpoint.post("/v1/checkpoints", body))

    async def attest_absence(
        self, ledger: LedgerId, height: int, packets: Sequence[tuple[str, int]]
    ) -> Attestation:
        """Ask for an absence's attestation; see `ValidatorClient.attest_absence`."""
        body = json.dumps({"ledger": ledger, "height": height, "packets": list(packets)})
        return Attestation.from_document(await self._endpoint.post("/v1/absences", body))


class HttpIbcAttestor:
    """A node that attests `ledger` in ibc-go's format (port `IbcAttestorClient`)."""

    def __init__(self, endpoint: Endpoint, ledger: LedgerId) -> None:
        self._endpoint = endpoint
        self._ledger = ledger

    @property
    def name(self) -> str:
        """The node's URL."""
        return self._endpoint.url

    async def attest_state(self, height: int) -> IbcAttestation:
        """Ask for a block's time; see `IbcAttestorClient.attest_state`."""
        body = json.dumps({"ledger": self._ledger, "height": height})
        return IbcAttestation.from_document(await self._endpoint.post("/v1/ibc/states", body))

    async def attest_packets(self, height: int, paths: Sequence[Path]) -> IbcAttestation:
        """Ask for what lies at some paths; see `IbcAttestorClient.attest_packets`."""
        named = [path.as_document() for path in paths]
        body = json.dumps({"ledger": self._ledger, "height": height, "paths": named})
        return IbcAttestation.from_document(await self._endpoint.post("/v1/ibc/packets", body))


class HttpWorker:
    """A worker's service (port `WorkerClient`)."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def infer(
        self, uri: ModelUri, inputs: Tensors, nonce: bytes
    ) -> tuple[dict[str, Array], SignedReceipt]:
        """Have a version run; see `WorkerClient.infer`."""
        request = {
            "model": str(uri),
            "nonce": f"0x{nonce.hex()}",
            "inputs": tensors_to_json(inputs),
        }
        answer = await self._endpoint.post("/v1/infer", json.dumps(request))
        receipt = SignedReceipt.from_document(answer.get("receipt"))
        return tensors_from_json(answer.get("outputs")), receipt

    async def offer(self, uri: ModelUri, inputs: Tensors) -> Offer:
        """Ask what an answer costs; see `WorkerClient.offer`."""
        shapes = {name: list(value.shape) for name, value in inputs.items()}
        request = json.dumps({"model": str(uri), "shapes": shapes})
        return Offer.from_document(await self._endpoint.post("/v1/offer", request))

    async def inclusion(self, receipt: SignedReceipt) -> Inclusion:
        """Ask for a receipt's inclusion proof; see `WorkerClient.inclusion`."""
        answer = await self._endpoint.get(f"/v1/receipts/0x{receipt.receipt.digest.hex()}")
        return Inclusion.from_document(answer)


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
            self._node = bytes.fromhex(said[2:])
        self._number = max(self._number + 1, int(self._clock() * 1000))
        order = Order(session, step, self._node, self._number, payload).sign(self._coordinator)
        return await self._endpoint.post_text(f"/v1/dkg/{step}", order.to_json())


def _object(text: str) -> dict[str, object] | None:
    try:
        document = read_json(text)
    except (ValueError, RecursionError):  # a number of many digits is a ValueError alone
        return None
    return document if isinstance(document, dict) else None
