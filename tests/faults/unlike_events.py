"""What the unlike ledger tells, written as EVM logs: so one law judges both kinds of ledgers.

Only what the law compares is written, and only the indexed part of it: there is no data.
"""

from __future__ import annotations

from caimi.contracts.bridge_effects import ModelReceived
from caimi.contracts.ending import PacketAcknowledged, PacketTimedOut
from caimi.contracts.execution import Effect
from caimi.contracts.licences import LicenceGranted
from caimi.contracts.receiving import AcknowledgementWritten
from caimi.contracts.sending import PacketSent
from caimi.hashing import keccak256
from caimi.ledgers.evm.artifacts import artifact
from faults.transaction import Log
from memory_ledger import MemoryChain

_GATEWAY = artifact("Gateway").interface.events
_BRIDGE = artifact("ModelBridge").interface.events
_MARKET = artifact("LicenceMarket").interface.events


def events_of(chain: MemoryChain) -> list[Log]:
    """Give the logs, in order."""
    found = []
    for told in chain.told(-1, chain.head.height):
        place, topics = _topics(chain, told.effect)
        if topics:
            tx = keccak256(told.tx.encode())
            found.append(Log(place, topics, b"", told.height, tx, {}))
    return found


def _topics(chain: MemoryChain, effect: Effect) -> tuple[bytes, tuple[bytes, ...]]:
    match effect:
        case PacketSent(packet):
            named = _packet(packet.source_client, packet.sequence)
            return chain.site.gateway, (_GATEWAY["PacketSent"].topic, *named)
        case AcknowledgementWritten() | PacketAcknowledged() | PacketTimedOut():
            named = _packet(effect.client_id, effect.sequence)
            return chain.site.gateway, (_GATEWAY[type(effect).__name__].topic, *named)
        case ModelReceived(token, client_id, sequence):
            named = _packet(client_id, sequence)
            return chain.site.bridge, (_BRIDGE["ModelReceived"].topic, token, *named)
        case LicenceGranted():
            return chain.site.market, (_MARKET["LicenceGranted"].topic, effect.licence)
        case _:
            return b"", ()


def _packet(client: str, sequence: int) -> tuple[bytes, bytes]:
    return keccak256(client.encode()), sequence.to_bytes(32)
