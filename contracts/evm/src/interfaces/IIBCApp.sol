// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Payload} from "./IBCTypes.sol";

/// @notice What a gateway tells an application about one payload of a packet.
struct PacketContext {
    string sourceClient;
    string destClient;
    uint64 sequence;
    Payload payload;
    address relayer;
}

/// @notice An application behind a gateway's port (ICS-26, v2 callbacks). Only its gateway may call these.
interface IIBCApp {
    /// @notice Handles a delivered payload. A revert becomes the universal error acknowledgement.
    /// @return acknowledgement non-empty, and not the universal error acknowledgement
    function onRecvPacket(PacketContext calldata context) external returns (bytes memory acknowledgement);

    /// @notice Handles the counterparty's acknowledgement of a payload this application sent.
    function onAcknowledgementPacket(PacketContext calldata context, bytes calldata acknowledgement) external;

    /// @notice Handles proof that a payload this application sent was not received in time.
    function onTimeoutPacket(PacketContext calldata context) external;
}
