"""IBC v2 packets (ICS-04 v2), as every ledger family sends them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Payload:
    """One application's part of a packet (ICS-04 v2)."""

    source_port: str
    dest_port: str
    version: str
    encoding: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """One IBC v2 packet; `timeout` in seconds."""

    sequence: int
    source_client: str
    dest_client: str
    timeout: int
    payloads: tuple[Payload, ...]
