// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {AttestationsClient} from "../../src/clients/AttestationsClient.sol";
import {MemberList} from "../../src/clients/MemberList.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {
    AttestationKind,
    AttestationProof,
    IAttestationsClient,
    PacketAttestation,
    PacketCompact,
    StateAttestation
} from "../../src/interfaces/IAttestationsClient.sol";
import {Attestors} from "./Attestors.sol";

contract AttestationsClientTest is Attestors {
    uint64 private constant NOW = 1_700_001_000;
    bytes32 private constant VALUE = keccak256("commitment");
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    Keys private _keys;
    AttestationsClient private _client;

    function setUp() public {
        vm.warp(NOW);
        _keys = makeKeys(0, 3, 5, 1);
        _client = newAttestationsClient(_keys);
    }

    // What ibc-go and eureka do

    function test_proofs_that_the_published_contract_of_eureka_takes_are_taken() public {
        string memory json = vm.readFile("../vectors/attestations.json");
        Keys memory keys = makeKeys(0, 2, 3, 1);
        uint256[3] memory privateKeys = [uint256(0xB0B), 0xC0C, 0xA11CE]; // in the order of their addresses
        for (uint256 i = 0; i < 3; ++i) {
            (keys.privateKeys[i], keys.members[i]) = (privateKeys[i], vm.addr(privateKeys[i]));
        }
        AttestationsClient client = newAttestationsClient(keys);
        client.updateClient(vm.parseJsonBytes(json, ".state.proof"));
        assertEq(client.latestHeight(), vm.parseJsonUint(json, ".height"));
        assertEq(client.timeAt(101), vm.parseJsonUint(json, ".time"));

        bytes32[] memory paths = new bytes32[](2);
        paths[0] = keccak256(bytes(vm.parseJsonString(json, ".paths[0]")));
        paths[1] = keccak256(bytes(vm.parseJsonString(json, ".paths[1]")));
        bytes32[] memory commitments = vm.parseJsonBytes32Array(json, ".commitments");
        (uint64 height, uint64 time) =
            client.verifyMembership(paths, commitments, vm.parseJsonBytes(json, ".membership.proof"));
        assertEq(height, 101);
        assertEq(time, 1_700_000_100);

        paths = new bytes32[](1);
        paths[0] = keccak256(bytes(vm.parseJsonString(json, ".absentPath")));
        (height, time) = client.verifyAbsence(paths, vm.parseJsonBytes(json, ".absence.proof"));
        assertEq(height, 101);
        assertEq(time, 1_700_000_100);
    }

    /// @dev ibc-go, modules/light-clients/attestations/abi_test.go: 64 bytes of height 100 and 1,234,567,890 seconds.
    function test_a_state_of_ibc_go_is_read() public {
        bytes memory data = hex"0000000000000000000000000000000000000000000000000000000000000064"
            hex"00000000000000000000000000000000000000000000000000000000499602d2";
        _client.updateClient(signData(_keys, AttestationKind.State, data));
        assertEq(_client.timeAt(100), 1_234_567_890);
    }

    // Who may attest

    /// @dev From outside: a test ends, and passes, where a creation of its own is refused as expected.
    function makeAttestationsClient(
        bytes memory chain,
        uint16 threshold,
        address[] memory members,
        bytes memory operators,
        bytes[] memory signatures,
        address authority
    ) external {
        new AttestationsClient(chain, threshold, members, operators, signatures, authority);
    }

    function test_a_threshold_below_two_or_below_a_majority_is_impossible() public {
        address authority = address(new AccessManager(address(this)));
        bytes[] memory signatures = enrolments(_keys);
        for (uint16 threshold = 0; threshold < 8; ++threshold) {
            if (threshold >= 3 && threshold <= 5) continue;
            vm.expectRevert(abi.encodeWithSelector(MemberList.InvalidThreshold.selector, threshold, 5));
            this.makeAttestationsClient(CHAIN, threshold, _keys.members, _keys.operators, signatures, authority);
        }
        Keys memory one = makeKeys(0, 1, 1, 1);
        signatures = enrolments(one);
        vm.expectRevert(abi.encodeWithSelector(MemberList.InvalidThreshold.selector, 1, 1));
        this.makeAttestationsClient(CHAIN, 1, one.members, one.operators, signatures, authority);
    }

    function test_an_attestor_that_did_not_enrol_for_this_chain_is_refused() public {
        address authority = address(new AccessManager(address(this)));
        bytes[] memory signatures = enrolments(_keys);
        signatures[4] = signaturesOf(_keys, enrolmentDigest("cosmos:osmosis-1"), 5)[4];
        vm.expectRevert(abi.encodeWithSelector(AttestationsClient.InvalidEnrolment.selector, _keys.members[4]));
        this.makeAttestationsClient(CHAIN, 3, _keys.members, _keys.operators, signatures, authority);

        vm.expectRevert(abi.encodeWithSelector(AttestationsClient.LengthMismatch.selector, 5, 4));
        this.makeAttestationsClient(
            CHAIN, 3, _keys.members, _keys.operators, signaturesOf(_keys, enrolmentDigest(CHAIN), 4), authority
        );
        vm.expectRevert(AttestationsClient.EmptyOrigin.selector);
        this.makeAttestationsClient("", 3, _keys.members, _keys.operators, enrolments(_keys), authority);
    }

    function test_attestors_are_told() public view {
        (uint16 threshold, address[] memory members, bytes memory operators) = _client.attestors();
        assertEq(threshold, 3);
        assertEq(abi.encode(members), abi.encode(_keys.members));
        assertEq(operators, _keys.operators);
        assertEq(_client.origin(), keccak256(CHAIN));
        assertEq(_client.enrolmentDigest(keccak256(CHAIN)), enrolmentDigest(CHAIN));
        string memory json = vm.readFile("../vectors/attestations.json");
        assertEq(_client.enrolmentDigest(keccak256(CHAIN)), vm.parseJsonBytes32(json, ".enrolment.digest"));
    }

    // Signatures

    function test_signatures_count_in_any_order() public {
        (bytes memory data, bytes[] memory signatures) = _state(3);
        (signatures[0], signatures[2]) = (signatures[2], signatures[0]);
        _client.updateClient(abi.encode(AttestationProof(data, signatures)));
        assertEq(_client.timeAt(10), NOW);
    }

    function test_fewer_signatures_than_the_threshold_are_refused() public {
        for (uint256 count = 0; count < 3; ++count) {
            (bytes memory data, bytes[] memory signatures) = _state(count);
            _refused(data, signatures, abi.encodeWithSelector(AttestationsClient.TooFewSignatures.selector, count, 3));
        }
    }

    function test_nobody_counts_twice() public {
        for (uint256 i = 0; i < 2; ++i) {
            (bytes memory data, bytes[] memory signatures) = _state(3);
            signatures[2] = signatures[i];
            bytes memory twice = abi.encodeWithSelector(AttestationsClient.DuplicateSigner.selector, _keys.members[i]);
            _refused(data, signatures, twice);
        }
    }

    function testFuzz_a_stranger_refuses_the_proof(uint256 privateKey, uint256 place) public {
        privateKey = bound(privateKey, 1, ORDER - 1);
        address stranger = vm.addr(privateKey);
        for (uint256 i = 0; i < 5; ++i) vm.assume(stranger != _keys.members[i]);
        (bytes memory data, bytes[] memory signatures) = _state(4);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(privateKey, digestOf(AttestationKind.State, data));
        signatures[place % 4] = abi.encodePacked(r, s, v);
        _refused(data, signatures, abi.encodeWithSelector(AttestationsClient.UnknownSigner.selector, stranger));
    }

    function test_a_high_s_is_refused() public {
        (bytes memory data, bytes[] memory signatures) = _state(3);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_keys.privateKeys[1], digestOf(AttestationKind.State, data));
        signatures[1] = abi.encodePacked(r, ORDER - uint256(s), v == 27 ? uint8(28) : uint8(27));
        _refused(data, signatures, abi.encodeWithSelector(AttestationsClient.HighS.selector, 1));
    }

    function test_what_is_no_signature_is_refused() public {
        (bytes memory data, bytes[] memory signatures) = _state(3);
        bytes memory good = signatures[1];
        bytes[6] memory bad = [
            bytes(""),
            new bytes(65),
            new bytes(64),
            bytes.concat(good, hex"00"),
            abi.encodePacked(bytes32(0), bytes32(uint256(1)), uint8(27)),
            abi.encodePacked(bytes32(uint256(1)), bytes32(0), uint8(28))
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            signatures[1] = bad[i];
            _refused(data, signatures, abi.encodeWithSelector(AttestationsClient.InvalidSignature.selector, 1));
        }
        // The recovery id as ibc-go writes it; whoever joins signatures writes 27 or 28.
        good[64] = bytes1(uint8(good[64]) - 27);
        signatures[1] = good;
        _refused(data, signatures, abi.encodeWithSelector(AttestationsClient.InvalidSignature.selector, 1));
    }

    function test_one_kind_is_never_taken_for_the_other() public {
        bytes memory state = abi.encode(StateAttestation(10, NOW));
        _updateReverts(signData(_keys, AttestationKind.Packet, state), AttestationsClient.UnknownSigner.selector);
        _updateReverts(signData(_keys, AttestationKind.None, state), AttestationsClient.UnknownSigner.selector);
        _client.updateClient(signState(_keys, 10, NOW));
        (bytes32[] memory keys, bytes32[] memory values) = _one(keccak256("path"), VALUE);
        bytes memory proof = signData(_keys, AttestationKind.State, packetsOf(10, keys, values));
        vm.expectPartialRevert(AttestationsClient.UnknownSigner.selector);
        _client.verifyMembership(keys, values, proof);
    }

    // Times

    function test_heights_may_come_in_any_order() public {
        _client.updateClient(signState(_keys, 10, NOW));
        vm.expectEmit(address(_client));
        emit IAttestationsClient.Updated(8, NOW - 20);
        _client.updateClient(signState(_keys, 8, NOW - 20));
        _client.updateClient(signState(_keys, 12, NOW));
        assertEq(_client.latestHeight(), 12);
        assertEq(_client.timeAt(8), NOW - 20);
        assertEq(_client.timeAt(9), 0);
    }

    function test_the_same_state_again_changes_nothing() public {
        _client.updateClient(signState(_keys, 10, NOW));
        vm.recordLogs();
        _client.updateClient(signState(_keys, 10, NOW));
        assertEq(vm.getRecordedLogs().length, 0);
        assertFalse(_client.frozen());
    }

    function test_another_time_of_a_known_height_freezes() public {
        _client.updateClient(signState(_keys, 10, NOW));
        bytes32 digest = digestOf(AttestationKind.State, abi.encode(StateAttestation(10, NOW + 1 days)));
        vm.expectEmit(address(_client));
        emit IAttestationsClient.Frozen(address(this), digest, 0);
        _client.updateClient(signState(_keys, 10, NOW + 1 days)); // even one that would be refused as too early
        assertTrue(_client.frozen());
        assertEq(_client.timeAt(10), NOW);
        _updateReverts(signState(_keys, 11, NOW), AttestationsClient.ClientFrozen.selector);
    }

    function testFuzz_time_that_runs_backwards_freezes(uint64 height, uint64 time) public {
        _client.updateClient(signState(_keys, 10, NOW - 100));
        height = uint64(bound(height, 1, 20));
        time = uint64(bound(time, NOW - 200, NOW));
        _client.updateClient(signState(_keys, height, time));
        bool backwards =
            height < 10 ? time > NOW - 100 : height > 10 ? time < NOW - 100 : time != NOW - 100;
        assertEq(_client.frozen(), backwards);
    }

    function test_a_time_ahead_of_the_clock_is_refused() public {
        _updateReverts(signState(_keys, 10, NOW + 601), AttestationsClient.FutureTime.selector);
        _client.updateClient(signState(_keys, 10, NOW + 600));
    }

    function test_zero_is_no_height_and_no_time() public {
        _updateReverts(signState(_keys, 0, NOW), AttestationsClient.InvalidState.selector);
        _updateReverts(signState(_keys, 10, 0), AttestationsClient.InvalidState.selector);
    }

    function test_bytes_behind_a_state_are_refused_though_signed() public {
        bytes memory data = bytes.concat(abi.encode(StateAttestation(10, NOW)), new bytes(32));
        _updateReverts(signData(_keys, AttestationKind.State, data), AttestationsClient.NonCanonicalProof.selector);
    }

    // Packets

    function test_packets_of_a_height_without_a_time_are_refused() public {
        _client.updateClient(signState(_keys, 10, NOW));
        (bytes32[] memory keys, bytes32[] memory values) = _one(keccak256("path"), VALUE);
        bytes memory proof = signPacket(_keys, 11, keys[0], VALUE);
        vm.expectRevert(abi.encodeWithSelector(AttestationsClient.UnknownHeight.selector, 11));
        _client.verifyMembership(keys, values, proof);
        proof = signPacket(_keys, 11, keys[0], 0);
        vm.expectRevert(abi.encodeWithSelector(AttestationsClient.UnknownHeight.selector, 11));
        _client.verifyAbsence(keys, proof);
    }

    function test_a_value_at_another_path_proves_nothing() public {
        _client.updateClient(signState(_keys, 10, NOW));
        (bytes32[] memory keys, bytes32[] memory values) = _one(keccak256("path"), VALUE);
        bytes memory proof = signPacket(_keys, 10, keccak256("other"), VALUE);
        vm.expectRevert(abi.encodeWithSelector(AttestationsClient.WrongPath.selector, 0));
        _client.verifyMembership(keys, values, proof);
        proof = signPacket(_keys, 10, keys[0], bytes32(uint256(VALUE) + 1));
        vm.expectRevert(abi.encodeWithSelector(AttestationsClient.WrongCommitment.selector, 0));
        _client.verifyMembership(keys, values, proof);
        vm.expectRevert(abi.encodeWithSelector(AttestationsClient.WrongCommitment.selector, 0));
        _client.verifyAbsence(keys, proof);
    }

    function test_as_many_values_are_proved_as_keys() public {
        (bytes32[] memory keys, bytes32[] memory values) = _one(VALUE, VALUE);
        vm.expectRevert(abi.encodeWithSelector(AttestationsClient.LengthMismatch.selector, 1, 2));
        _client.verifyMembership(keys, new bytes32[](2), "");
        vm.expectRevert(abi.encodeWithSelector(AttestationsClient.LengthMismatch.selector, 0, 1));
        _client.verifyMembership(new bytes32[](0), values, "");
    }

    function test_signed_packets_in_another_encoding_are_refused() public {
        _client.updateClient(signState(_keys, 10, NOW));
        (bytes32[] memory keys, bytes32[] memory values) = _one(keccak256("path"), VALUE);
        bytes memory data = bytes.concat(packetsOf(10, keys, values), new bytes(32));
        bytes memory proof = signData(_keys, AttestationKind.Packet, data);
        vm.expectRevert(AttestationsClient.NonCanonicalProof.selector);
        _client.verifyMembership(keys, values, proof);
        proof = signData(_keys, AttestationKind.Packet, packetsOf(10, new bytes32[](0), new bytes32[](0)));
        vm.expectRevert(abi.encodeWithSelector(AttestationsClient.InvalidPackets.selector, 0, 0));
        _client.verifyAbsence(new bytes32[](0), proof);
    }

    // Misbehaviour

    function testFuzz_two_times_freeze_only_when_no_chain_has_both(uint64 a, uint64 b, uint64 timeA, uint64 timeB)
        public
    {
        (a, b) = (uint64(bound(a, 1, 3)), uint64(bound(b, 1, 3)));
        (timeA, timeB) = (uint64(bound(timeA, 1, 3)), uint64(bound(timeB, 1, 3)));
        bool conflict = a == b ? timeA != timeB : (a < b) == (timeA > timeB) && timeA != timeB;
        bytes memory first = signState(_keys, a, timeA);
        bytes memory second = signState(_keys, b, timeB);
        if (!conflict) vm.expectRevert(AttestationsClient.NoConflict.selector);
        _client.reportTimes(first, second);
        assertEq(_client.frozen(), conflict);
    }

    function test_two_commitments_of_one_path_freeze() public {
        bytes memory first = signPacket(_keys, 10, keccak256("path"), VALUE);
        _noConflict(first, first);
        _noConflict(first, signPacket(_keys, 11, keccak256("path"), 0));
        _noConflict(first, signPacket(_keys, 10, keccak256("other"), 0));
        _client.reportCommitments(first, 0, signPacket(_keys, 10, keccak256("path"), 0), 0);
        assertTrue(_client.frozen());
    }

    function test_one_attestation_that_contradicts_itself_freezes() public {
        bytes32[] memory keys = new bytes32[](2);
        bytes32[] memory values = new bytes32[](2);
        (values[0], values[1]) = (VALUE, keccak256("other"));
        bytes memory both = signData(_keys, AttestationKind.Packet, packetsOf(10, keys, values));
        vm.expectRevert(AttestationsClient.NoConflict.selector);
        _client.reportCommitments(both, 0, both, 2);
        _client.reportCommitments(both, 0, both, 1);
        assertTrue(_client.frozen());
    }

    function test_a_report_that_too_few_signed_is_refused() public {
        bytes memory data = packetsOf(10, new bytes32[](1), new bytes32[](0));
        bytes[] memory signatures = signaturesOf(_keys, digestOf(AttestationKind.Packet, data), 2);
        bytes memory weak = abi.encode(AttestationProof(data, signatures));
        bytes memory strong = signPacket(_keys, 10, 0, VALUE);
        vm.expectRevert(abi.encodeWithSelector(AttestationsClient.TooFewSignatures.selector, 2, 3));
        _client.reportCommitments(strong, 0, weak, 0);
    }

    function test_a_receipt_that_was_there_is_never_missing() public {
        bytes32 receipt = ICS24.receiptKey("attestations-0", 7);
        bytes32 acknowledgement = ICS24.acknowledgementKey("attestations-0", 7);
        bytes memory absence = signPacket(_keys, 10, receipt, 0);
        uint256 id = vm.snapshotState();
        for (uint64 height = 8; height <= 12; ++height) {
            for (uint256 i = 0; i < 2; ++i) {
                bytes memory presence = signPacket(_keys, height, i == 0 ? receipt : acknowledgement, VALUE);
                if (height > 10) vm.expectRevert(AttestationsClient.NoConflict.selector);
                _client.reportFalseAbsence("attestations-0", 7, absence, 0, presence, 0);
                assertEq(_client.frozen(), height <= 10);
                vm.revertToState(id);
                id = vm.snapshotState();
            }
        }
        bytes[4] memory innocent = [
            signPacket(_keys, 9, acknowledgement, 0),
            signPacket(_keys, 9, ICS24.acknowledgementKey("attestations-0", 8), VALUE),
            signPacket(_keys, 9, ICS24.commitmentKey("attestations-0", 7), VALUE),
            signPacket(_keys, 9, ICS24.receiptKey("attestations-1", 7), VALUE)
        ];
        for (uint256 i = 0; i < innocent.length; ++i) {
            vm.expectRevert(AttestationsClient.NoConflict.selector);
            _client.reportFalseAbsence("attestations-0", 7, absence, 0, innocent[i], 0);
        }
        bytes memory there = signPacket(_keys, 10, receipt, VALUE);
        bytes memory earlier = signPacket(_keys, 9, acknowledgement, VALUE);
        vm.expectRevert(AttestationsClient.NoConflict.selector);
        _client.reportFalseAbsence("attestations-0", 7, there, 0, earlier, 0);
        absence = signPacket(_keys, 10, acknowledgement, 0);
        bytes memory written = signPacket(_keys, 9, acknowledgement, VALUE);
        vm.expectRevert(AttestationsClient.NoConflict.selector);
        _client.reportFalseAbsence("attestations-0", 7, absence, 0, written, 0);
    }

    function test_keys_that_attest_to_two_chains_freeze() public {
        bytes memory other = "cosmos:osmosis-1";
        bytes[] memory two = signaturesOf(_keys, enrolmentDigest(other), 2);
        vm.expectRevert(abi.encodeWithSelector(AttestationsClient.TooFewSignatures.selector, 2, 3));
        _client.reportSharedKeys(keccak256(other), two);
        bytes[] memory own = enrolments(_keys);
        vm.expectRevert(AttestationsClient.SameOrigin.selector);
        _client.reportSharedKeys(keccak256(CHAIN), own);
        _client.reportSharedKeys(keccak256(other), signaturesOf(_keys, enrolmentDigest(other), 3));
        assertTrue(_client.frozen());
    }

    function test_only_a_guardian_freezes_at_once() public {
        vm.prank(address(0xbad));
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(0xbad)));
        _client.freeze();
        _client.freeze();
        vm.expectRevert(AttestationsClient.ClientFrozen.selector);
        _client.freeze();
        bytes memory state = signState(_keys, 10, NOW);
        vm.expectRevert(AttestationsClient.ClientFrozen.selector);
        _client.reportTimes(state, state);
        bytes memory packet = signPacket(_keys, 10, VALUE, VALUE);
        vm.expectRevert(AttestationsClient.ClientFrozen.selector);
        _client.reportCommitments(packet, 0, packet, 0);
        vm.expectRevert(AttestationsClient.ClientFrozen.selector);
        _client.reportFalseAbsence("attestations-0", 7, packet, 0, packet, 0);
        vm.expectRevert(AttestationsClient.ClientFrozen.selector);
        _client.reportSharedKeys(VALUE, new bytes[](0));
    }

    function _state(uint256 count) private view returns (bytes memory data, bytes[] memory signatures) {
        data = abi.encode(StateAttestation(10, NOW));
        signatures = signaturesOf(_keys, digestOf(AttestationKind.State, data), count);
    }

    function _one(bytes32 key, bytes32 value) private pure returns (bytes32[] memory keys, bytes32[] memory values) {
        (keys, values) = (new bytes32[](1), new bytes32[](1));
        (keys[0], values[0]) = (key, value);
    }

    function _refused(bytes memory data, bytes[] memory signatures, bytes memory reason) private {
        vm.expectRevert(reason);
        _client.updateClient(abi.encode(AttestationProof(data, signatures)));
    }

    function _updateReverts(bytes memory proof, bytes4 reason) private {
        vm.expectPartialRevert(reason);
        _client.updateClient(proof);
    }

    function _noConflict(bytes memory first, bytes memory second) private {
        vm.expectRevert(AttestationsClient.NoConflict.selector);
        _client.reportCommitments(first, 0, second, 0);
    }
}
