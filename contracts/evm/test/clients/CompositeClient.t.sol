// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {CompositeClient} from "../../src/clients/CompositeClient.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {CommitteeFacts} from "./CommitteeFacts.sol";

/// @dev Three committees, of which two must agree unless a test makes another composite.
contract CompositeClientTest is CommitteeFacts {
    Keys[3] private _keys;
    CommitteeClient[3] private _members;
    CompositeClient private _client;

    function setUp() public {
        vm.warp(1_700_000_000);
        for (uint256 i = 0; i < 3; ++i) {
            _keys[i] = makeKeys(0, 3, 5, 100 + i);
            _members[i] = newCommittee(_keys[i]);
        }
        _client = new CompositeClient(2, list(3));
    }

    // What every client keeps

    function client() internal view override returns (ILightClient) {
        return _client;
    }

    function clientType() internal pure override returns (string memory) {
        return "caimi-composite";
    }

    function present(uint256 count) internal view override returns (Fact memory) {
        return both(factsOf(count));
    }

    function missing(uint256 count) internal view override returns (Fact memory) {
        return both(receiptsOf(count));
    }

    /// @dev Its members' proofs lie in it, and what is open in theirs is open here.
    function strict() internal pure override returns (bool) {
        return false;
    }

    function freezeClient() internal override {
        _members[0].freeze();
        assertFalse(_client.frozen());
        _members[2].freeze();
    }

    // How many

    function test_any_of_is_proved_by_each_member_alone() public {
        CompositeClient any = new CompositeClient(1, list(3));
        for (uint256 i = 0; i < 3; ++i) {
            Fact memory fact = signed(_keys[i], factsOf(1), uint64(20 + i));
            bytes[] memory proofs = new bytes[](3);
            proofs[i] = fact.proof;
            (uint64 height,) = any.verifyMembership(fact.keys, fact.values, abi.encode(proofs));
            assertEq(height, 20 + i);
        }
    }

    function test_all_of_needs_every_member() public {
        CompositeClient all = new CompositeClient(3, list(3));
        Fact memory fact = factsOf(1);
        bytes[] memory proofs = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(CompositeClient.WrongProofsGiven.selector, i, 3));
            all.verifyMembership(fact.keys, fact.values, abi.encode(proofs));
            proofs[i] = signed(_keys[i], fact, uint64(20 - i)).proof;
        }
        (uint64 height, uint64 time) = all.verifyMembership(fact.keys, fact.values, abi.encode(proofs));
        assertEq(height, 18);
        assertEq(time, block.timestamp - 1000 + 18);
        _members[1].freeze();
        assertTrue(all.frozen());
    }

    /// @dev From outside: a test ends, and passes, where a creation of its own is refused as expected.
    function makeCompositeClient(uint256 threshold, ILightClient[] memory members) external {
        new CompositeClient(threshold, members);
    }

    function test_one_member_twice_is_not_two() public {
        Fact memory fact = signed(_keys[0], factsOf(1), 12);
        bytes[] memory proofs = new bytes[](3);
        (proofs[0], proofs[1]) = (fact.proof, fact.proof);
        vm.expectPartialRevert(CommitteeClient.UnknownCommittee.selector);
        _client.verifyMembership(fact.keys, fact.values, abi.encode(proofs));

        ILightClient[] memory twice = list(2);
        twice[1] = twice[0];
        vm.expectRevert(abi.encodeWithSelector(CompositeClient.InvalidMember.selector, address(twice[0])));
        this.makeCompositeClient(2, twice);
    }

    function test_more_proofs_than_needed_are_refused() public {
        Fact memory fact = factsOf(1);
        bytes[] memory proofs = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            proofs[i] = signed(_keys[i], fact, 12).proof;
        }
        vm.expectRevert(abi.encodeWithSelector(CompositeClient.WrongProofsGiven.selector, 3, 2));
        _client.verifyMembership(fact.keys, fact.values, abi.encode(proofs));
    }

    function test_a_proof_that_does_not_hold_is_not_passed_over() public {
        Fact memory other = factsOf(1);
        other.values[0] = "another";
        Fact memory fact = signed(_keys[0], factsOf(1), 12);
        bytes[] memory proofs = new bytes[](3);
        (proofs[0], proofs[2]) = (fact.proof, signed(_keys[2], other, 12).proof);
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        _client.verifyMembership(fact.keys, fact.values, abi.encode(proofs));
    }

    function test_a_frozen_member_is_not_asked_and_the_others_go_on() public {
        Fact memory fact = present(1);
        _members[2].freeze();
        vm.expectRevert(abi.encodeWithSelector(CompositeClient.MemberFrozen.selector, address(_members[2])));
        _client.verifyMembership(fact.keys, fact.values, fact.proof);
        assertFalse(_client.frozen());
        bytes[] memory proofs = new bytes[](3);
        proofs[0] = signed(_keys[0], fact, 12).proof;
        proofs[1] = signed(_keys[1], fact, 12).proof;
        _client.verifyMembership(fact.keys, fact.values, abi.encode(proofs));
    }

    function test_composites_nest() public {
        ILightClient[] memory outer = new ILightClient[](2);
        (outer[0], outer[1]) = (_client, _members[1]);
        CompositeClient nested = new CompositeClient(2, outer);
        Fact memory fact = present(1);
        bytes[] memory proofs = new bytes[](2);
        proofs[0] = fact.proof;
        proofs[1] = signed(_keys[1], fact, 9).proof;
        (uint64 height,) = nested.verifyMembership(fact.keys, fact.values, abi.encode(proofs));
        assertEq(height, 9);
    }

    // What it is made of

    function test_it_is_made_of_one_to_sixteen_members_and_needs_one_to_all_of_them() public {
        expectThreshold(0, 3);
        this.makeCompositeClient(0, list(3));
        expectThreshold(4, 3);
        this.makeCompositeClient(4, list(3));
        expectThreshold(1, 0);
        this.makeCompositeClient(1, list(0));
        ILightClient[] memory many = contracts(17);
        expectThreshold(1, 17);
        this.makeCompositeClient(1, many);
        assertEq(new CompositeClient(16, contracts(16)).threshold(), 16);
        ILightClient[] memory empty = list(2);
        empty[1] = ILightClient(address(0xdead));
        vm.expectRevert(abi.encodeWithSelector(CompositeClient.InvalidMember.selector, address(0xdead)));
        this.makeCompositeClient(1, empty);
        assertEq(_client.threshold(), 2);
        assertEq(abi.encode(_client.members()), abi.encode(list(3)));
    }

    // Its encoding

    function test_a_place_too_few_or_too_many_is_refused() public {
        Fact memory fact = factsOf(1);
        vm.expectRevert(abi.encodeWithSelector(CompositeClient.WrongProofCount.selector, 2, 3));
        _client.verifyMembership(fact.keys, fact.values, abi.encode(new bytes[](2)));
        vm.expectRevert(abi.encodeWithSelector(CompositeClient.WrongProofCount.selector, 4, 3));
        _client.verifyAbsence(fact.keys, abi.encode(new bytes[](4)));
    }

    function test_what_is_not_the_one_encoding_is_refused() public {
        Fact memory fact = factsOf(1);
        bytes[] memory proofs = new bytes[](3);
        (proofs[0], proofs[1]) = ("a", "b");
        bytes memory good = abi.encode(proofs);
        // The member is asked: it is the encoding that all others lack.
        vm.expectRevert();
        _client.verifyMembership(fact.keys, fact.values, good);
        malformed(bytes.concat(good, hex"00"));
        malformed(bytes.concat(good, bytes32(0)));
        malformed(changed(good, 31, 0x40)); // where the list starts
        malformed(changed(good, 63, 17)); // more places than there can be
        malformed(changed(good, 95, 0x80)); // where the first place starts
        malformed(changed(good, 64 + 96 + 31, 33)); // the first proof longer than it is
        malformed(changed(good, 64 + 96 + 33, 1)); // padding
        malformed(changed(good, 32, 0xff)); // lengths that overflow
        malformed(changed(good, 64 + 96, 0xff));
        for (uint256 length = 0; length < good.length; length += 16) {
            bytes memory cut = new bytes(length);
            for (uint256 i = 0; i < length; ++i) {
                cut[i] = good[i];
            }
            malformed(cut);
        }
    }

    function testFuzz_proofs_are_read_as_abi_decode_reads_them(bytes[] memory proofs) public {
        vm.assume(proofs.length != 3 && proofs.length <= 16);
        vm.expectRevert(abi.encodeWithSelector(CompositeClient.WrongProofCount.selector, proofs.length, 3));
        _client.verifyAbsence(new bytes32[](1), abi.encode(proofs));
    }

    // Short forms

    function list(uint256 count) private view returns (ILightClient[] memory members) {
        members = new ILightClient[](count);
        for (uint256 i = 0; i < count; ++i) {
            members[i] = _members[i];
        }
    }

    /// @dev Proved by the first at 12 and by the last at 15.
    function both(Fact memory fact) private view returns (Fact memory) {
        bytes[] memory proofs = new bytes[](3);
        proofs[2] = signed(_keys[2], fact, 15).proof;
        proofs[0] = signed(_keys[0], fact, 12).proof;
        fact.proof = abi.encode(proofs);
        return fact;
    }

    function changed(bytes memory proof, uint256 place, uint8 to) private pure returns (bytes memory copy) {
        copy = bytes.concat(proof);
        copy[place] = bytes1(to);
    }

    function malformed(bytes memory proof) private {
        vm.expectRevert(CompositeClient.MalformedProof.selector);
        _client.verifyAbsence(new bytes32[](1), proof);
    }

    function contracts(uint256 count) private returns (ILightClient[] memory members) {
        members = new ILightClient[](count);
        for (uint256 i = 0; i < count; ++i) {
            members[i] = ILightClient(address(uint160(0xc0de00 + i)));
            vm.etch(address(members[i]), hex"00");
        }
    }

    function expectThreshold(uint256 threshold, uint256 members) private {
        vm.expectRevert(abi.encodeWithSelector(CompositeClient.InvalidThreshold.selector, threshold, members));
    }
}
