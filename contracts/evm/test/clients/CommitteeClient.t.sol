// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {CommitteeStatements} from "../../src/clients/CommitteeStatements.sol";
import {MemberList} from "../../src/clients/MemberList.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Checkpoint, CommitteeProof, ICommitteeClient, StatementKind} from "../../src/interfaces/ICommitteeClient.sol";
import {Committee} from "../Committee.sol";

contract CommitteeClientTest is Committee {
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    bytes internal gateway = hex"00010000027a69141111111111111111111111111111111111111111";
    Keys internal keys;
    CommitteeClient internal client;

    function setUp() public {
        vm.warp(1_700_000_000);
        keys = makeKeys(0, 3, 5, 1);
        client = newClient(keys);
    }

    // What is proved

    function test_signed_leaves_are_proved_with_height_and_time() public view {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(4);
        (uint64 height, uint64 time) = client.verifyMembership(leafKeys, values, abi.encode(proof));
        assertEq(height, 12);
        assertEq(time, 1_700_000_000);
    }

    function test_absence_is_proved_by_its_own_statement_only() public {
        (bytes32[] memory leafKeys, CommitteeProof memory proof) = absent(2);
        (uint64 height, uint64 time) = client.verifyAbsence(leafKeys, abi.encode(proof));
        assertEq(height, 12);
        assertEq(time, 1_700_000_000);

        sign(keys, StatementKind.Checkpoint, proof);
        expectInvalidSignature(0);
        client.verifyAbsence(leafKeys, abi.encode(proof));

        bytes32[] memory values;
        (leafKeys, values, proof) = proved(2);
        sign(keys, StatementKind.Absence, proof);
        expectInvalidSignature(0);
        client.verifyMembership(leafKeys, values, abi.encode(proof));
    }

    function test_a_checkpoint_of_one_block_range_is_no_absence_and_the_other_way_round() public {
        (bytes32[] memory leafKeys, CommitteeProof memory proof) = absent(1);
        proof.checkpoint.from -= 1;
        sign(keys, StatementKind.Absence, proof);
        vm.expectRevert(CommitteeClient.InvalidCheckpoint.selector);
        client.verifyAbsence(leafKeys, abi.encode(proof));
        bytes32[] memory values;
        (leafKeys, values, proof) = proved(1);
        proof.checkpoint.from = proof.checkpoint.height;
        sign(keys, StatementKind.Checkpoint, proof);
        vm.expectRevert(CommitteeClient.InvalidCheckpoint.selector);
        client.verifyMembership(leafKeys, values, abi.encode(proof));
    }

    function test_more_signatures_than_needed_are_taken() public view {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(1);
        (proof.signers, proof.signatures) = signDigest(keys, digestOf(StatementKind.Checkpoint, proof), 5);
        client.verifyMembership(leafKeys, values, abi.encode(proof));
    }

    function test_vectors_of_statements_are_accepted() public {
        string memory json = vm.readFile("../vectors/statements.json");
        Keys memory theirs;
        theirs.threshold = 3;
        theirs.members = vm.parseJsonAddressArray(json, ".committees[0].members");
        theirs.operators = vm.parseJsonBytes(json, ".committees[0].operators");
        assertEq(hashOf(theirs), vm.parseJsonBytes32(json, ".committees[0].hash"));
        CommitteeClient other = newClient(theirs);
        CommitteeProof[2] memory proofs;
        for (uint256 i = 0; i < 2; ++i) {
            string memory place = i == 0 ? ".statements[0]" : ".statements[1]";
            Checkpoint memory checkpoint = proofs[i].checkpoint;
            checkpoint.origin = vm.parseJsonBytes32(json, string.concat(place, ".origin"));
            checkpoint.committee = vm.parseJsonBytes32(json, string.concat(place, ".committee"));
            checkpoint.from = uint64(vm.parseJsonUint(json, string.concat(place, ".from")));
            checkpoint.height = uint64(vm.parseJsonUint(json, string.concat(place, ".height")));
            checkpoint.time = uint64(vm.parseJsonUint(json, string.concat(place, ".time")));
            checkpoint.root = vm.parseJsonBytes32(json, string.concat(place, ".root"));
            checkpoint.size = uint32(vm.parseJsonUint(json, string.concat(place, ".size")));
            proofs[i].signers = vm.parseJsonUint(json, string.concat(place, ".signers"));
            proofs[i].signatures = vm.parseJsonBytes(json, string.concat(place, ".signatures"));
            assertEq(
                digestOf(i == 0 ? StatementKind.Checkpoint : StatementKind.Absence, proofs[i]),
                vm.parseJsonBytes32(json, string.concat(place, ".digest"))
            );
        }
        assertEq(other.origin(), proofs[0].checkpoint.origin);
        // the leaves are not known: a proof that gets as far as the tree had good signatures
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        other.verifyMembership(one(bytes32("key")), one(bytes32("value")), abi.encode(proofs[0]));
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        other.verifyAbsence(one(bytes32("key")), abi.encode(proofs[1]));

        other.rotate(
            uint16(vm.parseJsonUint(json, ".rotation.threshold")),
            vm.parseJsonAddressArray(json, ".rotation.members"),
            vm.parseJsonBytes(json, ".rotation.operators"),
            vm.parseJsonUint(json, ".rotation.signers"),
            vm.parseJsonBytes(json, ".rotation.signatures")
        );
        (bytes32 hash, uint16 threshold, address[] memory members, bytes memory operators,) = other.committee(1);
        assertEq(operators, vm.parseJsonBytes(json, ".rotation.operators"));
        assertEq(hash, vm.parseJsonBytes32(json, ".committees[1].hash"));
        assertEq(threshold, 4);
        assertEq(members.length, 7);
        assertEq(members[6], vm.parseJsonAddressArray(json, ".rotation.members")[6]);
    }

    function test_multiproofs_of_openzeppelins_library_are_accepted() public view {
        string memory json = vm.readFile("../vectors/merkle.json");
        uint256 count = 0;
        for (uint256 i = 1; i < 10; ++i) {
            string memory tree = string.concat(".vectors[", vm.toString(i), "]");
            for (uint256 j = 0;; ++j) {
                string memory multiproof = string.concat(tree, ".multiproofs[", vm.toString(j), "]");
                if (!vm.keyExistsJson(json, multiproof)) break;
                checkMultiproof(json, tree, multiproof);
                ++count;
            }
        }
        assertEq(count, 35);
    }

    function checkMultiproof(string memory json, string memory tree, string memory multiproof) private view {
        CommitteeProof memory proof;
        proof.checkpoint = checkpointAt(10, 12);
        proof.checkpoint.root = vm.parseJsonBytes32(json, string.concat(tree, ".root"));
        proof.checkpoint.size = uint32(vm.parseJsonBytes32Array(json, string.concat(tree, ".leaves")).length);
        proof.proof = vm.parseJsonBytes32Array(json, string.concat(multiproof, ".proof"));
        proof.proofFlags = vm.parseJsonBoolArray(json, string.concat(multiproof, ".flags"));
        sign(keys, StatementKind.Checkpoint, proof);
        uint256 length = proof.proofFlags.length + 1 - proof.proof.length;
        bytes32[] memory leafKeys = new bytes32[](length);
        bytes32[] memory values = new bytes32[](length);
        for (uint256 k = 0; k < length; ++k) {
            uint256 place =
                vm.parseJsonUint(json, string.concat(multiproof, ".order[", vm.toString(k), "]"));
            bytes32[] memory value =
                vm.parseJsonBytes32Array(json, string.concat(tree, ".values[", vm.toString(place), "]"));
            (leafKeys[k], values[k]) = (value[0], value[1]);
        }
        client.verifyMembership(leafKeys, values, abi.encode(proof));
    }

    // What is not

    function testFuzz_any_changed_byte_of_a_proof_is_refused(uint256 position, uint8 change) public {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(4);
        bytes memory data = abi.encode(proof);
        position = bound(position, 0, data.length - 1);
        data[position] ^= bytes1(uint8(bound(change, 1, 255)));
        try client.verifyMembership(leafKeys, values, data) {
            // What pads, and where empty arrays are said to lie, says nothing: the proof decodes to the very same.
            bytes memory read = abi.encode(abi.decode(data, (CommitteeProof)));
            assertEq(keccak256(read), keccak256(abi.encode(proof)));
        } catch {}
    }

    function testFuzz_another_key_or_value_is_refused(uint256 index, bytes32 key, bytes32 value) public {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(4);
        index = bound(index, 0, 3);
        vm.assume(value != 0 && (key != leafKeys[index] || value != values[index]));
        leafKeys[index] = key;
        values[index] = value;
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        client.verifyMembership(leafKeys, values, abi.encode(proof));
    }

    function test_too_few_signatures_are_refused() public {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(1);
        (proof.signers, proof.signatures) = signDigest(keys, digestOf(StatementKind.Checkpoint, proof), 2);
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.TooFewSignatures.selector, uint256(2), uint16(3)));
        client.verifyMembership(leafKeys, values, abi.encode(proof));
        (proof.signers, proof.signatures) = (0, "");
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.TooFewSignatures.selector, uint256(0), uint16(3)));
        client.verifyMembership(leafKeys, values, abi.encode(proof));
    }

    function test_one_signature_counts_once() public {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(1);
        (, bytes memory single) = signDigest(keys, digestOf(StatementKind.Checkpoint, proof), 1);
        proof.signers = 7;
        proof.signatures = bytes.concat(single, single, single);
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.DuplicateSignature.selector, keys.members[0]));
        client.verifyMembership(leafKeys, values, abi.encode(proof));
        proof.signers = 1; // three signatures for one bit
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.InvalidSignaturesLength.selector, uint256(195)));
        client.verifyMembership(leafKeys, values, abi.encode(proof));
    }

    function test_high_s_wrong_v_and_zero_signatures_are_refused() public {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(1);
        bytes memory good = proof.signatures;
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(keys.privateKeys[0], digestOf(StatementKind.Checkpoint, proof));
        bytes[5] memory bad = [
            abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? 28 : 27),
            abi.encodePacked(r, s, v - 27),
            abi.encodePacked(r, s, v + 2),
            abi.encodePacked(bytes32(0), bytes32(0), v),
            new bytes(65)
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            for (uint256 j = 0; j < 65; ++j) {
                good[j] = bad[i][j];
            }
            proof.signatures = good;
            bytes4 refused =
                i == 0 ? CommitteeClient.HighS.selector : CommitteeClient.MalformedSignature.selector;
            vm.expectRevert(abi.encodeWithSelector(refused, keys.members[0]));
            client.verifyMembership(leafKeys, values, abi.encode(proof));
        }
    }

    function test_signers_out_of_order_or_outside_are_refused() public {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(1);
        uint256 signers = proof.signers;
        proof.signers = signers << 1;
        expectOutOfOrder(1, 0);
        client.verifyMembership(leafKeys, values, abi.encode(proof));
        bytes32 digest = digestOf(StatementKind.Checkpoint, proof);
        proof.signers = signers;
        bytes memory swapped;
        for (uint256 i = 3; i > 0; --i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys.privateKeys[i - 1], digest);
            swapped = abi.encodePacked(swapped, r, s, v);
        }
        (swapped, proof.signatures) = (proof.signatures, swapped);
        expectOutOfOrder(0, 2);
        client.verifyMembership(leafKeys, values, abi.encode(proof));
        proof.signatures = swapped;
        proof.signers = signers | (1 << 5);
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.UnknownSigner.selector, signers | (1 << 5)));
        client.verifyMembership(leafKeys, values, abi.encode(proof));
        proof.signers = signers | (1 << 255);
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.UnknownSigner.selector, signers | (1 << 255)));
        client.verifyMembership(leafKeys, values, abi.encode(proof));
    }

    function test_signatures_of_wrong_length_are_refused() public {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(1);
        bytes memory good = proof.signatures;
        proof.signatures = bytes.concat(good, hex"00");
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.InvalidSignaturesLength.selector, uint256(196)));
        client.verifyMembership(leafKeys, values, abi.encode(proof));
        proof.signatures = new bytes(194);
        for (uint256 i = 0; i < 194; ++i) {
            proof.signatures[i] = good[i];
        }
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.InvalidSignaturesLength.selector, uint256(194)));
        client.verifyMembership(leafKeys, values, abi.encode(proof));
    }

    function test_another_origin_or_committee_is_refused() public {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(1);
        proof.checkpoint.origin = keccak256("another gateway");
        sign(keys, StatementKind.Checkpoint, proof);
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.WrongOrigin.selector, proof.checkpoint.origin));
        client.verifyMembership(leafKeys, values, abi.encode(proof));

        Keys memory next = makeKeys(1, 3, 5, 1); // the same members in an epoch that never was
        proof.checkpoint.origin = keccak256(gateway);
        proof.checkpoint.committee = hashOf(next);
        sign(keys, StatementKind.Checkpoint, proof);
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.UnknownCommittee.selector, hashOf(next)));
        client.verifyMembership(leafKeys, values, abi.encode(proof));
    }

    function test_zero_proves_nothing() public {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(2);
        bytes memory data = abi.encode(proof);
        values[1] = 0;
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.ZeroValue.selector, uint256(1)));
        client.verifyMembership(leafKeys, values, data);
        vm.expectRevert(
            abi.encodeWithSelector(CommitteeClient.InvalidLeaves.selector, uint256(0), uint256(0), uint32(2))
        );
        client.verifyMembership(new bytes32[](0), new bytes32[](0), data);
        vm.expectRevert(
            abi.encodeWithSelector(CommitteeClient.InvalidLeaves.selector, uint256(2), uint256(1), uint32(2))
        );
        client.verifyMembership(leafKeys, new bytes32[](1), data);

        (leafKeys, values, proof) = proved(2);
        proof.checkpoint.size = 0;
        sign(keys, StatementKind.Checkpoint, proof);
        vm.expectRevert(
            abi.encodeWithSelector(CommitteeClient.InvalidLeaves.selector, uint256(2), uint256(2), uint32(0))
        );
        client.verifyMembership(leafKeys, values, abi.encode(proof));
        proof.checkpoint.size = 2;
        proof.checkpoint.root = 0;
        sign(keys, StatementKind.Checkpoint, proof);
        vm.expectRevert(CommitteeClient.InvalidCheckpoint.selector);
        client.verifyMembership(leafKeys, values, abi.encode(proof));
    }

    function test_a_root_alone_is_no_proof_of_a_leaf() public {
        // a multiproof of no leaves whose only node is the root
        (,, CommitteeProof memory proof) = proved(2);
        proof.proof = one(proof.checkpoint.root);
        proof.proofFlags = new bool[](0);
        vm.expectRevert(
            abi.encodeWithSelector(CommitteeClient.InvalidLeaves.selector, uint256(0), uint256(0), uint32(2))
        );
        client.verifyMembership(new bytes32[](0), new bytes32[](0), abi.encode(proof));
    }

    function test_a_time_too_far_ahead_is_refused() public {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(1);
        bytes memory data = abi.encode(proof);
        vm.warp(proof.checkpoint.time - 10 minutes);
        client.verifyMembership(leafKeys, values, data);
        vm.warp(proof.checkpoint.time - 10 minutes - 1);
        vm.expectRevert(
            abi.encodeWithSelector(CommitteeClient.FutureTime.selector, proof.checkpoint.time, block.timestamp)
        );
        client.verifyMembership(leafKeys, values, data);
    }

    // Committees

    function test_a_committee_is_a_majority_of_different_members() public {
        AccessManager manager = new AccessManager(address(this));
        uint16[5] memory thresholds = [uint16(0), 1, 2, 6, 7];
        for (uint256 i = 0; i < thresholds.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(MemberList.InvalidThreshold.selector, thresholds[i], uint256(5))
            );
            this.makeCommitteeClient(gateway, 0, thresholds[i], keys.members, keys.operators, address(manager));
        }
        // Half is no majority.
        Keys memory four = makeKeys(0, 2, 4, 1);
        vm.expectRevert(abi.encodeWithSelector(MemberList.InvalidThreshold.selector, uint16(2), uint256(4)));
        this.makeCommitteeClient(gateway, 0, 2, four.members, four.operators, address(manager));
        address[] memory members = new address[](2);
        vm.expectRevert(abi.encodeWithSelector(MemberList.InvalidMember.selector, address(0)));
        this.makeCommitteeClient(gateway, 0, 2, members, hex"0001", address(manager));
        (members[0], members[1]) = (address(7), address(7));
        vm.expectRevert(abi.encodeWithSelector(MemberList.InvalidMember.selector, address(7)));
        this.makeCommitteeClient(gateway, 0, 2, members, hex"0001", address(manager));
        (members[0], members[1]) = (address(8), address(7));
        vm.expectRevert(abi.encodeWithSelector(MemberList.InvalidMember.selector, address(7)));
        this.makeCommitteeClient(gateway, 0, 2, members, hex"0001", address(manager));
        vm.expectRevert(CommitteeClient.EmptyOrigin.selector);
        this.makeCommitteeClient("", 0, 3, keys.members, keys.operators, address(manager));
    }

    function test_the_largest_committee_works_and_no_larger_one() public {
        Keys memory many = makeKeys(0, 129, 256, 9);
        CommitteeClient large = newClient(many);
        CommitteeProof memory proof =
            signLeaves(many, StatementKind.Checkpoint, checkpointAt(1, 2), one("key"), one("value"));
        large.verifyMembership(one("key"), one("value"), abi.encode(proof));
        many = makeKeys(0, 129, 257, 9);
        address manager = large.authority();
        vm.expectRevert(abi.encodeWithSelector(MemberList.InvalidThreshold.selector, uint16(129), uint256(257)));
        this.makeCommitteeClient(gateway, 0, 129, many.members, many.operators, manager);
    }

    function test_rotation_hands_over_and_the_old_committee_counts_for_a_day() public {
        Keys memory next = makeKeys(1, 2, 3, 2);
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory old) = proved(1);
        vm.expectEmit(address(client));
        emit ICommitteeClient.CommitteeChanged(1, hashOf(next), 2, next.members, next.operators);
        rotate(next);
        assertEq(client.epoch(), 1);

        CommitteeProof memory fresh =
            signLeaves(next, StatementKind.Checkpoint, checkpointAt(10, 12), leafKeys, values);
        client.verifyMembership(leafKeys, values, abi.encode(fresh));
        vm.warp(block.timestamp + 24 hours);
        client.verifyMembership(leafKeys, values, abi.encode(old));
        vm.warp(block.timestamp + 1);
        vm.expectRevert(
            abi.encodeWithSelector(CommitteeClient.CommitteeExpired.selector, hashOf(keys), uint64(block.timestamp - 1))
        );
        client.verifyMembership(leafKeys, values, abi.encode(old));
        client.verifyMembership(leafKeys, values, abi.encode(fresh));
    }

    function test_no_operator_alone_reaches_the_threshold() public {
        address manager = client.authority();
        expectOperator(0x09); // it has three
        this.makeCommitteeClient(gateway, 0, 3, keys.members, hex"0709090709", manager);
        expectOperator(0x00);
        this.makeCommitteeClient(gateway, 0, 3, keys.members, new bytes(5), manager);
        CommitteeClient other = new CommitteeClient(gateway, 0, 3, keys.members, hex"0709090701", manager);
        (,,, bytes memory operators,) = other.committee(0);
        assertEq(operators, hex"0709090701");
        for (uint256 i = 0; i < 2; ++i) {
            uint256 count = i == 0 ? 4 : 6;
            vm.expectRevert(
                abi.encodeWithSelector(MemberList.InvalidOperators.selector, count, uint256(5))
            );
            this.makeCommitteeClient(gateway, 0, 3, keys.members, new bytes(count), manager);
        }

        Keys memory next = makeKeys(1, 2, 3, 2);
        next.operators = hex"050605";
        (uint256 signers, bytes memory signatures) = signRotation(keys, next);
        expectOperator(0x05);
        client.rotate(2, next.members, next.operators, signers, signatures);
    }

    function test_an_epoch_that_never_was_has_no_committee() public {
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.UnknownEpoch.selector, uint64(1)));
        client.committee(1);
    }

    function test_only_the_current_committee_rotates_and_once_an_epoch() public {
        Keys memory next = makeKeys(1, 2, 3, 2);
        (uint256 signers, bytes memory signatures) = signRotation(keys, next);
        client.rotate(next.threshold, next.members, next.operators, signers, signatures);
        vm.expectRevert(); // what the old committee signed is not what the new one would have to sign
        client.rotate(next.threshold, next.members, next.operators, signers, signatures);
        Keys memory third = makeKeys(2, 2, 3, 3);
        (signers, signatures) = signRotation(keys, third);
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.InvalidSignature.selector, next.members[0]));
        client.rotate(third.threshold, third.members, third.operators, signers & 3, signatures);
    }

    function test_a_rotation_cannot_be_changed() public {
        Keys memory next = makeKeys(1, 2, 3, 2);
        (uint256 signers, bytes memory signatures) = signRotation(keys, next);
        expectInvalidSignature(0);
        client.rotate(3, next.members, next.operators, signers, signatures);
        next.members[0] = address(1);
        expectInvalidSignature(0);
        client.rotate(2, next.members, next.operators, signers, signatures);
    }

    // Misbehaviour

    function test_two_times_of_one_height_freeze() public {
        (,, CommitteeProof memory first) = proved(1);
        (, CommitteeProof memory second) = absent(1);
        second.checkpoint.time += 1;
        sign(keys, StatementKind.Absence, second);
        expectFreeze(StatementKind.Checkpoint, first, StatementKind.Absence, second);
    }

    function test_time_that_runs_backwards_freezes() public {
        (,, CommitteeProof memory first) = proved(1);
        (, CommitteeProof memory second) = absent(1);
        (second.checkpoint.from, second.checkpoint.height) = (13, 13);
        sign(keys, StatementKind.Absence, second); // one block later, at the same time
        bytes memory lower = abi.encode(StatementKind.Checkpoint, first);
        vm.expectRevert(CommitteeClient.NoConflict.selector);
        client.reportConflict(lower, abi.encode(StatementKind.Absence, second));
        second.checkpoint.time -= 1;
        sign(keys, StatementKind.Absence, second);
        uint256 before = vm.snapshotState();
        expectFreeze(StatementKind.Checkpoint, first, StatementKind.Absence, second);
        vm.revertToState(before);
        expectFreeze(StatementKind.Absence, second, StatementKind.Checkpoint, first);
    }

    function test_two_contents_of_one_range_freeze() public {
        (,, CommitteeProof memory first) = proved(1);
        (,, CommitteeProof memory second) = proved(2);
        expectFreeze(StatementKind.Checkpoint, first, StatementKind.Checkpoint, second);
    }

    function test_statements_that_agree_do_not_freeze() public {
        (,, CommitteeProof memory first) = proved(1);
        bytes memory data = abi.encode(StatementKind.Checkpoint, first);
        vm.expectRevert(CommitteeClient.NoConflict.selector);
        client.reportConflict(data, data);
        (, CommitteeProof memory absence) = absent(1);
        vm.expectRevert(CommitteeClient.NoConflict.selector);
        client.reportConflict(data, abi.encode(StatementKind.Absence, absence));
        vm.expectRevert(CommitteeClient.NoConflict.selector);
        client.reportConflict(abi.encode(StatementKind.Absence, absence), data);
        (absence.checkpoint.from, absence.checkpoint.size) = (first.checkpoint.from, 3);
        sign(keys, StatementKind.Absence, absence); // of one range and another content, and of another kind
        vm.expectRevert(CommitteeClient.NoConflict.selector);
        client.reportConflict(data, abi.encode(StatementKind.Absence, absence));
        vm.expectRevert(CommitteeClient.NoConflict.selector);
        client.reportConflict(abi.encode(StatementKind.Absence, absence), data);
        CommitteeProof memory wider =
            signLeaves(keys, StatementKind.Checkpoint, checkpointAt(9, 12), one("key"), one("value"));
        vm.expectRevert(CommitteeClient.NoConflict.selector);
        client.reportConflict(data, abi.encode(StatementKind.Checkpoint, wider));
    }

    function test_an_unsigned_conflict_does_not_freeze() public {
        (,, CommitteeProof memory first) = proved(1);
        (,, CommitteeProof memory second) = proved(2);
        second.checkpoint.size = 7;
        bytes memory a = abi.encode(StatementKind.Checkpoint, first);
        bytes memory b = abi.encode(StatementKind.Checkpoint, second);
        expectInvalidSignature(0);
        client.reportConflict(a, b);
    }

    function test_a_committee_that_counts_no_more_cannot_freeze() public {
        (,, CommitteeProof memory first) = proved(1);
        (,, CommitteeProof memory second) = proved(2);
        rotate(makeKeys(1, 2, 3, 2));
        vm.warp(block.timestamp + 24 hours + 1);
        vm.expectPartialRevert(CommitteeClient.CommitteeExpired.selector);
        client.reportConflict(
            abi.encode(StatementKind.Checkpoint, first), abi.encode(StatementKind.Checkpoint, second)
        );
    }

    function test_an_absence_after_the_acknowledgement_freezes() public {
        CommitteeProof memory membership = signLeaves(
            keys, StatementKind.Checkpoint, checkpointAt(10, 12), one(ICS24.acknowledgementKey("caimi-1-0", 5)), one("ack")
        );
        CommitteeProof memory absence = signLeaves(
            keys, StatementKind.Absence, checkpointAt(12, 12), one(ICS24.receiptKey("caimi-1-0", 5)), one(bytes32(0))
        );
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        client.reportFalseAbsence("caimi-1-0", 6, "ack", abi.encode(absence), abi.encode(membership));
        client.reportFalseAbsence("caimi-1-0", 5, "ack", abi.encode(absence), abi.encode(membership));
        assertTrue(client.frozen());
    }

    function test_both_halves_of_a_false_absence_are_proved() public {
        CommitteeProof memory membership = signLeaves(
            keys, StatementKind.Checkpoint, checkpointAt(10, 12), one(ICS24.acknowledgementKey("caimi-1-0", 5)), one("ack")
        );
        CommitteeProof memory absence = signLeaves(
            keys, StatementKind.Absence, checkpointAt(12, 12), one(ICS24.receiptKey("caimi-1-0", 5)), one(bytes32(0))
        );
        CommitteeProof memory ofAnother = signLeaves(
            keys, StatementKind.Absence, checkpointAt(12, 12), one(ICS24.receiptKey("caimi-1-0", 6)), one(bytes32(0))
        );
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        client.reportFalseAbsence("caimi-1-0", 5, "ack", abi.encode(ofAnother), abi.encode(membership));
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        client.reportFalseAbsence("caimi-1-0", 5, "other", abi.encode(absence), abi.encode(membership));
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        client.reportFalseAbsence("caimi-1-0", 6, "ack", abi.encode(ofAnother), abi.encode(membership));
        assertFalse(client.frozen());
    }

    function test_an_absence_before_the_acknowledgement_does_not_freeze() public {
        CommitteeProof memory membership = signLeaves(
            keys, StatementKind.Checkpoint, checkpointAt(11, 13), one(ICS24.acknowledgementKey("caimi-1-0", 5)), one("ack")
        );
        CommitteeProof memory absence = signLeaves(
            keys, StatementKind.Absence, checkpointAt(12, 12), one(ICS24.receiptKey("caimi-1-0", 5)), one(bytes32(0))
        );
        vm.expectRevert(CommitteeClient.NoConflict.selector);
        client.reportFalseAbsence("caimi-1-0", 5, "ack", abi.encode(absence), abi.encode(membership));
    }

    function test_a_frozen_client_proves_nothing_and_rotates_no_more() public {
        (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof) = proved(1);
        (bytes32[] memory absentKeys, CommitteeProof memory absence) = absent(1);
        vm.expectEmit(address(client));
        emit ICommitteeClient.Frozen(address(this), 0, 0);
        client.freeze();
        bytes4 frozen = CommitteeClient.ClientFrozen.selector;
        vm.expectRevert(frozen);
        client.verifyMembership(leafKeys, values, abi.encode(proof));
        vm.expectRevert(frozen);
        client.verifyAbsence(absentKeys, abi.encode(absence));
        Keys memory next = makeKeys(1, 2, 3, 2);
        (uint256 signers, bytes memory signatures) = signRotation(keys, next);
        vm.expectRevert(frozen);
        client.rotate(next.threshold, next.members, next.operators, signers, signatures);
        vm.expectRevert(frozen);
        client.freeze();
        vm.expectRevert(frozen);
        client.reportConflict("", "");
        vm.expectRevert(frozen);
        client.reportFalseAbsence("", 0, 0, "", "");
    }

    function test_only_the_guardian_freezes() public {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(0xbad)));
        vm.prank(address(0xbad));
        client.freeze();
    }

    // Short forms

    function newClient(Keys memory which) private returns (CommitteeClient) {
        return new CommitteeClient(
            gateway, which.epoch, which.threshold, which.members, which.operators, address(new AccessManager(address(this)))
        );
    }

    function checkpointAt(uint64 from, uint64 height) private view returns (Checkpoint memory checkpoint) {
        checkpoint.origin = keccak256(gateway);
        checkpoint.committee = hashOf(keys);
        checkpoint.from = from;
        checkpoint.height = height;
        checkpoint.time = 1_700_000_000;
    }

    function proved(uint256 count)
        private
        view
        returns (bytes32[] memory leafKeys, bytes32[] memory values, CommitteeProof memory proof)
    {
        leafKeys = new bytes32[](count);
        values = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            leafKeys[i] = keccak256(abi.encode("key", i));
            values[i] = keccak256(abi.encode("value", i));
        }
        proof = signLeaves(keys, StatementKind.Checkpoint, checkpointAt(10, 12), leafKeys, values);
    }

    function absent(uint256 count) private view returns (bytes32[] memory leafKeys, CommitteeProof memory proof) {
        leafKeys = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            leafKeys[i] = keccak256(abi.encode("absent", i));
        }
        proof = signLeaves(keys, StatementKind.Absence, checkpointAt(12, 12), leafKeys, new bytes32[](count));
    }

    function digestOf(StatementKind kind, CommitteeProof memory proof) private pure returns (bytes32) {
        return CommitteeStatements.digest(CommitteeStatements.domainSeparator(), kind, proof.checkpoint);
    }

    function signRotation(Keys memory from, Keys memory next)
        private
        view
        returns (uint256 signers, bytes memory signatures)
    {
        bytes32 digest = CommitteeStatements.rotationDigest(
            CommitteeStatements.domainSeparator(),
            keccak256(gateway),
            hashOf(from),
            next.epoch,
            next.threshold,
            next.members,
            next.operators
        );
        return signDigest(from, digest, from.threshold);
    }

    function rotate(Keys memory next) private {
        (uint256 signers, bytes memory signatures) = signRotation(keys, next);
        client.rotate(next.threshold, next.members, next.operators, signers, signatures);
    }

    function expectOutOfOrder(uint256 expected, uint256 found) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                CommitteeClient.SignatureOutOfOrder.selector, keys.members[expected], keys.members[found]
            )
        );
    }

    function expectOperator(bytes1 operator) private {
        vm.expectRevert(abi.encodeWithSelector(MemberList.OperatorMajority.selector, operator));
    }

    function expectInvalidSignature(uint256 place) private {
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.InvalidSignature.selector, keys.members[place]));
    }

    function expectFreeze(
        StatementKind kindA,
        CommitteeProof memory a,
        StatementKind kindB,
        CommitteeProof memory b
    ) private {
        vm.expectEmit(address(client));
        emit ICommitteeClient.Frozen(address(this), digestOf(kindA, a), digestOf(kindB, b));
        client.reportConflict(abi.encode(kindA, a), abi.encode(kindB, b));
        assertTrue(client.frozen());
    }

    function one(bytes32 word) private pure returns (bytes32[] memory list) {
        list = new bytes32[](1);
        list[0] = word;
    }
}
