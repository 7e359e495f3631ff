// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {IReceiptLog} from "../../src/interfaces/IReceiptLog.sol";
import {ReceiptLog} from "../../src/models/ReceiptLog.sol";
import {Test} from "../Test.sol";

contract ReceiptLogTest is Test {
    address private constant WORKER = address(0x3037);
    ReceiptLog private log;

    function setUp() public {
        vm.warp(1_800_000_000);
        log = new ReceiptLog();
    }

    function testFuzz_an_anchored_root_keeps_its_time(bytes32 root, uint32 count, uint32 later) public {
        vm.assume(root != 0 && count != 0);
        vm.prank(WORKER);
        assertEq(log.anchor(root, count), 0);
        uint64 time = uint64(block.timestamp);
        vm.warp(block.timestamp + later);
        assertEq(log.anchored(WORKER, root), time);
        vm.prank(WORKER);
        vm.expectRevert(abi.encodeWithSelector(ReceiptLog.AlreadyAnchored.selector, WORKER, root));
        log.anchor(root, count);
        assertEq(log.anchored(WORKER, root), time);
    }

    function test_each_worker_has_its_own_log() public {
        vm.startPrank(WORKER);
        assertEq(log.anchor(keccak256("a"), 1), 0);
        vm.expectEmit(address(log));
        emit IReceiptLog.ReceiptsAnchored(WORKER, 1, keccak256("b"), 7);
        assertEq(log.anchor(keccak256("b"), 7), 1);
        vm.stopPrank();
        assertEq(log.anchored(address(this), keccak256("a")), 0);
        assertEq(log.anchor(keccak256("a"), 1), 0);
    }

    function test_a_zero_root_and_an_empty_batch_are_refused() public {
        vm.expectRevert(ReceiptLog.ZeroRoot.selector);
        log.anchor(0, 1);
        vm.expectRevert(ReceiptLog.EmptyBatch.selector);
        log.anchor(keccak256("a"), 0);
    }

    function testFuzz_a_receipt_is_anchored_only_with_its_proof(bytes32 first, bytes32 second, bytes32 other) public {
        vm.assume(other != first && other != second);
        bytes32 sibling = _leaf(second);
        bytes32 root = Hashes.commutativeKeccak256(_leaf(first), sibling);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = sibling;
        assertFalse(log.isAnchored(WORKER, root, first, proof), "not anchored yet");
        vm.prank(WORKER);
        log.anchor(root, 2);
        assertTrue(log.isAnchored(WORKER, root, first, proof));
        assertFalse(log.isAnchored(WORKER, root, other, proof), "another receipt");
        assertFalse(log.isAnchored(address(this), root, first, proof), "another worker");
        assertFalse(log.isAnchored(WORKER, root, first, new bytes32[](0)), "no proof");
        assertFalse(log.isAnchored(WORKER, 0, first, proof), "zero root");
    }

    /// @dev StandardMerkleTree.of([[0x1111..11], [0x2222..22], [0x3333..33]], ["bytes32"]).
    function test_a_tree_of_the_stock_library_is_understood() public {
        bytes32 root = 0xa9b9d19e00269b8e357d6b17ae987e7f306e63b8e77615ce706ec522974d2fea;
        bytes32[] memory proof = new bytes32[](2);
        proof[0] = 0x0f7e1163c9397953c541dc1b3e1fdde14cb0452e6ee4f9e81cd9665cd5f01774;
        proof[1] = 0xf71106156f6c6fb1e886f1022b84b417bc07ade1ba787da2e849607e605475b7;
        vm.prank(WORKER);
        log.anchor(root, 3);
        bytes32 receipt = 0x1111111111111111111111111111111111111111111111111111111111111111;
        assertTrue(log.isAnchored(WORKER, root, receipt, proof));
    }

    function _leaf(bytes32 digest) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(digest))));
    }
}
