// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Packet, Payload} from "../src/interfaces/IBCTypes.sol";

/// @notice Reads what IBCProto writes, independently of it.
library ProtoReader {
    error Malformed();

    function packetOf(bytes memory data) internal pure returns (Packet memory packet) {
        packet.payloads = new Payload[](0);
        uint256 at = 0;
        while (at < data.length) {
            uint256 tag;
            (tag, at) = _number(data, at);
            if (tag == 0x08) {
                (packet.sequence, at) = _number64(data, at);
            } else if (tag == 0x20) {
                (packet.timeoutTimestamp, at) = _number64(data, at);
            } else {
                bytes memory part;
                (part, at) = _part(data, at);
                if (tag == 0x12) packet.sourceClient = string(part);
                else if (tag == 0x1a) packet.destClient = string(part);
                else if (tag == 0x2a) packet.payloads = _appended(packet.payloads, _payloadOf(part));
                else revert Malformed();
            }
        }
    }

    function acknowledgementsOf(bytes memory data) internal pure returns (bytes[] memory list) {
        uint256 at = 0;
        while (at < data.length) {
            require(data[at] == 0x0a, Malformed());
            bytes memory part;
            (part, at) = _part(data, at + 1);
            bytes[] memory longer = new bytes[](list.length + 1);
            for (uint256 i = 0; i < list.length; ++i) {
                longer[i] = list[i];
            }
            longer[list.length] = part;
            list = longer;
        }
    }

    function _payloadOf(bytes memory data) private pure returns (Payload memory payload) {
        uint256 at = 0;
        while (at < data.length) {
            uint8 tag = uint8(data[at]);
            bytes memory part;
            (part, at) = _part(data, at + 1);
            if (tag == 0x0a) payload.sourcePort = string(part);
            else if (tag == 0x12) payload.destPort = string(part);
            else if (tag == 0x1a) payload.version = string(part);
            else if (tag == 0x22) payload.encoding = string(part);
            else if (tag == 0x2a) payload.value = part;
            else revert Malformed();
        }
    }

    function _appended(Payload[] memory list, Payload memory last) private pure returns (Payload[] memory longer) {
        longer = new Payload[](list.length + 1);
        for (uint256 i = 0; i < list.length; ++i) {
            longer[i] = list[i];
        }
        longer[list.length] = last;
    }

    function _part(bytes memory data, uint256 at) private pure returns (bytes memory part, uint256 end) {
        uint256 length;
        (length, at) = _number(data, at);
        part = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            part[i] = data[at + i];
        }
        end = at + length;
    }

    function _number64(bytes memory data, uint256 at) private pure returns (uint64 number, uint256 end) {
        uint256 wide;
        (wide, end) = _number(data, at);
        require(wide <= type(uint64).max, Malformed());
        number = uint64(wide);
    }

    function _number(bytes memory data, uint256 at) private pure returns (uint256 number, uint256 end) {
        for (uint256 shift = 0;; shift += 7) {
            uint8 group = uint8(data[at++]);
            number |= uint256(group & 0x7f) << shift;
            if (group < 0x80) return (number, at);
        }
    }
}
