// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IIBCApp, PacketContext} from "../../src/interfaces/IIBCApp.sol";

/// @notice The least that an application can do: one storage slot written on each side.
contract CounterApp is IIBCApp {
    uint256 public count = 1;

    function onRecvPacket(PacketContext calldata) external returns (bytes memory) {
        ++count;
        return hex"01";
    }

    function onAcknowledgementPacket(PacketContext calldata, bytes calldata) external {
        ++count;
    }

    function onTimeoutPacket(PacketContext calldata) external {
        ++count;
    }
}
