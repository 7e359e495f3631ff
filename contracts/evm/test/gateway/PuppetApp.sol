// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IIBCApp, PacketContext} from "../../src/interfaces/IIBCApp.sol";

/// @notice An application that counts what it is told, and misbehaves as a payload's value says.
contract PuppetApp is IIBCApp {
    error Refused(bytes value);

    uint256 public received;
    uint256 public acknowledged;
    uint256 public timedOut;
    bytes public lastAcknowledgement;
    bool public stubborn; // fails on acknowledgements and timeouts

    address private _target;
    bytes private _call;
    bytes public callResult;
    bool public callSucceeded;

    function setStubborn(bool value) external {
        stubborn = value;
    }

    /// @dev What "call" does while receiving.
    function setCall(address target, bytes calldata data) external {
        _target = target;
        _call = data;
    }

    function onRecvPacket(PacketContext calldata context) external virtual returns (bytes memory) {
        ++received;
        bytes32 order = keccak256(context.payload.value);
        if (order == keccak256("refuse")) revert Refused(context.payload.value);
        if (order == keccak256("silent")) assembly { revert(0, 0) }
        if (order == keccak256("burn")) assembly { invalid() }
        if (order == keccak256("shout")) assembly { revert(0x1000, 200000) }
        if (order == keccak256("blob")) assembly { return(0, 200000) }
        if (order == keccak256("nothing")) assembly { return(0, 0) }
        if (order == keccak256("short")) {
            assembly {
                mstore(0, 0x20)
                return(0, 0x20)
            }
        }
        if (order == keccak256("garbage")) {
            assembly {
                mstore(0, not(0))
                mstore(0x20, not(0))
                return(0, 0x40)
            }
        }
        if (order == keccak256("overlong")) {
            assembly {
                mstore(0, 0x20)
                mstore(0x20, 0x21)
                return(0, 0x60)
            }
        }
        if (order == keccak256("trailing")) {
            assembly {
                mstore(0, 0x20)
                mstore(0x20, 2)
                mstore(0x40, shl(240, 0x6f6b)) // "ok", and more than is read after it
                return(0, 20000)
            }
        }
        if (order == keccak256("longest")) return new bytes(8192);
        if (order == keccak256("toolong")) return new bytes(8193);
        if (order == keccak256("empty")) return "";
        if (order == keccak256("error")) return abi.encodePacked(sha256("UNIVERSAL_ERROR_ACKNOWLEDGEMENT"));
        if (order == keccak256("call")) (callSucceeded, callResult) = _target.call(_call);
        return abi.encodePacked("ok:", context.payload.value);
    }

    function onAcknowledgementPacket(PacketContext calldata context, bytes calldata acknowledgement) external {
        if (stubborn) revert Refused(context.payload.value);
        ++acknowledged;
        lastAcknowledgement = acknowledgement;
    }

    function onTimeoutPacket(PacketContext calldata context) external {
        if (stubborn) revert Refused(context.payload.value);
        ++timedOut;
    }
}
