// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Payload} from "../interfaces/IBCTypes.sol";

/// @notice The commitments of IBC v2, the keys they are stored under, and the identifiers in them (ICS-24).
/// @dev Byte for byte as ibc-go's 04-channel/v2 computes them. Every preimage of a commitment has a fixed length for
///      its number of parts, so that no two packets share one. Keys are keccak256 of the path that ibc-go stores
///      under, because an EVM ledger keeps them in a mapping.
library ICS24 {
    /// @notice What a gateway writes when an application refused a packet: sha256("UNIVERSAL_ERROR_ACKNOWLEDGEMENT").
    bytes internal constant UNIVERSAL_ERROR = hex"4774d4a575993f963b1c06573736617a457abef8589178db8d10c94b4ab511ab";
    bytes32 private constant UNIVERSAL_ERROR_HASH = keccak256(UNIVERSAL_ERROR);

    /// @notice What holds the place of an acknowledgement until there is one. It is the commitment of none.
    bytes32 internal constant PENDING = bytes32(uint256(1));

    /// @dev Bit c is set when the character c may stand in an identifier: letters, digits and . _ + - # [ ] < >
    uint256 private constant IDENTIFIER_CHARACTERS = 0x07fffffeaffffffe53ff680800000000;

    /// @notice Where the commitment of a packet is stored on the ledger that sent it.
    function commitmentKey(string memory sourceClient, uint64 sequence) internal pure returns (bytes32) {
        return _key(sourceClient, 1, sequence);
    }

    /// @notice Where the receipt of a packet is stored on the ledger it is for.
    function receiptKey(string memory destClient, uint64 sequence) internal pure returns (bytes32) {
        return _key(destClient, 2, sequence);
    }

    /// @notice Where the acknowledgement of a packet is stored on the ledger it is for.
    function acknowledgementKey(string memory destClient, uint64 sequence) internal pure returns (bytes32) {
        return _key(destClient, 3, sequence);
    }

    /// @notice The commitment of a packet.
    function packetCommitment(string memory destClient, uint64 timeoutTimestamp, Payload[] calldata payloads)
        internal
        view
        returns (bytes32)
    {
        bytes memory hashes = new bytes(32 * payloads.length);
        bytes memory parts = new bytes(160);
        for (uint256 i = 0; i < payloads.length; ++i) {
            Payload calldata payload = payloads[i];
            _sha256Into(parts, 0x00, bytes(payload.sourcePort));
            _sha256Into(parts, 0x20, bytes(payload.destPort));
            _sha256Into(parts, 0x40, bytes(payload.version));
            _sha256Into(parts, 0x60, bytes(payload.encoding));
            _sha256Into(parts, 0x80, payload.value);
            bytes32 payloadHash = sha256(parts);
            assembly ("memory-safe") {
                mstore(add(add(hashes, 0x20), mul(i, 0x20)), payloadHash)
            }
        }
        return sha256(
            abi.encodePacked(
                uint8(2), sha256(bytes(destClient)), sha256(abi.encodePacked(timeoutTimestamp)), sha256(hashes)
            )
        );
    }

    /// @notice The commitment of an acknowledgement.
    function acknowledgementCommitment(bytes[] memory acknowledgements) internal pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](acknowledgements.length);
        for (uint256 i = 0; i < acknowledgements.length; ++i) {
            hashes[i] = sha256(acknowledgements[i]);
        }
        return sha256(abi.encodePacked(uint8(2), hashes));
    }

    function isUniversalError(bytes memory acknowledgement) internal pure returns (bool) {
        return acknowledgement.length == 32 && keccak256(acknowledgement) == UNIVERSAL_ERROR_HASH;
    }

    /// @notice Whether `id` names a client: 8 to 64 identifier characters.
    function isClientId(string calldata id) internal pure returns (bool) {
        return _isIdentifier(bytes(id), 8, 64);
    }

    /// @notice Whether `id` names a port: 2 to 128 identifier characters.
    function isPort(string calldata id) internal pure returns (bool) {
        return _isIdentifier(bytes(id), 2, 128);
    }

    /// @notice keccak256(bytes(text)), 200 gas cheaper: nothing is allocated.
    function hashOf(string calldata text) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            calldatacopy(at, text.offset, text.length)
            hash := keccak256(at, text.length)
        }
    }

    /// @notice Whether a payload has a value, and a version and an encoding with something visible in them.
    /// @dev Where the members are is not checked here, to be 1,000 gas cheaper: who hashes the payload checks that they
    ///      lie within the calldata, or undoes everything.
    function isComplete(Payload calldata payload) internal pure returns (bool complete, uint256 valueLength) {
        assembly ("memory-safe") {
            // Nearly all begin with something visible.
            let part := add(payload, calldataload(add(payload, 0x40)))
            complete := and(gt(calldataload(part), 0), gt(byte(0, calldataload(add(part, 0x20))), 0x20))
            part := add(payload, calldataload(add(payload, 0x60)))
            complete := and(complete, and(gt(calldataload(part), 0), gt(byte(0, calldataload(add(part, 0x20))), 0x20)))
            valueLength := calldataload(add(payload, calldataload(add(payload, 0x80))))
        }
        if (!complete) complete = !_isBlank(payload.version) && !_isBlank(payload.encoding);
        complete = complete && valueLength != 0;
    }

    /// @dev Whether nothing but spaces and control characters is in `text`.
    function _isBlank(string calldata text) private pure returns (bool) {
        for (uint256 i = 0; i < bytes(text).length; ++i) {
            uint256 character;
            assembly ("memory-safe") {
                character := byte(0, calldataload(add(text.offset, i)))
            }
            if (character > 0x20) return false;
        }
        return true;
    }

    /// @dev keccak256(abi.encodePacked(clientId, kind, sequence)), 400 gas cheaper: nothing is allocated.
    function _key(string memory clientId, uint8 kind, uint64 sequence) private pure returns (bytes32 key) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            let length := mload(clientId)
            mcopy(at, add(clientId, 0x20), length)
            mstore(add(at, length), or(shl(248, kind), shl(184, sequence)))
            key := keccak256(at, add(length, 9))
        }
    }

    function _isIdentifier(bytes calldata id, uint256 min, uint256 max) private pure returns (bool) {
        if (id.length < min || id.length > max) return false;
        for (uint256 i = 0; i < id.length; ++i) {
            if ((IDENTIFIER_CHARACTERS >> uint8(id[i])) & 1 == 0) return false;
        }
        return true;
    }

    /// @dev Writes sha256(part) at `offset` of `buffer`, which must hold it. Solidity's own would allocate a copy of
    ///      every part: in a batch of packets that is 3 thousand gas a packet.
    function _sha256Into(bytes memory buffer, uint256 offset, bytes calldata part) private view {
        bool success;
        assembly ("memory-safe") {
            let scratch := mload(0x40)
            calldatacopy(scratch, part.offset, part.length)
            // 0x02 is the precompiled sha256; it fails for want of gas only
            success := staticcall(gas(), 0x02, scratch, part.length, add(add(buffer, 0x20), offset), 0x20)
        }
        assert(success);
    }
}
