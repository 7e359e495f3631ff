// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice Reads protobuf messages whose fields are known and stand in ascending order, each at most as often as asked.
/// @dev Nothing is skipped: a field that is not asked for is not read over, so that whoever reads a message to its end
///      has refused every unknown and every doubled field in it. Numbers are read in their shortest form only.
library Protobuf {
    error UnexpectedField(uint256 at, uint8 tag);
    error Truncated(uint256 at);
    error InvalidNumber(uint256 at);
    error BytesLeftOver(uint256 at);

    /// @dev Part of `data`: what is not yet read of a message, up to `end`.
    struct Message {
        bytes data;
        uint256 at;
        uint256 end;
    }

    function open(bytes memory data) internal pure returns (Message memory) {
        return Message(data, 0, data.length);
    }

    /// @notice Whether the next field has this tag (of one byte: number and wire type).
    function next(Message memory message, uint8 tag) internal pure returns (bool) {
        return message.at < message.end && uint8(message.data[message.at]) == tag;
    }

    function done(Message memory message) internal pure returns (bool) {
        return message.at == message.end;
    }

    /// @notice Refuses a message that has more fields.
    function finish(Message memory message) internal pure {
        require(message.at == message.end, BytesLeftOver(message.at));
    }

    /// @notice The next field, which has to be of this tag, and have a length: a message in the message, or bytes.
    function part(Message memory message, uint8 tag) internal pure returns (Message memory) {
        uint256 length = number(message, tag);
        uint256 start = message.at;
        require(length <= message.end - start, Truncated(start));
        message.at = start + length;
        return Message(message.data, start, start + length);
    }

    /// @notice Reads over the next field, which has to be of this tag, and have a length.
    function skip(Message memory message, uint8 tag) internal pure {
        message.at = part(message, tag).end;
    }

    /// @notice The next field, which has to be a number of this tag.
    function number(Message memory message, uint8 tag) internal pure returns (uint64 value) {
        uint256 at = message.at;
        require(next(message, tag), UnexpectedField(at, tag));
        uint256 read = 0;
        for (uint256 shift = 0;; shift += 7) {
            require(++at < message.end, Truncated(at));
            uint256 group = uint8(message.data[at]);
            read |= (group & 0x7f) << shift;
            if (group < 0x80) {
                require((group != 0 || shift == 0) && read <= type(uint64).max, InvalidNumber(at));
                break;
            }
            require(shift < 63, InvalidNumber(at));
        }
        message.at = at + 1;
        return uint64(read);
    }

    function size(Message memory message) internal pure returns (uint256) {
        return message.end - message.at;
    }

    /// @notice All that is not yet read.
    function content(Message memory message) internal pure returns (bytes memory copy) {
        uint256 length = size(message);
        copy = new bytes(length);
        (bytes memory data, uint256 at) = (message.data, message.at);
        assembly ("memory-safe") {
            mcopy(add(copy, 0x20), add(add(data, 0x20), at), length)
        }
    }

    /// @notice keccak256 of all that is not yet read.
    function hash(Message memory message) internal pure returns (bytes32 digest) {
        (bytes memory data, uint256 at, uint256 length) = (message.data, message.at, size(message));
        assembly ("memory-safe") {
            digest := keccak256(add(add(data, 0x20), at), length)
        }
    }
}
