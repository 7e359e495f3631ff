// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {BlockHeader} from "../../src/clients/BlockHeader.sol";
import {CommitteeStatements} from "../../src/clients/CommitteeStatements.sol";
import {ValidatorBond} from "../../src/clients/ValidatorBond.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet} from "../../src/interfaces/IBCTypes.sol";
import {Checkpoint, StatementKind} from "../../src/interfaces/ICommitteeClient.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {PuppetApp} from "../gateway/PuppetApp.sol";
import {Bonds} from "./Bonds.sol";

/// @dev A receiver that takes nothing.
contract Refuser {
    function unbond(ValidatorBond bond, uint128 amount) external {
        bond.unbond(amount);
    }

    function withdraw(ValidatorBond bond, address to) external {
        bond.withdraw(payable(to));
    }
}

/// @dev A receiver that asks again while it is paid.
contract Greedy is Refuser {
    bool public tried;
    bool public paidAgain;

    receive() external payable {
        tried = true;
        (paidAgain,) = msg.sender.call(abi.encodeCall(ValidatorBond.withdraw, (payable(address(this)))));
    }
}

contract ValidatorBondTest is Bonds {
    uint256 private constant NOW = 1_700_000_000;
    uint256 private constant STAKE = 10 ether;
    address private constant REPORTER = address(0x4e9);
    bytes32 private constant VALUE = keccak256("value");

    Ledger private one;
    Ledger private two;
    End private a;
    End private b;
    ValidatorBond private bond;
    uint256 private _key; // of the validator that all this is about
    address private _validator;

    function setUp() public {
        one = makeLedger(31337);
        two = makeLedger(31338);
        (a, b) = connect(one, two);
        addApplication(one, "port", new PuppetApp());
        addApplication(two, "port", new PuppetApp());
        enter(one);
        bond = new ValidatorBond(one.gateway, SINK);
        (_key, _validator) = (one.keys.privateKeys[0], one.keys.members[0]);
        vm.deal(address(this), 1_000 ether);
        bond.post{value: STAKE}(_validator);
        vm.roll(1_000);
    }

    // Bonds

    function testFuzz_a_bond_is_free_seven_days_after_it_was_asked_for(uint128 amount, uint256 early) public {
        amount = uint128(bound(amount, 1, STAKE));
        uint256 asked = NOW; // the compiler reads block.timestamp again where it is used
        vm.prank(_validator);
        bond.unbond(amount);
        assertStake(STAKE - amount, amount);
        vm.warp(asked + bound(early, 0, 7 days - 1));
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.StillBonded.selector, asked + 7 days));
        vm.prank(_validator);
        bond.withdraw(payable(REPORTER));
        vm.warp(asked + 7 days);
        vm.prank(_validator);
        bond.withdraw(payable(REPORTER));
        assertEq(REPORTER.balance, amount);
        assertStake(STAKE - amount, 0);
        vm.expectRevert(ValidatorBond.NothingToPay.selector);
        vm.prank(_validator);
        bond.withdraw(payable(REPORTER));
    }

    function test_asking_for_more_puts_off_what_was_asked_before() public {
        vm.startPrank(_validator);
        bond.unbond(1 ether);
        vm.warp(NOW + 6 days);
        bond.unbond(1 ether);
        vm.warp(NOW + 7 days);
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.StillBonded.selector, NOW + 13 days));
        bond.withdraw(payable(REPORTER));
        vm.stopPrank();
    }

    /// @dev From outside: a test ends, and passes, where a creation of its own is refused as expected.
    function makeValidatorBond(IGateway gateway, address sink) external {
        new ValidatorBond(gateway, sink);
    }

    function test_nothing_and_too_much_are_refused() public {
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.InvalidAmount.selector, 0));
        bond.post(_validator);
        vm.expectRevert(ValidatorBond.InvalidAddress.selector);
        bond.post{value: 1}(address(0));
        vm.deal(address(this), 1 << 97);
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.InvalidAmount.selector, 1 << 96));
        bond.post{value: 1 << 96}(_validator);
        bond.post{value: type(uint96).max}(address(1));
        vm.expectRevert(ValidatorBond.InvalidAddress.selector);
        bond.claim(payable(0));
        vm.startPrank(_validator);
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.InvalidAmount.selector, 0));
        bond.unbond(0);
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.InvalidAmount.selector, STAKE + 1));
        bond.unbond(uint128(STAKE + 1));
        bond.unbond(1);
        vm.warp(block.timestamp + 7 days);
        vm.expectRevert(ValidatorBond.InvalidAddress.selector);
        bond.withdraw(payable(0));
        vm.stopPrank();
        vm.expectRevert(ValidatorBond.InvalidAddress.selector);
        this.makeValidatorBond(one.gateway, address(0));
        vm.expectRevert(ValidatorBond.InvalidAddress.selector);
        this.makeValidatorBond(IGateway(address(0)), SINK);
    }

    function test_nobody_takes_anothers_bond() public {
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.InvalidAmount.selector, 1));
        bond.unbond(1); // this contract paid for it
        vm.expectRevert(ValidatorBond.NothingToPay.selector);
        bond.withdraw(payable(address(this)));
    }

    function test_a_receiver_that_refuses_can_be_paid_elsewhere() public {
        Refuser refuser = new Refuser();
        bond.post{value: 1 ether}(address(refuser));
        refuser.unbond(bond, 1 ether);
        vm.warp(block.timestamp + 7 days);
        vm.expectRevert();
        refuser.withdraw(bond, address(refuser));
        refuser.withdraw(bond, REPORTER);
        assertEq(REPORTER.balance, 1 ether);
    }

    function test_who_is_paid_cannot_be_paid_again_meanwhile() public {
        Greedy greedy = new Greedy();
        bond.post{value: 1 ether}(address(greedy));
        greedy.unbond(bond, 1 ether);
        vm.warp(block.timestamp + 7 days);
        greedy.withdraw(bond, address(greedy));
        assertTrue(greedy.tried());
        assertFalse(greedy.paidAgain());
        assertEq(address(greedy).balance, 1 ether);
        assertEq(address(bond).balance, STAKE);
    }

    // Slashing

    function test_a_slashed_bond_goes_to_its_reporter_and_the_sink() public {
        vm.prank(_validator);
        bond.unbond(4 ether); // no way out
        slash();
        assertStake(0, 0);
        assertEq(bond.owed(REPORTER), 1 ether);
        assertEq(bond.owed(SINK), 9 ether);
        vm.expectEmit(address(bond));
        emit ValidatorBond.Claimed(REPORTER, address(0xf00d), 1 ether);
        vm.prank(REPORTER);
        bond.claim(payable(address(0xf00d)));
        bond.sweep();
        assertEq(address(0xf00d).balance, 1 ether);
        assertEq(SINK.balance, 9 ether);
        assertEq(address(bond).balance, 0);
        vm.expectRevert(ValidatorBond.NothingToPay.selector);
        bond.sweep();
        vm.expectRevert(ValidatorBond.NothingToPay.selector);
        vm.prank(REPORTER);
        bond.claim(payable(REPORTER));
    }

    function test_a_validator_is_slashed_once_and_never_bonded_again() public {
        slash();
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.AlreadySlashed.selector, _validator));
        bond.post{value: 1}(_validator);
        ValidatorBond.SignedLeaf memory leaf = leafOfOne(ICS24.commitmentKey(a.clientId, 9), VALUE);
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.AlreadySlashed.selector, _validator));
        bond.slashFalsePacket(leaf, a.clientId, 9);
    }

    function test_who_has_no_bond_loses_nothing() public {
        _key = one.keys.privateKeys[1];
        ValidatorBond.SignedLeaf memory leaf = leafOfOne(ICS24.commitmentKey(a.clientId, 9), VALUE);
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.NoBond.selector, one.keys.members[1]));
        bond.slashFalsePacket(leaf, a.clientId, 9);
        bond.post{value: 1}(one.keys.members[1]); // what was signed before counts too
        bond.slashFalsePacket(leaf, a.clientId, 9);
        assertEq(bond.owed(SINK), 1);
    }

    // Contradictions

    function testFuzz_only_contradictions_slash(uint64[2] memory heights, uint64[2] memory times, bool[4] memory how)
        public
    {
        Checkpoint memory x = statement(uint64(bound(heights[0], 2, 4)), uint64(bound(times[0], 1, 3)));
        Checkpoint memory y = statement(uint64(bound(heights[1], 2, 4)), uint64(bound(times[1], 1, 3)));
        if (how[2]) y.root = keccak256("another");
        if (how[3]) y.from = y.height - 1;
        StatementKind kindX = how[0] ? StatementKind.Checkpoint : StatementKind.Absence;
        StatementKind kindY = how[1] ? StatementKind.Checkpoint : StatementKind.Absence;
        bool contradict = x.height == y.height
            ? x.time != y.time || (how[0] && how[1] && x.from == y.from && x.root != y.root)
            : (x.height < y.height ? x.time > y.time : x.time < y.time);
        bytes memory signatureX = signOne(_key, kindX, x);
        bytes memory signatureY = signOne(_key, kindY, y);
        if (!contradict) vm.expectRevert(ValidatorBond.NoContradiction.selector);
        bond.slashContradiction(kindX, x, signatureX, kindY, y, signatureY);
        assertStake(contradict ? 0 : STAKE, 0);
    }

    function test_two_validators_do_not_contradict_themselves() public {
        (Checkpoint memory x, Checkpoint memory y) = (statement(4, 1), statement(4, 2));
        bytes memory signatureX = signOne(_key, StatementKind.Checkpoint, x);
        bytes memory signatureY = signOne(one.keys.privateKeys[1], StatementKind.Checkpoint, y);
        vm.expectRevert(
            abi.encodeWithSelector(ValidatorBond.DifferentSigners.selector, _validator, one.keys.members[1])
        );
        bond.slashContradiction(
            StatementKind.Checkpoint, x, signatureX, StatementKind.Checkpoint, y, signatureY
        );
    }

    function test_another_chain_or_gateway_is_another_matter() public {
        (Checkpoint memory x, Checkpoint memory y) = (statement(4, 1), statement(4, 2));
        bytes32[2] memory origins =
            [keccak256(gatewayBytes(two)), keccak256(gatewayBytes(Ledger(31337, two.gateway, two.keys)))];
        for (uint256 i = 0; i < origins.length; ++i) {
            (x.origin, y.origin) = (origins[i], origins[i]);
            contradictionReverts(x, y, abi.encodeWithSelector(ValidatorBond.WrongOrigin.selector, origins[i]));
        }
        // A copy of this ledger under another chain id has this contract too, but not its validators' statements.
        (x, y) = (statement(4, 1), statement(4, 2));
        vm.chainId(31339);
        contradictionReverts(x, y, abi.encodeWithSelector(ValidatorBond.WrongOrigin.selector, x.origin));
    }

    function test_a_second_form_of_a_signature_is_refused() public {
        (Checkpoint memory x, Checkpoint memory y) = (statement(4, 1), statement(4, 2));
        bytes32 digest = CommitteeStatements.digest(
            CommitteeStatements.domainSeparator(), StatementKind.Checkpoint, x
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_key, digest);
        s = bytes32(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141 - uint256(s));
        bytes memory high = abi.encodePacked(r, s, v == 27 ? uint8(28) : uint8(27));
        bytes memory good = signOne(_key, StatementKind.Checkpoint, y);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, s));
        bond.slashContradiction(StatementKind.Checkpoint, x, high, StatementKind.Checkpoint, y, good);
    }

    // Packets

    function testFuzz_a_packet_that_was_never_sent_slashes(uint64 sequence, bytes32 value) public {
        vm.assume(value != 0);
        ValidatorBond.SignedLeaf memory leaf = leafOfOne(ICS24.commitmentKey(a.clientId, sequence), value);
        bond.slashFalsePacket(leaf, a.clientId, sequence);
        assertStake(0, 0);
    }

    function test_a_packet_of_an_unknown_client_slashes() public {
        bond.slashFalsePacket(leafOfOne(ICS24.commitmentKey("caimi-9-9", 1), VALUE), "caimi-9-9", 1);
        assertStake(0, 0);
    }

    function test_a_packet_that_was_sent_otherwise_slashes() public {
        sendFromOne();
        ValidatorBond.SignedLeaf memory leaf = leafOfOne(ICS24.commitmentKey(a.clientId, 1), VALUE);
        bond.slashFalsePacket(leaf, a.clientId, 1);
        assertStake(0, 0);
    }

    function test_a_packet_that_was_sent_never_slashes() public {
        Packet memory packet = sendFromOne();
        bytes32 key = ICS24.commitmentKey(a.clientId, 1);
        ValidatorBond.SignedLeaf memory leaf = leafOfOne(key, one.gateway.getCommitment(key));
        packetIsTrue(leaf, 1);
        deliver(packet, one, two, b.clientId);
        bytes[][] memory acknowledgements = acknowledged(packet);
        bytes memory proof = proveAcknowledged(two, only(packet));
        enter(one);
        one.gateway.ackPackets(a.clientId, only(packet), acknowledgements, proof);
        assertEq(one.gateway.getCommitment(key), bytes32(0));
        packetIsTrue(leaf, 1);
    }

    function test_a_packet_that_timed_out_never_slashes() public {
        Packet memory packet = sendFromOne();
        bytes32 key = ICS24.commitmentKey(a.clientId, 1);
        ValidatorBond.SignedLeaf memory leaf = leafOfOne(key, one.gateway.getCommitment(key));
        vm.warp(packet.timeoutTimestamp);
        bytes memory proof = proveAbsent(two, only(packet));
        enter(one);
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
        packetIsTrue(leaf, 1);
    }

    /// @dev A call that runs out of gas must not pass for one that knows no such client.
    function testFuzz_too_little_gas_is_no_evidence(uint256 amount) public {
        Packet memory packet = sendFromOne();
        bytes32 key = ICS24.commitmentKey(a.clientId, 1);
        ValidatorBond.SignedLeaf memory leaf = leafOfOne(key, one.gateway.getCommitment(key));
        vm.warp(packet.timeoutTimestamp);
        bytes memory proof = proveAbsent(two, only(packet));
        enter(one);
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
        try bond.slashFalsePacket{gas: bound(amount, 10_000, 200_000)}(leaf, a.clientId, 1) {} catch {}
        assertStake(STAKE, 0);
    }

    function test_a_leaf_that_is_not_in_the_tree_is_no_evidence() public {
        ValidatorBond.SignedLeaf memory leaf = leafOfOne(ICS24.commitmentKey(a.clientId, 9), VALUE);
        vm.expectRevert(ValidatorBond.NotInTree.selector);
        bond.slashFalsePacket(leaf, a.clientId, 8);
        leaf.value = keccak256("another");
        vm.expectRevert(ValidatorBond.NotInTree.selector);
        bond.slashFalsePacket(leaf, a.clientId, 9);
        leaf.value = VALUE;
        leaf.proof = new bytes32[](0);
        vm.expectRevert(ValidatorBond.NotInTree.selector);
        bond.slashFalsePacket(leaf, a.clientId, 9);
    }

    function test_a_packets_leaf_counts_in_a_checkpoint_only() public {
        Checkpoint memory checkpoint = statement(4, 1);
        checkpoint.from = checkpoint.height; // signed as an absence
        ValidatorBond.SignedLeaf memory leaf =
            signLeaf(_key, checkpoint, ICS24.commitmentKey(a.clientId, 9), VALUE);
        vm.expectPartialRevert(ValidatorBond.NoBond.selector); // of nobody
        bond.slashFalsePacket(leaf, a.clientId, 9);
        assertStake(STAKE, 0);
    }

    // Acknowledgements

    function test_an_acknowledgement_that_was_written_never_slashes() public {
        Packet memory packet = receiveAtOne("hello");
        bytes32 key = ICS24.acknowledgementKey(a.clientId, packet.sequence);
        ValidatorBond.SignedLeaf memory leaf = leafOfOne(key, one.gateway.getCommitment(key));
        vm.expectRevert(ValidatorBond.True.selector);
        bond.slashFalseAcknowledgement(leaf, a.clientId, packet.sequence);
    }

    function testFuzz_another_acknowledgement_slashes(bytes32 value, bool written) public {
        if (written) receiveAtOne("hello");
        bytes32 key = ICS24.acknowledgementKey(a.clientId, 1);
        vm.assume(value != one.gateway.getCommitment(key));
        bond.slashFalseAcknowledgement(leafOfOne(key, value), a.clientId, 1);
        assertStake(0, 0);
    }

    // Blocks

    function test_another_hash_of_a_recent_block_slashes() public {
        vm.setBlockhash(999, VALUE);
        ValidatorBond.SignedLeaf memory leaf = leafOfOne(BlockHeader.blockKey(999), VALUE);
        vm.expectRevert(ValidatorBond.True.selector);
        bond.slashFalseBlock(leaf, 999);
        bond.slashFalseBlock(leafOfOne(BlockHeader.blockKey(999), keccak256("another")), 999);
        assertStake(0, 0);
    }

    function test_what_this_ledger_does_not_remember_is_no_evidence() public {
        uint64[4] memory numbers = [uint64(700), 1_000, 1_001, type(uint64).max];
        for (uint256 i = 0; i < numbers.length; ++i) {
            ValidatorBond.SignedLeaf memory leaf = leafOfOne(BlockHeader.blockKey(numbers[i]), VALUE);
            vm.expectRevert(abi.encodeWithSelector(ValidatorBond.UnknownBlock.selector, numbers[i]));
            bond.slashFalseBlock(leaf, numbers[i]);
        }
    }

    /// @dev The runtime code of EIP-2935, which keeps the hash of a block at its number modulo 8,191.
    function test_the_history_contract_remembers_longer() public {
        vm.etch(
            Blockhash.HISTORY_STORAGE_ADDRESS,
            hex"3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
        );
        vm.store(Blockhash.HISTORY_STORAGE_ADDRESS, bytes32(uint256(700)), VALUE);
        ValidatorBond.SignedLeaf memory leaf = leafOfOne(BlockHeader.blockKey(700), VALUE);
        vm.expectRevert(ValidatorBond.True.selector);
        bond.slashFalseBlock(leaf, 700);
        leaf = leafOfOne(BlockHeader.blockKey(700), keccak256("another"));
        uint256 id = vm.snapshotState();
        bond.slashFalseBlock(leaf, 700);
        assertStake(0, 0);
        vm.revertToState(id);
        vm.roll(700 + 8_192);
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.UnknownBlock.selector, 700));
        bond.slashFalseBlock(leaf, 700);
    }

    // Times and absences, over what an anvil recorded (contracts/vectors/record_state_proofs.py)

    function test_another_time_than_the_blocks_slashes() public {
        (bytes memory header, uint64 number, uint64 time) = recorded();
        for (uint64 i = 0; i < 3; ++i) {
            Checkpoint memory checkpoint = statement(number, time);
            if (i == 1) checkpoint.height = number + 1;
            if (i == 2) checkpoint.time = time + 1;
            StatementKind kind = i == 1 ? StatementKind.Checkpoint : StatementKind.Absence;
            bytes memory signature = signOne(_key, kind, checkpoint);
            if (i == 0) vm.expectRevert(ValidatorBond.True.selector);
            if (i == 1) vm.expectRevert(abi.encodeWithSelector(ValidatorBond.WrongHeight.selector, number + 1, number));
            bond.slashFalseTime(kind, checkpoint, signature, header);
            assertStake(i == 2 ? 0 : STAKE, 0);
        }
    }

    function test_a_header_of_no_block_here_is_no_evidence() public {
        (bytes memory header, uint64 number, uint64 time) = recorded();
        Checkpoint memory checkpoint = statement(number, time + 1);
        bytes memory signature = signOne(_key, StatementKind.Checkpoint, checkpoint);
        header[40] ^= 0x01;
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.UnknownBlock.selector, number));
        bond.slashFalseTime(StatementKind.Checkpoint, checkpoint, signature, header);
    }

    function testFuzz_a_received_packet_that_is_called_missing_slashes(uint64 behind) public {
        (, uint64 number,) = recorded();
        uint64 height_ = number + uint64(bound(behind, 0, 100));
        bond.slashFalseAbsence(missing(height_, 9, 0), "caimi-1-0", 9, received());
        assertStake(0, 0);
    }

    function test_an_absence_before_the_receipt_is_no_evidence() public {
        (, uint64 number,) = recorded();
        ValidatorBond.SignedLeaf memory leaf = missing(number - 1, 9, 0);
        ValidatorBond.SlotProof memory proof = received();
        vm.expectRevert(abi.encodeWithSelector(ValidatorBond.WrongHeight.selector, number - 1, number));
        bond.slashFalseAbsence(leaf, "caimi-1-0", 9, proof);
    }

    function test_a_true_absence_is_no_evidence() public {
        (, uint64 number,) = recorded();
        ValidatorBond.SignedLeaf memory leaf = missing(number, 3, 0);
        ValidatorBond.SlotProof memory proof = received();
        vm.expectRevert(); // that proof is of another slot
        bond.slashFalseAbsence(leaf, "caimi-1-0", 3, proof);
        proof.value = 0;
        vm.expectRevert(ValidatorBond.True.selector);
        bond.slashFalseAbsence(leaf, "caimi-1-0", 3, proof);
        // That one packet is missing and another was received contradicts nothing.
        proof = received();
        vm.expectRevert(ValidatorBond.NotInTree.selector);
        bond.slashFalseAbsence(leaf, "caimi-1-0", 9, proof);
        // A receipt that was signed as there.
        leaf = missing(number, 9, VALUE);
        proof = received();
        vm.expectRevert(ValidatorBond.True.selector);
        bond.slashFalseAbsence(leaf, "caimi-1-0", 9, proof);
    }

    function recorded() private returns (bytes memory header, uint64 number, uint64 time) {
        string memory json = vm.readFile("../vectors/state_proofs.json");
        vm.chainId(31399);
        bond = new ValidatorBond(IGateway(vm.parseJsonAddress(json, ".gateway")), SINK);
        bond.post{value: STAKE}(_validator);
        header = vm.parseJsonBytes(json, ".header");
        number = uint64(vm.parseJsonUint(json, ".height"));
        time = uint64(vm.parseJsonUint(json, ".time"));
        vm.roll(number + 100);
        vm.setBlockhash(number, keccak256(header));
    }

    function received() private view returns (ValidatorBond.SlotProof memory) {
        string memory json = vm.readFile("../vectors/state_proofs.json");
        return ValidatorBond.SlotProof(
            vm.parseJsonBytes(json, ".header"),
            vm.parseJsonBytesArray(json, ".account"),
            vm.parseJsonBytesArray(json, ".received.proof"),
            sha256("acknowledgement")
        );
    }

    function missing(uint64 height_, uint64 sequence, bytes32 value)
        private
        view
        returns (ValidatorBond.SignedLeaf memory)
    {
        Checkpoint memory checkpoint = statement(height_, 1);
        checkpoint.from = height_;
        return signLeaf(_key, checkpoint, ICS24.receiptKey("caimi-1-0", sequence), value);
    }

    // What the tests say

    function statement(uint64 height_, uint64 time) private view returns (Checkpoint memory checkpoint) {
        checkpoint.origin = bond.origin();
        checkpoint.committee = hashOf(one.keys);
        checkpoint.from = height_ - 2;
        (checkpoint.height, checkpoint.time) = (height_, time);
        (checkpoint.root, checkpoint.size) = (keccak256("root"), 1);
    }

    function leafOfOne(bytes32 key, bytes32 value) private view returns (ValidatorBond.SignedLeaf memory) {
        return signLeaf(_key, statement(4, 1), key, value);
    }

    function slash() private {
        ValidatorBond.SignedLeaf memory leaf = leafOfOne(ICS24.commitmentKey(a.clientId, 7), VALUE);
        vm.prank(REPORTER);
        bond.slashFalsePacket(leaf, a.clientId, 7);
    }

    function contradictionReverts(Checkpoint memory x, Checkpoint memory y, bytes memory reason) private {
        bytes memory signatureX = signOne(_key, StatementKind.Checkpoint, x);
        bytes memory signatureY = signOne(_key, StatementKind.Checkpoint, y);
        vm.expectRevert(reason);
        bond.slashContradiction(StatementKind.Checkpoint, x, signatureX, StatementKind.Checkpoint, y, signatureY);
    }

    function packetIsTrue(ValidatorBond.SignedLeaf memory leaf, uint64 sequence) private {
        vm.expectRevert(ValidatorBond.True.selector);
        bond.slashFalsePacket(leaf, a.clientId, sequence);
    }

    function assertStake(uint256 active, uint256 leaving) private view {
        (uint128 active_, uint128 leaving_,,) = bond.bonds(_validator);
        assertEq(active_, active);
        assertEq(leaving_, leaving);
    }

    function sendFromOne() private returns (Packet memory) {
        return send(a, b, uint64(block.timestamp + 1 hours), payloadsOf("port", "hello"));
    }

    function receiveAtOne(bytes memory value) private returns (Packet memory packet) {
        packet = send(b, a, uint64(block.timestamp + 1 hours), payloadsOf("port", value));
        deliver(packet, two, one, a.clientId);
    }

    function deliver(Packet memory packet, Ledger memory from, Ledger memory to, string memory clientId) private {
        bytes memory proof = proveSent(from, only(packet));
        enter(to);
        to.gateway.recvPackets(clientId, only(packet), proof);
    }

    function acknowledged(Packet memory packet) private pure returns (bytes[][] memory acknowledgements) {
        acknowledgements = new bytes[][](1);
        acknowledgements[0] = new bytes[](1);
        acknowledgements[0][0] = bytes.concat("ok:", packet.payloads[0].value);
    }
}
