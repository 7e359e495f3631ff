// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IGateway} from "../../src/interfaces/IGateway.sol";
import {IIBCApp, PacketContext} from "../../src/interfaces/IIBCApp.sol";

/// @notice Refunds whoever sent, and on the way tries to be refunded again.
contract DoubleRefund is IIBCApp {
    IGateway private immutable _gateway;
    bytes private _again;
    uint256 public refunds;
    bool public secondSucceeded;

    constructor(IGateway gateway) {
        _gateway = gateway;
    }

    function arm(bytes calldata call) external {
        _again = call;
    }

    function onRecvPacket(PacketContext calldata) external pure returns (bytes memory) {
        return hex"01";
    }

    function onAcknowledgementPacket(PacketContext calldata, bytes calldata) external {}

    function onTimeoutPacket(PacketContext calldata) external {
        (secondSucceeded,) = address(_gateway).call(_again);
        ++refunds;
    }
}
