// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {CompositeClient} from "../../src/clients/CompositeClient.sol";
import {EndorsedReads} from "../../src/clients/EndorsedReads.sol";
import {EndorsedReadsClient} from "../../src/clients/EndorsedReadsClient.sol";
import {Protobuf} from "../../src/clients/Protobuf.sol";
import {Endorsement, EndorsedReadsProof, IEndorsedReadsClient} from "../../src/interfaces/IEndorsedReadsClient.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {Endorsers} from "./Endorsers.sol";

/// @dev Over what two peers of a real channel signed (contracts/vectors/record_fabric_reads.py), and over what peers of
///      tests sign, who sign anything.
contract EndorsedReadsClientTest is Endorsers {
    uint8 private constant COMMITMENT = 1;
    uint8 private constant RECEIPT = 2;
    uint8 private constant ACKNOWLEDGEMENT = 3;
    bytes32 private constant VALUE = keccak256("value");

    EndorsedReadsClient private _real;
    EndorsedReadsClient private _client;
    AccessManager private _manager;
    string private _json;

    function setUp() public {
        vm.warp(1_900_000_000);
        _json = vm.readFile("../vectors/fabric_reads.json");
        _manager = new AccessManager(address(this));
        bytes32[] memory parts = vm.parseJsonBytes32Array(_json, ".keys");
        bytes32[2][] memory keys = new bytes32[2][](2);
        keys[0] = [parts[0], parts[1]];
        keys[1] = [parts[2], parts[3]];
        _real = new EndorsedReadsClient(
            vm.parseJsonString(_json, ".ledger"),
            vm.parseJsonString(_json, ".channel"),
            vm.parseJsonString(_json, ".chaincode"),
            2,
            keys,
            hex"0001",
            address(_manager)
        );
        // Peers 0, 1 and 2 are of three organisations, and 3 is of the third too.
        _client = make("fabric:one", 2, keysOf(4), hex"000affff");
    }

    function make(string memory ledger, uint16 threshold, bytes32[2][] memory keys, bytes memory organisations)
        public
        returns (EndorsedReadsClient)
    {
        return new EndorsedReadsClient(
            ledger, "channel", "caimi", threshold, keys, organisations, address(_manager)
        );
    }

    // What every client keeps, over what was recorded

    function client() internal view override returns (ILightClient) {
        return _real;
    }

    function clientType() internal pure override returns (string memory) {
        return "caimi-endorsed-reads";
    }

    function present(uint256 count) internal view override returns (Fact memory fact) {
        fact = recorded(".sent", count);
        bytes32[] memory values = vm.parseJsonBytes32Array(_json, ".sent.values");
        fact.values = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            fact.values[i] = values[i];
        }
    }

    function missing(uint256 count) internal view override returns (Fact memory) {
        return recorded(".missing", count);
    }

    function freezeClient() internal override {
        _real.freeze();
    }

    function recorded(string memory what, uint256 count) private view returns (Fact memory fact) {
        bytes32[] memory keys = vm.parseJsonBytes32Array(_json, string.concat(what, ".keys"));
        fact.keys = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            fact.keys[i] = keys[i];
        }
        EndorsedReadsProof memory proof = decoded(what);
        proof.places = new uint16[](count);
        for (uint16 i = 0; i < count; ++i) {
            proof.places[i] = i;
        }
        fact.proof = abi.encode(proof);
        fact.height = uint64(vm.parseJsonUint(_json, string.concat(what, ".height")));
        fact.time = uint64(vm.parseJsonUint(_json, string.concat(what, ".time")));
    }

    function decoded(string memory what) private view returns (EndorsedReadsProof memory) {
        return abi.decode(vm.parseJsonBytes(_json, string.concat(what, ".proof")), (EndorsedReadsProof));
    }

    // What was recorded

    function test_keys_may_be_some_of_those_read_in_any_order() public view {
        Fact memory fact = present(3);
        EndorsedReadsProof memory proof = decoded(".sent");
        proof.places = new uint16[](2);
        (proof.places[0], proof.places[1]) = (2, 0);
        bytes32[] memory keys = new bytes32[](2);
        bytes32[] memory values = new bytes32[](2);
        (keys[0], keys[1]) = (fact.keys[2], fact.keys[0]);
        (values[0], values[1]) = (fact.values[2], fact.values[0]);
        _real.verifyMembership(keys, values, abi.encode(proof));
    }

    function test_what_arrived_is_acknowledged_and_not_missing() public {
        EndorsedReadsProof memory proof = decoded(".arrived");
        bytes32[] memory keys = vm.parseJsonBytes32Array(_json, ".arrived.keys");
        bytes32[] memory values = vm.parseJsonBytes32Array(_json, ".arrived.values");
        assertTrue(values[1] != 0);
        (bytes32[] memory key, bytes32[] memory value) = (new bytes32[](1), new bytes32[](1));
        proof.places = new uint16[](1);
        (key[0], value[0], proof.places[0]) = (keys[1], values[1], 1);
        _real.verifyMembership(key, value, abi.encode(proof));
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.WrongKind.selector, 0));
        _real.verifyAbsence(key, abi.encode(proof));
        (key[0], value[0], proof.places[0]) = (keys[0], values[0], 0);
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.WrongValue.selector, 0));
        _real.verifyAbsence(key, abi.encode(proof));
        // What is said of a receipt is no commitment.
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.WrongKind.selector, 0));
        _real.verifyMembership(key, value, abi.encode(proof));
    }

    function testFuzz_a_changed_byte_of_the_payload_is_refused(uint256 place, uint8 change) public view {
        Fact memory fact = present(1);
        EndorsedReadsProof memory proof = decoded(".sent");
        proof.places = new uint16[](1);
        proof.payload[place % proof.payload.length] ^= bytes1(change == 0 ? 1 : change);
        fact.proof = abi.encode(proof);
        proves(fact, false, true);
    }

    /// @dev The peers of tests name themselves alike, so that however what they signed is divided, both signed it.
    function testFuzz_a_signature_is_of_one_division_into_payload_and_endorser(uint256 moved, bool back) public {
        EndorsedReadsProof memory proof = prove(payloadOf(sent(COMMITMENT, 1, VALUE, 100)), 2, 1);
        check(proof);
        bytes memory endorser = proof.endorsements[0].endorser;
        bytes memory all = bytes.concat(proof.payload, endorser);
        uint256 length = proof.payload.length;
        moved = 1 + moved % (back ? length : endorser.length);
        length = back ? length - moved : length + moved;
        (proof.payload, endorser) = (new bytes(length), new bytes(all.length - length));
        for (uint256 i = 0; i < all.length; ++i) {
            if (i < length) proof.payload[i] = all[i];
            else endorser[i - length] = all[i];
        }
        (proof.endorsements[0].endorser, proof.endorsements[1].endorser) = (endorser, endorser);
        vm.expectRevert();
        check(proof);
    }

    // Who signed

    function test_organisations_of_the_threshold_are_enough() public view {
        EndorsedReadsProof memory proof = prove(payloadOf(sent(COMMITMENT, 1, VALUE, 100)), 3, 1);
        (uint64 height, uint64 time) = check(proof);
        assertEq(height, 7);
        assertEq(time, 100);
        check(prove(proof.payload, 2, 1));
    }

    function test_one_organisation_is_not_enough() public {
        bytes memory payload = payloadOf(sent(COMMITMENT, 1, VALUE, 100));
        EndorsedReadsProof memory proof = prove(payload, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.TooFewEndorsements.selector, 1, 2));
        check(proof);
        proof = prove(payload, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.TooFewEndorsements.selector, 0, 2));
        check(proof);
    }

    function test_two_peers_of_one_organisation_are_one() public {
        EndorsedReadsProof memory proof = prove(payloadOf(sent(COMMITMENT, 1, VALUE, 100)), 2, 1);
        (proof.endorsements[0], proof.endorsements[1]) = (endorse(2, proof.payload), endorse(3, proof.payload));
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.OrganisationTwice.selector, 1));
        check(proof);
        proof.endorsements[1] = proof.endorsements[0];
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.OrganisationTwice.selector, 1));
        check(proof);
        proof.endorsements[1] = endorse(0, proof.payload);
        check(proof);
    }

    function test_a_peer_of_another_organisation_does_not_count() public {
        EndorsedReadsProof memory proof = prove(payloadOf(sent(COMMITMENT, 1, VALUE, 100)), 2, 1);
        proof.endorsements[1] = endorse(9, proof.payload);
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.UnknownKey.selector, 1));
        check(proof);
        // Nor under the key of one that does.
        bytes32[2] memory key = keyOf(1);
        (proof.endorsements[1].x, proof.endorsements[1].y) = (key[0], key[1]);
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.InvalidSignature.selector, 1));
        check(proof);
    }

    function test_a_signature_has_one_form() public {
        EndorsedReadsProof memory proof = prove(payloadOf(sent(COMMITMENT, 1, VALUE, 100)), 2, 1);
        proof.endorsements[1].s = bytes32(N - uint256(proof.endorsements[1].s));
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.InvalidSignature.selector, 1));
        check(proof);
    }

    function test_what_is_too_long_is_not_hashed() public {
        EndorsedReadsProof memory proof = prove(payloadOf(sent(COMMITMENT, 1, VALUE, 100)), 2, 1);
        proof.endorsements[1].endorser = new bytes(16_385);
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.EndorserTooLong.selector, 1));
        check(proof);
        proof.payload = new bytes(131_073);
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.PayloadTooLong.selector, 131_073));
        check(proof);
    }

    // What was signed

    function test_another_chaincode_ledger_or_channel_proves_nothing() public {
        Draft memory draft = sent(COMMITMENT, 1, VALUE, 100);
        draft.chaincode = abi.encodePacked(field(0x12, "caimj"), field(0x1a, "1.0"));
        refused(draft, abi.encodeWithSelector(EndorsedReads.WrongChaincode.selector));
        bytes memory read = readOf(pathOf(COMMITMENT, 1), VALUE);
        bytes memory behind = abi.encodePacked(uint64(100), uint16(1), read);
        string[2][4] memory others = [
            ["fabric:two", "channel"],
            ["fabric:one", "channek"],
            ["fabric:onec", "hannel"],
            ["fabric:one", "channel2"]
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            draft = draftOf(abi.encodePacked(headOf(others[i][0], others[i][1]), behind));
            refused(draft, abi.encodeWithSelector(EndorsedReads.WrongSource.selector));
        }
        refused(draftOf("caimi/endorsed-reads/v1"), abi.encodeWithSelector(EndorsedReads.WrongSource.selector));
    }

    function test_a_refusal_proves_nothing() public {
        Draft memory draft = sent(COMMITMENT, 1, VALUE, 100);
        bytes memory answer = field(0x1a, answerOf(100, 1, readOf(pathOf(COMMITMENT, 1), VALUE)));
        draft.response = abi.encodePacked(hex"08f403", answer);
        refused(draft, abi.encodeWithSelector(EndorsedReads.NotSuccessful.selector, 500));
        draft.response = answer; // a status of zero is not written
        unexpected(draft);
        draft.response = abi.encodePacked(hex"08c801", field(0x12, "message"), answer);
        unexpected(draft);
    }

    function test_what_has_an_effect_is_no_read() public {
        Draft memory draft = sent(COMMITMENT, 1, VALUE, 100);
        draft.events = field(0x12, "event");
        unexpected(draft);
        draft = sent(COMMITMENT, 1, VALUE, 100);
        bytes memory written = abi.encodePacked(field(0x0a, "caimi"), field(0x12, field(0x1a, "write")));
        draft.results = field(0x12, written);
        unexpected(draft);
    }

    function test_the_chaincodes_reads_are_there_once() public {
        Draft memory draft = sent(COMMITMENT, 1, VALUE, 100);
        bytes memory own = field(0x12, namespaceOf("caimi", 9));
        draft.results = abi.encodePacked(own, own);
        refused(draft, abi.encodeWithSelector(EndorsedReads.NamespaceTwice.selector));
        draft.results = field(0x12, namespaceOf("other", 9));
        refused(draft, abi.encodeWithSelector(EndorsedReads.NothingRead.selector));
        draft.results = own;
        (uint64 height,) = check(prove(payloadOf(draft), 2, 1));
        assertEq(height, 9);
    }

    function test_unknown_and_doubled_fields_are_refused() public {
        Draft memory draft = sent(COMMITMENT, 1, VALUE, 100);
        draft.more = field(0x1a, "more");
        refusedInPart(draft, Protobuf.BytesLeftOver.selector);
        draft.more = field(0x12, "a second extension");
        refusedInPart(draft, Protobuf.BytesLeftOver.selector);
        draft.more = "";
        draft.hash = abi.encodePacked(draft.hash, draft.hash);
        unexpected(draft);
        draft.hash = "";
        unexpected(draft);
        draft.hash = field(0x0a, new bytes(31));
        refused(draft, abi.encodeWithSelector(EndorsedReads.InvalidProposalHash.selector, 31));
        draft = sent(COMMITMENT, 1, VALUE, 100);
        draft.chaincode = abi.encodePacked(field(0x0a, "path"), draft.chaincode);
        unexpected(draft);
        draft = sent(COMMITMENT, 1, VALUE, 100);
        draft.chaincode = abi.encodePacked(draft.chaincode, field(0x12, "other"));
        refusedInPart(draft, Protobuf.BytesLeftOver.selector);
        draft = sent(COMMITMENT, 1, VALUE, 100);
        draft.response = abi.encodePacked(draft.response, field(0x1a, "other"));
        refusedInPart(draft, Protobuf.BytesLeftOver.selector);
        draft = sent(COMMITMENT, 1, VALUE, 100);
        draft.results = abi.encodePacked(uint16(0x0801), draft.results); // a data model
        unexpected(draft);
        bytes memory read = abi.encodePacked(field(0x0a, "clock"), field(0x12, hex"0801"), field(0x12, hex"0801"));
        draft.results = field(0x12, abi.encodePacked(field(0x0a, "caimi"), field(0x12, field(0x0a, read))));
        refusedInPart(draft, Protobuf.BytesLeftOver.selector);
    }

    function test_numbers_have_one_form() public {
        Draft memory draft = sent(COMMITMENT, 1, VALUE, 100);
        bytes memory answer = field(0x1a, answerOf(100, 1, readOf(pathOf(COMMITMENT, 1), VALUE)));
        bytes[3] memory numbers =
            [bytes(hex"c88100"), hex"c8818080808080808004", hex"c881808080808080808001"];
        for (uint256 i = 0; i < numbers.length; ++i) {
            draft.response = abi.encodePacked(uint8(0x08), numbers[i], answer);
            refusedInPart(draft, Protobuf.InvalidNumber.selector);
        }
        draft.response = abi.encodePacked(uint8(0x08), hex"ffffffffffffffffff01", answer);
        refused(draft, abi.encodeWithSelector(EndorsedReads.NotSuccessful.selector, type(uint64).max));
    }

    function testFuzz_a_cut_payload_is_refused(uint256 length) public {
        bytes memory payload = payloadOf(sent(COMMITMENT, 1, VALUE, 100));
        bytes memory cut = new bytes(length % payload.length);
        for (uint256 i = 0; i < cut.length; ++i) {
            cut[i] = payload[i];
        }
        EndorsedReadsProof memory proof = prove(cut, 2, 1);
        vm.expectRevert();
        check(proof);
    }

    /// @dev Signed by both: whatever bytes a chaincode answers, what is taken is what was asked for.
    function testFuzz_a_cut_or_longer_answer_is_refused(uint256 length, bytes memory more) public {
        bytes memory answer = answerOf(100, 1, readOf(pathOf(COMMITMENT, 1), VALUE));
        bytes memory cut = new bytes(length % answer.length);
        for (uint256 i = 0; i < cut.length; ++i) {
            cut[i] = answer[i];
        }
        refusedInPart(draftOf(cut), bytes4(0));
        if (more.length > 0) refusedInPart(draftOf(bytes.concat(answer, more)), EndorsedReads.InvalidAnswer.selector);
    }

    function test_answers_of_another_form_are_refused() public {
        bytes memory read = readOf(pathOf(COMMITMENT, 1), VALUE);
        refused(draftOf(answerOf(100, 0, "")), abi.encodeWithSelector(EndorsedReads.InvalidCount.selector, 0));
        refused(draftOf(answerOf(100, 101, read)), abi.encodeWithSelector(EndorsedReads.InvalidCount.selector, 101));
        bytes memory short = abi.encodePacked(uint16(9), new bytes(9), uint8(0));
        refused(draftOf(answerOf(100, 1, short)), abi.encodeWithSelector(EndorsedReads.InvalidPath.selector, 0));
        bytes memory long = abi.encodePacked(uint16(129), new bytes(129), uint8(0));
        refused(
            draftOf(answerOf(100, 2, bytes.concat(read, long))),
            abi.encodeWithSelector(EndorsedReads.InvalidPath.selector, 1)
        );
        bytes memory path = pathOf(COMMITMENT, 1);
        bytes memory other = abi.encodePacked(uint16(path.length), path, uint8(2), VALUE);
        refusedInPart(draftOf(answerOf(100, 1, other)), EndorsedReads.InvalidAnswer.selector);
        other = abi.encodePacked(uint16(path.length), path, uint8(1), bytes32(0));
        refusedInPart(draftOf(answerOf(100, 1, other)), EndorsedReads.InvalidAnswer.selector);
    }

    function test_an_absence_is_as_old_as_its_clock() public view {
        EndorsedReadsProof memory proof = prove(payloadOf(sent(RECEIPT, 1, 0, 99)), 2, 1);
        (, uint64 time) = _client.verifyAbsence(keyed(RECEIPT), abi.encode(proof));
        assertEq(time, 99);
    }

    function test_only_receipts_are_missing() public {
        for (uint8 kind = COMMITMENT; kind <= ACKNOWLEDGEMENT; kind += 2) {
            EndorsedReadsProof memory proof = prove(payloadOf(sent(kind, 1, 0, 100)), 2, 1);
            vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.WrongKind.selector, 0));
            _client.verifyAbsence(keyed(kind), abi.encode(proof));
        }
    }

    // Conflicts

    function test_two_values_of_one_path_freeze_the_client() public {
        for (uint8 kind = COMMITMENT; kind <= ACKNOWLEDGEMENT; kind += 2) {
            uint256 state = vm.snapshotState();
            bytes memory first = abi.encode(prove(payloadOf(sent(kind, 1, VALUE, 100)), 2, 1));
            bytes memory second = abi.encode(prove(payloadOf(sent(kind, 1, ~VALUE, 100)), 2, 1));
            _client.reportConflict(first, 0, second, 0);
            assertTrue(_client.frozen());
            vm.expectRevert(EndorsedReadsClient.ClientFrozen.selector);
            _client.reportConflict(first, 0, second, 0);
            vm.revertToState(state);
        }
    }

    function test_what_was_received_and_later_was_not_freezes_the_client() public {
        for (uint8 kind = RECEIPT; kind <= ACKNOWLEDGEMENT; ++kind) {
            uint256 state = vm.snapshotState();
            bytes memory received = abi.encode(prove(payloadOf(sent(kind, 1, VALUE, 100)), 2, 1));
            bytes memory gone = abi.encode(prove(payloadOf(sent(kind, 1, 0, 101)), 2, 1));
            noConflict(gone, received);
            _client.reportConflict(received, 0, gone, 0);
            assertTrue(_client.frozen());
            vm.revertToState(state);
        }
    }

    function test_what_happens_on_a_ledger_is_no_conflict() public {
        bytes memory open = abi.encode(prove(payloadOf(sent(COMMITMENT, 1, VALUE, 100)), 2, 1));
        noConflict(open, open);
        noConflict(open, abi.encode(prove(payloadOf(sent(COMMITMENT, 1, 0, 101)), 2, 1)));
        noConflict(open, abi.encode(prove(payloadOf(sent(COMMITMENT, 2, ~VALUE, 101)), 2, 1)));
        bytes memory pending = abi.encode(prove(payloadOf(sent(ACKNOWLEDGEMENT, 1, bytes32(uint256(1)), 100)), 2, 1));
        bytes memory answered = abi.encode(prove(payloadOf(sent(ACKNOWLEDGEMENT, 1, VALUE, 100)), 2, 1));
        noConflict(pending, answered);
        noConflict(answered, pending);
        // Between two ticks the clock stands still.
        bytes memory received = abi.encode(prove(payloadOf(sent(RECEIPT, 1, VALUE, 100)), 2, 1));
        noConflict(received, abi.encode(prove(payloadOf(sent(RECEIPT, 1, 0, 100)), 2, 1)));
        vm.expectRevert(EndorsedReadsClient.NoConflict.selector);
        _client.reportConflict(open, 1, open, 0);
    }

    function test_a_conflict_that_too_few_signed_is_none() public {
        bytes memory first = abi.encode(prove(payloadOf(sent(COMMITMENT, 1, VALUE, 100)), 2, 1));
        bytes memory second = abi.encode(prove(payloadOf(sent(COMMITMENT, 1, ~VALUE, 100)), 1, 1));
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.TooFewEndorsements.selector, 1, 2));
        _client.reportConflict(first, 0, second, 0);
    }

    function test_guardians_alone_freeze_at_will() public {
        vm.prank(address(1));
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(1)));
        _client.freeze();
        vm.expectEmit(address(_client));
        emit IEndorsedReadsClient.Frozen(address(this), 0, 0);
        _client.freeze();
        vm.expectRevert(EndorsedReadsClient.ClientFrozen.selector);
        _client.freeze();
    }

    // With a committee

    function test_a_composite_believes_what_organisations_and_the_committee_both_say() public {
        Keys memory keys = makeKeys(0, 3, 5, 1);
        CommitteeClient committee = newCommittee(keys);
        ILightClient[] memory members = new ILightClient[](2);
        (members[0], members[1]) = (committee, _client);
        CompositeClient both = new CompositeClient(2, members);
        Fact memory fact;
        (fact.keys, fact.values) = (keyed(COMMITMENT), new bytes32[](1));
        fact.values[0] = VALUE;
        bytes[] memory proofs = new bytes[](2);
        proofs[0] = signed(keys, fact, 12).proof;
        proofs[1] = abi.encode(prove(payloadOf(sent(COMMITMENT, 1, VALUE, 100)), 2, 1));
        (uint64 height, uint64 time) = both.verifyMembership(fact.keys, fact.values, abi.encode(proofs));
        assertEq(height, 7); // of the older of both
        assertEq(time, 100);
        // Organisations that say otherwise, then a committee that does.
        proofs[1] = abi.encode(prove(payloadOf(sent(COMMITMENT, 1, ~VALUE, 100)), 2, 1));
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.WrongValue.selector, 0));
        both.verifyMembership(fact.keys, fact.values, abi.encode(proofs));
        fact.values[0] = ~VALUE;
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        both.verifyMembership(fact.keys, fact.values, abi.encode(proofs));
        proofs[1] = "";
        vm.expectRevert(abi.encodeWithSelector(CompositeClient.WrongProofsGiven.selector, 1, 2));
        both.verifyMembership(fact.keys, fact.values, abi.encode(proofs));
    }

    // Making one

    function test_says_what_it_was_made_with() public view {
        (string memory ledger, string memory channel, string memory chaincode) = _client.source();
        assertEq(ledger, "fabric:one");
        assertEq(channel, "channel");
        assertEq(chaincode, "caimi");
        (uint16 threshold, bytes32[2][] memory keys, bytes memory organisations) = _client.endorsers();
        assertEq(threshold, 2);
        assertEq(keys.length, 4);
        assertEq(keys[3][1], keyOf(3)[1]);
        assertEq(organisations, hex"000affff");
    }

    function test_fewer_than_two_or_half_of_the_organisations_are_not_enough() public {
        bytes32[2][] memory keys = keysOf(4);
        uint16[4] memory thresholds = [uint16(0), 1, 2, 5];
        for (uint256 i = 0; i < thresholds.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.InvalidThreshold.selector, thresholds[i], 4));
            this.make("fabric:one", thresholds[i], keys, hex"00010203");
        }
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.InvalidThreshold.selector, 2, 1));
        this.make("fabric:one", 2, keys, hex"00000000");
        this.make("fabric:one", 2, keys, hex"00000001");
    }

    function test_keys_are_on_the_curve_and_named_once() public {
        bytes32[2][] memory keys = keysOf(2);
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.LengthMismatch.selector, 2, 1));
        this.make("fabric:one", 2, keys, hex"00");
        keys[1] = keys[0];
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.InvalidKey.selector, 1));
        this.make("fabric:one", 2, keys, hex"0001");
        keys[1] = [bytes32(0), bytes32(0)];
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.InvalidKey.selector, 1));
        this.make("fabric:one", 2, keys, hex"0001");
        keys = keysOf(65);
        vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.InvalidKey.selector, 64));
        this.make("fabric:one", 2, keys, new bytes(65));
    }

    function test_names_are_neither_empty_nor_longer_than_their_length_tells() public {
        bytes32[2][] memory keys = keysOf(2);
        string[2] memory names = ["", string(new bytes(256))];
        for (uint256 i = 0; i < names.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(EndorsedReadsClient.InvalidName.selector, names[i]));
            this.make(names[i], 2, keys, hex"0001");
        }
        this.make(string(new bytes(255)), 2, keys, hex"0001");
    }

    // Parts

    /// @dev That one path was read.
    function sent(uint8 kind, uint64 sequence, bytes32 value, uint64 time) private pure returns (Draft memory) {
        return draftOf(answerOf(time, 1, readOf(pathOf(kind, sequence), value)));
    }

    function keyed(uint8 kind) private pure returns (bytes32[] memory keys) {
        keys = new bytes32[](1);
        keys[0] = keccak256(pathOf(kind, 1));
    }

    function check(EndorsedReadsProof memory proof) private view returns (uint64 height, uint64 time) {
        bytes32[] memory values = new bytes32[](1);
        values[0] = VALUE;
        return _client.verifyMembership(keyed(COMMITMENT), values, abi.encode(proof));
    }

    function refused(Draft memory draft, bytes memory why) private {
        EndorsedReadsProof memory proof = prove(payloadOf(draft), 2, 1);
        vm.expectRevert(why);
        check(proof);
    }

    function unexpected(Draft memory draft) private {
        refusedInPart(draft, Protobuf.UnexpectedField.selector);
    }

    /// @dev Whatever arguments the error has; any error for zero.
    function refusedInPart(Draft memory draft, bytes4 why) private {
        EndorsedReadsProof memory proof = prove(payloadOf(draft), 2, 1);
        if (why == 0) vm.expectRevert();
        else vm.expectPartialRevert(why);
        check(proof);
    }

    function noConflict(bytes memory first, bytes memory second) private {
        vm.expectRevert(EndorsedReadsClient.NoConflict.selector);
        _client.reportConflict(first, 0, second, 0);
    }
}
