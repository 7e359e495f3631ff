// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Bytes} from "@openzeppelin/contracts/utils/Bytes.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {Packet, Payload} from "../interfaces/IBCTypes.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {IIBCApp} from "../interfaces/IIBCApp.sol";
import {BoundedCall} from "./BoundedCall.sol";
import {ICS24} from "./ICS24.sol";
import {PacketChecks} from "./PacketChecks.sol";

/// @notice The applications at a gateway's ports, and how they are called.
/// @dev Invariants:
///      - a port has one application for ever, and nothing else is called on a packet's behalf;
///      - all payloads of a packet take effect, or none;
///      - the outcome of a callback does not depend on who delivers: it has exactly CALLBACK_GAS, or nothing happens.
///
///      Restricted function: {addApplication}.
abstract contract Applications is IGateway, AccessManaged, PacketChecks {
    error InvalidPort(string port);
    error PortTaken(string port);
    error UnknownPort();
    error InvalidApplication(address application);
    error NotApplication(string port, address caller);
    error OnlySelf();
    /// @dev Carries an application's failure out of the frame that undoes it.
    error ApplicationFailed(bytes reason);

    /// @notice What an application gets for each callback, no less and no more.
    uint256 public constant CALLBACK_GAS = 1_000_000;
    uint256 public constant MAX_REASON_LENGTH = 512;

    mapping(bytes32 portHash => IIBCApp) private _applications;

    modifier onlySelf() {
        require(msg.sender == address(this), OnlySelf());
        _;
    }

    /// @inheritdoc IGateway
    function addApplication(string calldata port, IIBCApp application) external restricted {
        require(ICS24.isPort(port), InvalidPort(port));
        require(
            address(application).code.length > 0 && address(application) != address(this),
            InvalidApplication(address(application))
        );
        bytes32 portHash = keccak256(bytes(port));
        require(address(_applications[portHash]) == address(0), PortTaken(port));
        _applications[portHash] = application;
        emit ApplicationAdded(port, address(application));
    }

    /// @inheritdoc IGateway
    function getApplication(string calldata port) external view returns (IIBCApp) {
        return IIBCApp(_applicationAt(port));
    }

    /// @dev The caller is the application at the one; the other may be a port. One that is registered here is.
    function _checkPorts(Payload calldata payload) internal view {
        string calldata sourcePort = payload.sourcePort;
        string calldata destPort = payload.destPort;
        bytes32 sourceHash = ICS24.hashOf(sourcePort);
        require(msg.sender == address(_applications[sourceHash]), NotApplication(sourcePort, msg.sender));
        require(ICS24.hashOf(destPort) == sourceHash || ICS24.isPort(destPort), InvalidPort(destPort));
    }

    // Receiving

    /// @dev In a frame of its own: when one payload fails, or its answer is no acknowledgement, all effects are undone.
    ///      Nearly every packet has one payload; the frame for one costs 3 thousand gas less.
    function _deliver(Packet calldata packet, uint64 height)
        internal
        returns (bytes[] memory acknowledgements, bytes memory failure)
    {
        Payload[] calldata payloads = packet.payloads;
        if (payloads.length == 1) {
            bytes memory call = _encodeContext(IIBCApp.onRecvPacket.selector, packet, payloads[0], height);
            try this.deliverOne(_applicationAt(payloads[0].destPort), call) returns (bytes memory acknowledgement) {
                acknowledgements = new bytes[](1);
                acknowledgements[0] = acknowledgement;
            } catch (bytes memory reverted) {
                failure = reverted;
            }
        } else {
            address[] memory applications = new address[](payloads.length);
            bytes[] memory calls = new bytes[](payloads.length);
            for (uint256 i = 0; i < payloads.length; ++i) {
                applications[i] = _applicationAt(payloads[i].destPort);
                calls[i] = _encodeContext(IIBCApp.onRecvPacket.selector, packet, payloads[i], height);
            }
            try this.deliverAll(applications, calls) returns (bytes[] memory all) {
                acknowledgements = all;
            } catch (bytes memory reverted) {
                failure = reverted;
            }
        }
    }

    /// @notice Delivers to an application, or undoes what it did. Called by the gateway itself only.
    function deliverOne(address application, bytes calldata call)
        external
        onlySelf
        returns (bytes memory acknowledgement)
    {
        return _deliverTo(application, call);
    }

    /// @notice Delivers to all applications of a packet, or to none. Called by the gateway itself only.
    function deliverAll(address[] calldata applications, bytes[] calldata calls)
        external
        onlySelf
        returns (bytes[] memory acknowledgements)
    {
        acknowledgements = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            acknowledgements[i] = _deliverTo(applications[i], calls[i]);
            // Only one that is alone may answer later, as in ibc-go.
            require(
                acknowledgements[i].length > 0,
                ApplicationFailed(abi.encodeWithSelector(InvalidAcknowledgement.selector))
            );
        }
    }

    function _deliverTo(address application, bytes memory call) private returns (bytes memory acknowledgement) {
        (bool success, bytes memory returned, bool whole) =
            _callApplication(application, call, MAX_ACKNOWLEDGEMENT_LENGTH + 64);
        require(success, ApplicationFailed(returned));
        (success, acknowledgement) = _decodeAcknowledgement(returned);
        require(success && whole, ApplicationFailed(abi.encodeWithSelector(InvalidAcknowledgement.selector)));
    }

    // Ending what was sent

    /// @dev A single application undoes its own effects by reverting; those of several need a frame around them.
    function _notify(Payload[] calldata payloads, bytes[] memory calls)
        internal
        returns (bool success, bytes memory reason)
    {
        address[] memory applications = new address[](payloads.length);
        for (uint256 i = 0; i < payloads.length; ++i) {
            applications[i] = _applicationAt(payloads[i].sourcePort);
        }
        if (calls.length == 1) {
            // What an application returns here is nothing to the gateway.
            // slither-disable-next-line unused-return
            (success, reason,) = _callApplication(applications[0], calls[0], MAX_REASON_LENGTH);
        } else {
            try this.notifyAll(applications, calls) {
                success = true;
            } catch (bytes memory failure) {
                reason = _reasonOf(failure);
            }
        }
    }

    /// @notice Tells all applications of a packet, or none. Called by the gateway itself only.
    function notifyAll(address[] calldata applications, bytes[] calldata calls) external onlySelf {
        for (uint256 i = 0; i < calls.length; ++i) {
            // slither-disable-next-line unused-return
            (bool success, bytes memory reason,) = _callApplication(applications[i], calls[i], MAX_REASON_LENGTH);
            require(success, ApplicationFailed(reason));
        }
    }

    // Calls

    /// @dev abi.encodeWithSelector(selector, PacketContext(...)) without the copy in memory, 3 thousand gas less: the
    ///      encoding of one dynamic tuple is that of its members behind an offset.
    function _encodeContext(bytes4 selector, Packet calldata packet, Payload calldata payload, uint64 height)
        internal
        view
        returns (bytes memory)
    {
        return bytes.concat(
            selector,
            bytes32(uint256(0x20)),
            abi.encode(packet.sourceClient, packet.destClient, packet.sequence, payload, msg.sender, height)
        );
    }

    /// @dev abi.encodeCall(onAcknowledgementPacket, (PacketContext(...), acknowledgement)) in the same way.
    function _encodeAcknowledgement(Packet calldata packet, Payload calldata payload, bytes calldata acknowledgement)
        internal
        view
        returns (bytes memory)
    {
        bytes memory context =
            abi.encode(packet.sourceClient, packet.destClient, packet.sequence, payload, msg.sender, uint256(0));
        return bytes.concat(
            IIBCApp.onAcknowledgementPacket.selector,
            bytes32(uint256(0x40)),
            bytes32(0x40 + context.length),
            context,
            bytes32(acknowledgement.length),
            acknowledgement,
            new bytes((32 - acknowledgement.length % 32) % 32)
        );
    }

    function _applicationAt(string calldata port) internal view returns (address) {
        return address(_applications[ICS24.hashOf(port)]);
    }

    /// @dev When the application fails, or there is none, `returned` is the capped reason.
    function _callApplication(address application, bytes memory call, uint256 maxReturned)
        private
        returns (bool success, bytes memory returned, bool whole)
    {
        if (application == address(0)) return (false, abi.encodeWithSelector(UnknownPort.selector), true);
        (success, returned, whole) = BoundedCall.call(application, CALLBACK_GAS, call, maxReturned);
        if (!success && returned.length > MAX_REASON_LENGTH) returned = Bytes.slice(returned, 0, MAX_REASON_LENGTH);
    }

    /// @dev Reads abi.encode(bytes) strictly and in place; what is neither an acknowledgement nor empty is a failure.
    function _decodeAcknowledgement(bytes memory returned)
        private
        pure
        returns (bool valid, bytes memory acknowledgement)
    {
        if (returned.length < 64) return (false, "");
        uint256 offset;
        // The words of abi.encode(bytes): 0x20, length, content. `returned` has its own length before them.
        assembly ("memory-safe") {
            offset := mload(add(returned, 0x20))
            acknowledgement := add(returned, 0x40)
        }
        valid = offset == 0x20 && acknowledgement.length <= returned.length - 64
            && !ICS24.isUniversalError(acknowledgement);
    }

    /// @dev The application's reason out of {ApplicationFailed}. Any other failure of a frame is not the application's
    ///      doing (too little gas for the frame itself) and undoes the transaction.
    function _reasonOf(bytes memory failure) internal pure returns (bytes memory) {
        require(failure.length > 0, BoundedCall.InsufficientGas());
        if (bytes4(failure) != ApplicationFailed.selector) LowLevelCall.bubbleRevert(failure);
        return abi.decode(Bytes.slice(failure, 4), (bytes));
    }
}
