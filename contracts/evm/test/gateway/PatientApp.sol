// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IGateway} from "../../src/interfaces/IGateway.sol";
import {IIBCApp, PacketContext} from "../../src/interfaces/IIBCApp.sol";

/// @notice Answers later, and takes nothing before the source ledger has the height it was told.
contract PatientApp is IIBCApp {
    uint64 public earliest;
    uint64 public seen;
    bytes public heard;

    function setEarliest(uint64 height) external {
        earliest = height;
    }

    function onRecvPacket(PacketContext calldata context) external returns (bytes memory) {
        require(context.height >= earliest, NotYet());
        seen = context.height;
        return "";
    }

    function answer(IGateway gateway, string calldata clientId, uint64 sequence, bytes calldata acknowledgement)
        external
    {
        gateway.writeAcknowledgement(clientId, sequence, acknowledgement);
    }

    function onAcknowledgementPacket(PacketContext calldata, bytes calldata acknowledgement) external {
        heard = acknowledgement;
    }

    function onTimeoutPacket(PacketContext calldata) external {}
}
