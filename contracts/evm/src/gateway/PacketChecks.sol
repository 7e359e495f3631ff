// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Packet, Payload} from "../interfaces/IBCTypes.sol";
import {ICS24} from "./ICS24.sol";

/// @notice What every packet and every acknowledgement must look like, whoever brings it.
abstract contract PacketChecks {
    error InvalidPayloads(uint256 count, uint256 length);
    error InvalidPayload(uint256 index);
    error InvalidSequence();
    error WrongRoute(uint64 sequence, string sourceClient, string destClient);
    error InvalidAcknowledgement();

    uint256 public constant MAX_PAYLOADS = 16;
    uint256 public constant MAX_PAYLOADS_LENGTH = 262_144;
    uint256 public constant MAX_ACKNOWLEDGEMENT_LENGTH = 8_192;

    /// @dev The packet goes from the one client to the other.
    function _checkRoute(Packet calldata packet, bytes32 sourceHash, bytes32 destHash) internal pure {
        require(packet.sequence != 0, InvalidSequence());
        require(
            keccak256(bytes(packet.sourceClient)) == sourceHash && keccak256(bytes(packet.destClient)) == destHash,
            WrongRoute(packet.sequence, packet.sourceClient, packet.destClient)
        );
    }

    function _checkPayloads(Payload[] calldata payloads) internal pure {
        uint256 length = 0;
        for (uint256 i = 0; i < payloads.length; ++i) {
            length += _checkPayload(payloads[i], i);
        }
        _checkTotal(payloads.length, length);
    }

    function _checkPayload(Payload calldata payload, uint256 index) internal pure returns (uint256 length) {
        bool complete;
        (complete, length) = ICS24.isComplete(payload);
        require(complete, InvalidPayload(index));
    }

    function _checkTotal(uint256 count, uint256 length) internal pure {
        require(
            count > 0 && count <= MAX_PAYLOADS && length <= MAX_PAYLOADS_LENGTH, InvalidPayloads(count, length)
        );
    }

    /// @dev One acknowledgement a payload, or one universal error for all.
    function _checkAcknowledgement(bytes[] calldata acknowledgements, uint256 payloadCount) internal pure {
        if (acknowledgements.length == 1 && ICS24.isUniversalError(acknowledgements[0])) return;
        require(acknowledgements.length == payloadCount, InvalidAcknowledgement());
        for (uint256 i = 0; i < acknowledgements.length; ++i) {
            require(
                acknowledgements[i].length > 0 && !ICS24.isUniversalError(acknowledgements[i]),
                InvalidAcknowledgement()
            );
        }
    }
}
