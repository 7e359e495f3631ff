"""What both sides of the protocol over gRPC have in common."""

from __future__ import annotations

from typing import Final

SERVICE: Final = "inference.GRPCInferenceService"
_MAX_METADATA: Final = 16 << 10


def options(max_message_bytes: int) -> list[tuple[str, int]]:
    """Give the options that bound what a peer's messages can cost: their size, uncompressed."""
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.compression_enabled_algorithms_bitset", 1),
        ("grpc.max_metadata_size", _MAX_METADATA),
        ("grpc.absolute_max_metadata_size", _MAX_METADATA),
    ]
