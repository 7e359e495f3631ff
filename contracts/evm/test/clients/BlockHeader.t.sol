// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {BlockHeader} from "../../src/clients/BlockHeader.sol";
import {Test} from "../Test.sol";

contract BlockHeaderTest is Test {
    function decode(bytes calldata header) external pure returns (uint64 number, uint64 time, bytes32 stateRoot) {
        return BlockHeader.decode(header);
    }

    function testFuzz_a_header_is_read_back(uint64 number, uint64 time, bytes32 root, bytes memory extra, uint8 more)
        public
        view
    {
        bytes memory header = headerOf(number, time, root, extra, more % 16);
        vm.assume(header.length <= BlockHeader.MAX_LENGTH);
        (uint64 readNumber, uint64 readTime, bytes32 readRoot) = this.decode(header);
        assertEq(readNumber, number);
        assertEq(readTime, time);
        assertEq(readRoot, root);
    }

    function testFuzz_what_is_no_header_is_refused_by_name(bytes calldata data) public view {
        refusedByName(data);
    }

    function testFuzz_a_damaged_header_is_refused_by_name_or_read(
        uint64 number,
        bytes32 root,
        uint256 place,
        uint8 change,
        uint256 cut
    ) public view {
        bytes memory header = headerOf(number, 1_700_000_000, root, hex"c0ffee", 6);
        header[place % header.length] ^= bytes1(change);
        readOrRefusedByName(header);
        uint256 length = cut % header.length;
        assembly ("memory-safe") {
            mstore(header, length)
        }
        // The list is as long as it says: whatever is cut off is missed.
        refusedByName(header);
    }

    function test_a_number_is_below_two_to_the_sixty_fourth_in_its_shortest_form() public {
        bytes[5] memory numbers = [
            bytes(hex"89010000000000000000"), // 2**64
            hex"00", // zero as a byte
            hex"820001", // a leading zero
            hex"c101", // a list
            hex"8105" // one byte behind a length
        ];
        for (uint256 i = 0; i < numbers.length; ++i) {
            bytes memory header = withNumber(numbers[i]);
            if (i == 4) vm.expectRevert(RLP.RLPInvalidEncoding.selector);
            else vm.expectRevert(abi.encodeWithSelector(BlockHeader.InvalidHeaderMember.selector, 8));
            this.decode(header);
        }
        (uint64 number,,) = this.decode(withNumber(hex"80"));
        assertEq(number, 0);
        (number,,) = this.decode(withNumber(hex"88ffffffffffffffff"));
        assertEq(number, type(uint64).max);
    }

    function headerOf(uint64 number, uint64 time, bytes32 root, bytes memory extra, uint256 more)
        private
        pure
        returns (bytes memory)
    {
        bytes[] memory members = new bytes[](15 + more);
        for (uint256 i = 0; i < members.length; ++i) {
            members[i] = RLP.encode(keccak256(abi.encode(i)));
        }
        members[3] = RLP.encode(root);
        members[6] = RLP.encode(new bytes(256));
        members[8] = RLP.encode(uint256(number));
        members[11] = RLP.encode(uint256(time));
        members[12] = RLP.encode(extra);
        return RLP.encode(members);
    }

    function withNumber(bytes memory number) private pure returns (bytes memory) {
        bytes[] memory members = new bytes[](15);
        for (uint256 i = 0; i < members.length; ++i) {
            members[i] = RLP.encode(keccak256(abi.encode(i)));
        }
        members[8] = number;
        members[11] = hex"05";
        return RLP.encode(members);
    }

    function refusedByName(bytes memory header) private view {
        try this.decode(header) {
            assertTrue(false);
        } catch (bytes memory reason) {
            named(reason);
        }
    }

    function readOrRefusedByName(bytes memory header) private view {
        try this.decode(header) {}
        catch (bytes memory reason) {
            named(reason);
        }
    }

    /// @dev No panic, and no failure without a word.
    function named(bytes memory reason) private pure {
        assertTrue(reason.length >= 4);
        bytes4 selector = bytes4(reason);
        assertTrue(
            selector == RLP.RLPInvalidEncoding.selector || selector == BlockHeader.HeaderTooLong.selector
                || selector == BlockHeader.HeaderTooShort.selector
                || selector == BlockHeader.InvalidHeaderMember.selector
        );
    }
}
