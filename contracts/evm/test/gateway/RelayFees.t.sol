// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ICS24} from "../../src/gateway/ICS24.sol";
import {RelayFees} from "../../src/gateway/RelayFees.sol";
import {Packet} from "../../src/interfaces/IBCTypes.sol";
import {Network} from "../Network.sol";
import {Test} from "../Test.sol";
import {PuppetApp} from "./PuppetApp.sol";

/// @notice Two ledgers, fees on the first, and what happens to packets from it.
abstract contract FeeLedgers is Network {
    Ledger internal one;
    Ledger internal two;
    End internal a;
    End internal b;
    RelayFees public fees;
    address internal alice = address(0xa11ce);
    address internal relayer = address(0x4e1a);
    address internal thief = address(0x7e1f);

    function open() internal {
        one = makeLedger(31337);
        two = makeLedger(31338);
        (a, b) = connect(one, two);
        addApplication(one, "port", new PuppetApp());
        addApplication(two, "port", new PuppetApp());
        fees = new RelayFees(one.gateway);
    }

    function sendUntil(uint64 timeout, bytes memory value) internal returns (Packet memory) {
        return send(a, b, timeout, payloadsOf("port", value));
    }

    function escrow(Packet memory packet, address payer, address to, uint128 amount) internal {
        enter(one);
        vm.deal(payer, payer.balance + amount);
        vm.prank(payer);
        fees.escrow{value: amount}(packet, to);
    }

    function receivePackets(Packet[] memory packets) internal {
        bytes memory proof = proveSent(one, packets);
        enter(two);
        two.gateway.recvPackets(b.clientId, packets, proof);
    }

    function idsOf(Packet[] memory packets, address payer, address to)
        internal
        pure
        returns (RelayFees.FeeId[] memory ids)
    {
        ids = new RelayFees.FeeId[](packets.length);
        for (uint256 i = 0; i < packets.length; ++i) {
            ids[i] = RelayFees.FeeId(packets[i].sequence, to, payer);
        }
    }

    function claim(Packet[] memory packets, address payer, address to) internal {
        bytes memory proof = proveAcknowledged(two, packets);
        bytes32[] memory values = new bytes32[](packets.length);
        for (uint256 i = 0; i < packets.length; ++i) {
            values[i] = two.gateway.getCommitment(ICS24.acknowledgementKey(b.clientId, packets[i].sequence));
        }
        enter(one);
        fees.claim(a.clientId, idsOf(packets, payer, to), values, proof);
    }

    function refund(Packet[] memory packets, address payer, address to) internal {
        bytes memory proof = proveAbsent(two, packets);
        enter(one);
        fees.refund(a.clientId, idsOf(packets, payer, to), proof);
    }
}

contract RelayFeesTest is FeeLedgers {
    uint64 internal timeout;

    function setUp() public {
        open();
        timeout = uint64(block.timestamp + 1 hours);
    }

    function test_the_named_relayer_is_paid_on_proof_of_the_acknowledgement() public {
        Packet[] memory packets = only(sendUntil(timeout, "x"));
        escrow(packets[0], alice, relayer, 7);
        receivePackets(packets);
        claim(packets, alice, relayer);
        assertEq(fees.owed(relayer), 7);
        assertEq(fees.held(), 0);
        vm.prank(relayer);
        fees.withdraw(payable(relayer));
        assertEq(relayer.balance, 7);
        assertEq(address(fees).balance, 0);
    }

    function test_a_packet_that_was_refused_was_carried() public {
        Packet[] memory packets = only(sendUntil(timeout, "refuse"));
        escrow(packets[0], alice, relayer, 7);
        receivePackets(packets);
        claim(packets, alice, relayer);
        assertEq(fees.owed(relayer), 7);
    }

    function test_whoever_delivers_and_claims_the_named_relayer_is_paid() public {
        Packet[] memory packets = only(sendUntil(timeout, "x"));
        escrow(packets[0], alice, relayer, 7);
        vm.startPrank(thief);
        receivePackets(packets);
        vm.stopPrank();
        vm.startPrank(thief);
        claim(packets, alice, relayer);
        claim(packets, alice, thief);
        vm.stopPrank();
        assertEq(fees.owed(relayer), 7);
        assertEq(fees.owed(thief), 0);
    }

    function test_a_fee_is_paid_once() public {
        Packet[] memory packets = only(sendUntil(timeout, "x"));
        escrow(packets[0], alice, relayer, 7);
        escrow(sendUntil(timeout, "another's"), alice, relayer, 100);
        receivePackets(packets);
        claim(packets, alice, relayer);
        claim(packets, alice, relayer);
        assertEq(fees.owed(relayer), 7);
        assertEq(fees.held(), 100);
    }

    function test_a_batch_is_claimed_with_one_proof_although_one_was_claimed_before() public {
        Packet[] memory packets = new Packet[](3);
        for (uint256 i = 0; i < 3; ++i) {
            packets[i] = sendUntil(timeout, abi.encode(i));
            escrow(packets[i], alice, relayer, uint128(10 ** i));
        }
        receivePackets(packets);
        claim(only(packets[1]), alice, relayer);
        assertEq(fees.owed(relayer), 10);
        claim(packets, alice, relayer);
        assertEq(fees.owed(relayer), 111);
    }

    function test_a_packet_not_received_in_time_is_refunded_to_who_paid() public {
        Packet[] memory packets = only(sendUntil(timeout, "x"));
        escrow(packets[0], alice, relayer, 7);
        escrow(packets[0], thief, relayer, 1);
        vm.warp(timeout);
        refund(packets, alice, relayer);
        refund(packets, alice, relayer);
        assertEq(fees.owed(alice), 7);
        assertEq(fees.owed(relayer), 0);
        assertEq(fees.held(), 1);
    }

    function test_nothing_is_refunded_before_the_timeout() public {
        Packet[] memory packets = only(sendUntil(timeout, "x"));
        escrow(packets[0], alice, relayer, 7);
        bytes memory proof = proveAbsent(two, packets);
        enter(one);
        uint64 proved = timeout - 1 hours;
        vm.warp(timeout);
        vm.expectRevert(abi.encodeWithSelector(RelayFees.TimeoutNotReached.selector, 1, timeout, proved));
        fees.refund(a.clientId, idsOf(packets, alice, relayer), proof);
    }

    function test_a_proof_about_another_packet_pays_nothing() public {
        Packet[] memory packets = only(sendUntil(timeout, "x"));
        Packet memory undelivered = sendUntil(timeout, "y");
        escrow(undelivered, alice, relayer, 7);
        receivePackets(packets);
        bytes memory proof = proveAcknowledged(two, packets);
        bytes32[] memory values = new bytes32[](1);
        values[0] = two.gateway.getCommitment(ICS24.acknowledgementKey(b.clientId, 1));
        enter(one);
        vm.expectRevert();
        fees.claim(a.clientId, idsOf(only(undelivered), alice, relayer), values, proof);
    }

    function test_what_nobody_proves_anything_about_goes_back_after_thirty_days() public {
        Packet memory packet = sendUntil(timeout, "x");
        escrow(packet, alice, relayer, 7);
        RelayFees.FeeId memory id = RelayFees.FeeId(1, relayer, alice);
        uint256 at = uint256(timeout) + fees.ABANDONED_AFTER();
        vm.warp(at - 1);
        vm.expectRevert(abi.encodeWithSelector(RelayFees.NotAbandoned.selector, 1, at));
        fees.reclaim(a.clientId, id);
        vm.warp(at);
        fees.reclaim(a.clientId, id);
        fees.reclaim(a.clientId, RelayFees.FeeId(1, thief, alice));
        assertEq(fees.owed(alice), 7);
        assertEq(fees.held(), 0);
    }

    function test_only_an_open_packet_with_its_true_timeout_is_paid_for() public {
        Packet memory packet = sendUntil(timeout, "x");
        packet.timeoutTimestamp += 1;
        vm.deal(alice, 1);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(RelayFees.NotOpen.selector, a.clientId, 1));
        fees.escrow{value: 1}(packet, relayer);
        packet.timeoutTimestamp -= 1;
        vm.warp(timeout);
        bytes memory proof = proveAbsent(two, only(packet));
        enter(one);
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(RelayFees.NotOpen.selector, a.clientId, 1));
        fees.escrow{value: 1}(packet, relayer);
    }

    function test_a_fee_names_a_relayer_and_is_some_coins() public {
        Packet memory packet = sendUntil(timeout, "x");
        vm.expectRevert(RelayFees.NoRelayer.selector);
        fees.escrow(packet, address(0));
        vm.expectRevert(RelayFees.NoFee.selector);
        fees.escrow(packet, relayer);
        uint256 most = type(uint128).max;
        vm.deal(address(this), 2 * most);
        vm.expectRevert(RelayFees.NoFee.selector);
        fees.escrow{value: most + 1}(packet, relayer);
        fees.escrow{value: most}(packet, relayer);
        assertEq(fees.held(), most);
    }

    function test_as_many_acknowledgements_are_claimed_with_as_there_are_fees() public {
        Packet[] memory packets = only(sendUntil(timeout, "x"));
        RelayFees.FeeId[] memory ids = idsOf(packets, alice, relayer);
        for (uint256 count = 0; count < 3; count += 2) {
            vm.expectRevert(RelayFees.LengthMismatch.selector);
            fees.claim(a.clientId, ids, new bytes32[](count), "");
        }
    }

    /// @dev The slot of an acknowledgement says at once that the packet was received, and a proof of the ledger's state
    ///      shows what it says; the fee is for what comes after.
    function test_a_fee_is_not_paid_while_the_acknowledgement_is_pending() public {
        Packet[] memory packets = only(sendUntil(timeout, "empty"));
        escrow(packets[0], alice, relayer, 7);
        receivePackets(packets);
        bytes32 slot = two.gateway.getCommitment(ICS24.acknowledgementKey(b.clientId, 1));
        assertEq(slot, bytes32(uint256(1)));
        bytes memory proof = proveAcknowledged(two, packets);
        bytes32[] memory values = new bytes32[](1);
        values[0] = slot;
        enter(one);
        vm.expectRevert(abi.encodeWithSelector(RelayFees.NotAcknowledged.selector, 1));
        fees.claim(a.clientId, idsOf(packets, alice, relayer), values, proof);

        enter(two);
        vm.prank(address(two.gateway.getApplication("port")));
        two.gateway.writeAcknowledgement(b.clientId, 1, "late");
        claim(packets, alice, relayer);
        assertEq(fees.owed(relayer), 7);
    }

    function test_what_is_owed_goes_where_its_owner_says_and_strands_nobody() public {
        address stranded = address(new PuppetApp()); // takes no coins
        Packet[] memory packets = only(sendUntil(timeout, "x"));
        escrow(packets[0], alice, stranded, 7);
        receivePackets(packets);
        claim(packets, alice, stranded);
        vm.startPrank(stranded);
        vm.expectRevert();
        fees.withdraw(payable(stranded));
        vm.expectRevert(abi.encodeWithSelector(RelayFees.InvalidRecipient.selector, address(0)));
        fees.withdraw(payable(address(0)));
        fees.withdraw(payable(alice));
        vm.stopPrank();
        assertEq(alice.balance, 7);
        assertEq(fees.owed(stranded), 0);
    }

    function test_nothing_owed_is_nothing_withdrawn() public {
        vm.expectRevert(abi.encodeWithSelector(RelayFees.NothingOwed.selector, thief));
        vm.prank(thief);
        fees.withdraw(payable(thief));
    }
}

/// @notice Payers, relayers and thieves in any order, counting every coin.
contract FeeHandler is FeeLedgers {
    bytes[] internal packets; // encoded
    uint256 public paidIn;
    uint256 public withdrawn;

    constructor() {
        open();
    }

    function sendOne(uint256 lifetime) external {
        uint64 timeout = uint64(block.timestamp + bound(lifetime, 1, 24 hours));
        packets.push(abi.encode(sendUntil(timeout, abi.encode(packets.length))));
    }

    function packetAt(uint256 index) private view returns (Packet memory) {
        return abi.decode(packets[index % packets.length], (Packet));
    }

    function pay(uint256 index, uint256 payer, uint256 to, uint128 amount) external {
        if (packets.length == 0) return;
        Packet memory packet = packetAt(index);
        amount = uint128(bound(amount, 1, 1e24));
        enter(one);
        vm.deal(who(payer), who(payer).balance + amount);
        vm.prank(who(payer));
        try fees.escrow{value: amount}(packet, who(to)) {
            paidIn += amount;
        } catch {
            vm.deal(who(payer), who(payer).balance - amount);
        }
    }

    function receiveOne(uint256 index) external {
        if (packets.length > 0) receivePackets(only(packetAt(index)));
    }

    function claimOne(uint256 index, uint256 payer, uint256 to) external {
        if (packets.length == 0) return;
        Packet memory packet = packetAt(index);
        if (two.gateway.hasReceipt(b.clientId, packet.sequence)) claim(only(packet), who(payer), who(to));
    }

    function refundOne(uint256 index, uint256 payer, uint256 to) external {
        if (packets.length == 0) return;
        Packet memory packet = packetAt(index);
        if (block.timestamp < packet.timeoutTimestamp || two.gateway.hasReceipt(b.clientId, packet.sequence)) return;
        refund(only(packet), who(payer), who(to));
    }

    function withdrawOne(uint256 account) external {
        uint256 amount = fees.owed(who(account));
        if (amount == 0) return;
        vm.prank(who(account));
        fees.withdraw(payable(who(account)));
        withdrawn += amount;
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 12 hours));
    }

    function who(uint256 index) public view returns (address) {
        return [alice, relayer, thief][index % 3];
    }
}

contract RelayFeesInvariantTest is Test {
    FeeHandler private handler;

    function setUp() public {
        handler = new FeeHandler();
        bytes4[] memory selectors = new bytes4[](7);
        selectors[0] = FeeHandler.sendOne.selector;
        selectors[1] = FeeHandler.pay.selector;
        selectors[2] = FeeHandler.receiveOne.selector;
        selectors[3] = FeeHandler.claimOne.selector;
        selectors[4] = FeeHandler.refundOne.selector;
        selectors[5] = FeeHandler.withdrawOne.selector;
        selectors[6] = FeeHandler.wait.selector;
        targetContract(address(handler));
        targetSelector(address(handler), selectors);
    }

    function invariant_what_came_in_is_held_owed_or_withdrawn() public view {
        uint256 owed;
        for (uint256 i = 0; i < 3; ++i) {
            owed += handler.fees().owed(handler.who(i));
        }
        assertEq(handler.paidIn(), handler.fees().held() + owed + handler.withdrawn());
        assertEq(address(handler.fees()).balance, handler.fees().held() + owed);
    }
}
