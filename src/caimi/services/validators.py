"""Validators' nodes over HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence

from caimi.ibc.path import Path
from caimi.ledgers.port import LedgerId
from caimi.messaging.checkpoint import Attestation
from caimi.messaging.ibc_attestations import IbcAttestation, path_document
from caimi.services.endpoint import Endpoint


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
        named = [path_document(path) for path in paths]
        body = json.dumps({"ledger": self._ledger, "height": height, "paths": named})
        return IbcAttestation.from_document(await self._endpoint.post("/v1/ibc/packets", body))
