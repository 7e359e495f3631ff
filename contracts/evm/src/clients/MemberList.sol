// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice A committee's members and who runs them, kept as the code of a contract that cannot run.
/// @dev Reading 5 members costs 2.7 thousand gas instead of 10.5 from storage, 19 cost 2.8 instead of 39.9.
library MemberList {
    error MemberListNotStored();
    error InvalidThreshold(uint16 threshold, uint256 members);
    error InvalidMember(address member);
    error InvalidOperators(uint256 operators, uint256 members);
    /// @dev The members that one operator runs would be enough.
    error OperatorMajority(bytes1 operator);

    uint256 internal constant MAX_MEMBERS = 256;

    uint256 private constant ADDRESS_LENGTH = 20;
    /// @dev A member's address, and the byte of its operator behind all addresses.
    uint256 private constant ENTRY_LENGTH = 21;

    /// @notice That members are listed once, in ascending order, and that enough of them are at least two, more than
    ///         half, and more than any one operator runs.
    /// @param operators one byte for each member: equal bytes, one operator
    function check(uint16 threshold, address[] memory members, bytes memory operators) internal pure {
        require(
            members.length <= MAX_MEMBERS && threshold >= 2 && threshold <= members.length
                && 2 * uint256(threshold) > members.length,
            InvalidThreshold(threshold, members.length)
        );
        require(operators.length == members.length, InvalidOperators(operators.length, members.length));
        address previous = address(0);
        // An array in memory begins as zeros.
        // slither-disable-next-line uninitialized-local
        uint16[MAX_MEMBERS] memory run; // how many members each operator does
        for (uint256 i = 0; i < members.length; ++i) {
            require(members[i] > previous, InvalidMember(members[i]));
            previous = members[i];
            require(++run[uint8(operators[i])] < threshold, OperatorMajority(operators[i]));
        }
    }

    /// @notice Stores members, 20 bytes each behind a STOP, then a byte for each one's operator.
    function store(address[] memory members, bytes memory operators) internal returns (address pointer) {
        bytes memory packed;
        for (uint256 i = 0; i < members.length; ++i) {
            packed = abi.encodePacked(packed, members[i]);
        }
        packed = abi.encodePacked(packed, operators);
        // PUSH2 length, DUP1, PUSH1 10, RETURNDATASIZE (0), CODECOPY, RETURNDATASIZE (0), RETURN; then the code.
        bytes memory creation =
            abi.encodePacked(hex"61", uint16(packed.length + 1), hex"80600a3d393df300", packed);
        assembly ("memory-safe") {
            pointer := create(0, add(creation, 0x20), mload(creation))
        }
        require(pointer != address(0), MemberListNotStored());
    }

    /// @notice The list as stored.
    function load(address pointer) internal view returns (bytes memory packed) {
        uint256 length = pointer.code.length - 1;
        packed = new bytes(length);
        assembly ("memory-safe") {
            extcodecopy(pointer, add(packed, 0x20), 1, length)
        }
    }

    function count(bytes memory packed) internal pure returns (uint256) {
        return packed.length / ENTRY_LENGTH;
    }

    /// @dev `index` must be less than the count.
    function memberAt(bytes memory packed, uint256 index) internal pure returns (address member) {
        assembly ("memory-safe") {
            member := shr(96, mload(add(add(packed, 0x20), mul(index, ADDRESS_LENGTH))))
        }
    }

    function unpack(bytes memory packed) internal pure returns (address[] memory members, bytes memory operators) {
        members = new address[](count(packed));
        operators = new bytes(members.length);
        for (uint256 i = 0; i < members.length; ++i) {
            members[i] = memberAt(packed, i);
            operators[i] = packed[members.length * ADDRESS_LENGTH + i];
        }
    }
}
