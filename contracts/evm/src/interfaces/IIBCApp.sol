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
    uint64 height; // of the source ledger, that the packet was proved at; 0 when it comes back
}

/// @notice An application behind a gateway's port (ICS-26, v2 callbacks). Only its gateway may call these.
interface IIBCApp {
    /// @dev Reverting {onRecvPacket} with this leaves the packet undelivered: anyone may try again until it times out.
    error NotYet();

    /// @notice Handles a delivered payload. Any other revert becomes the universal error acknowledgement.
    /// @return acknowledgement not the universal error acknowledgement; empty, in a packet of one payload, when the
    ///         application will call {IGateway-writeAcknowledgement}
    function onRecvPacket(PacketContext calldata context) external returns (bytes memory acknowledgement);

    /// @notice Handles the counterparty's acknowledgement of a payload this application sent.
    function onAcknowledgementPacket(PacketContext calldata context, bytes calldata acknowledgement) external;

    /// @notice Handles proof that a payload this application sent was not received in time.
    function onTimeoutPacket(PacketContext calldata context) external;
}
