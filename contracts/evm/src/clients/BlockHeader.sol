// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";

/// @notice What a light client needs of an Ethereum block header, read from its RLP (Yellow Paper, section 4.4.3).
/// @dev Forks append members and never move these, so that a header may be longer than the ones known today.
library BlockHeader {
    using Memory for bytes;
    using Memory for Memory.Slice;
    using RLP for Memory.Slice;

    error HeaderTooLong(uint256 length);
    error HeaderTooShort(uint256 members);
    error InvalidHeaderMember(uint256 place);

    /// @dev Headers of Ethereum are of some 600 bytes. Networks of known validators put their signatures into them.
    uint256 internal constant MAX_LENGTH = 8_192;
    uint256 private constant STATE_ROOT = 3;
    uint256 private constant NUMBER = 8;
    uint256 private constant TIMESTAMP = 11;
    /// @dev Those of the first header that there ever was.
    uint256 private constant MIN_MEMBERS = 15;

    /// @notice Key of the leaf that states the hash of the block at `height` in every checkpoint's tree.
    /// @dev No client id has a slash in it, so that this is no packet's key.
    function blockKey(uint64 height) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("blocks/", height));
    }

    /// @return number of the block, `time` of it in seconds, and the root of the state after it
    function decode(bytes memory header) internal pure returns (uint64 number, uint64 time, bytes32 stateRoot) {
        require(header.length <= MAX_LENGTH, HeaderTooLong(header.length));
        Memory.Slice[] memory members = header.asSlice().readList();
        require(members.length >= MIN_MEMBERS, HeaderTooShort(members.length));
        require(isWord(members[STATE_ROOT]), InvalidHeaderMember(STATE_ROOT));
        stateRoot = members[STATE_ROOT].readBytes32();
        number = _scalar(members[NUMBER], NUMBER);
        time = _scalar(members[TIMESTAMP], TIMESTAMP);
    }

    /// @dev Whether `item` is a string of 32 bytes: 0xa0 and the bytes.
    function isWord(Memory.Slice item) internal pure returns (bool) {
        return item.length() == 33 && bytes1(item.load(0)) == 0xa0;
    }

    /// @dev A number below 2**64 in as few bytes as hold it.
    function _scalar(Memory.Slice item, uint256 place) private pure returns (uint64) {
        uint256 length = item.length();
        uint8 prefix = uint8(bytes1(item.load(0)));
        require(
            length <= 9 && prefix < 0xc0 && prefix != 0x00 && (length == 1 || bytes1(item.load(1)) != 0),
            InvalidHeaderMember(place)
        );
        return uint64(item.readUint256());
    }
}
