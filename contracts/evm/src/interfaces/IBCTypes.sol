// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice One application's part of a packet (ICS-04 v2).
struct Payload {
    string sourcePort;
    string destPort;
    string version;
    string encoding;
    bytes value;
}

/// @notice One IBC v2 message between two clients (ICS-04 v2). `timeoutTimestamp` is in seconds.
struct Packet {
    uint64 sequence;
    string sourceClient;
    string destClient;
    uint64 timeoutTimestamp;
    Payload[] payloads;
}
