// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {MemberList} from "../../src/clients/MemberList.sol";
import {CommitteeStatements} from "../../src/clients/CommitteeStatements.sol";
import {Routes} from "../../src/gateway/Routes.sol";
import {PacketChecks} from "../../src/gateway/PacketChecks.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {MessagePort} from "../../src/gateway/MessagePort.sol";
import {Packet, Payload} from "../../src/interfaces/IBCTypes.sol";
import {Checkpoint, CommitteeProof, StatementKind} from "../../src/interfaces/ICommitteeClient.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {Network} from "../Network.sol";
import {PuppetApp} from "../gateway/PuppetApp.sol";
import {HandOver} from "../governance/HandOver.sol";
import {DoubleRefund} from "./DoubleRefund.sol";

/// @notice The known robberies of bridges, each tried on this one. Unlimited mint on one side is in ModelBridge.t.sol
///         (a second copy, a third ledger's models), a deposit that never was (Qubit) in LicenceMarket.t.sol (tokens that
///         lie, take a fee or refuse).
contract BridgesTest is Network, HandOver {
    Ledger internal one;
    Ledger internal two;
    End internal a;
    End internal b;
    PuppetApp internal appA;
    PuppetApp internal appB;
    uint64 internal timeout;

    function setUp() public {
        one = makeLedger(31337);
        two = makeLedger(31338);
        (a, b) = connect(one, two);
        appA = new PuppetApp();
        appB = new PuppetApp();
        addApplication(one, "port", appA);
        addApplication(two, "port", appB);
        timeout = uint64(block.timestamp + 1 hours);
    }

    /// @notice Nomad, August 2022: zero was a trusted root, so a message that nobody had committed to was proved.
    /// @dev Zero is never a root, a leaf or a committee, whoever signs.
    function test_nomad_an_unset_root_or_value_proves_nothing() public {
        Packet[] memory packets = only(invented());
        bytes32[] memory keys = new bytes32[](1);
        keys[0] = ICS24.commitmentKey(a.clientId, 1);
        CommitteeProof memory proof;
        proof.checkpoint = checkpointOf(one);
        proof.checkpoint.size = 1;
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.UnknownCommittee.selector, bytes32(0)));
        receiveWith(packets, abi.encode(proof)); // nothing is set
        proof.checkpoint.committee = hashOf(one.keys);
        sign(one.keys, StatementKind.Checkpoint, proof); // even with every signature
        vm.expectRevert(CommitteeClient.InvalidCheckpoint.selector);
        receiveWith(packets, abi.encode(proof));

        bytes memory zero = proveValues(one, keys, new bytes32[](1));
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.ZeroValue.selector, 0));
        b.client.verifyMembership(keys, new bytes32[](1), zero);
        assertEq(appB.received(), 0);
    }

    /// @notice Wormhole, February 2022: the caller named the contract that checked the signatures.
    /// @dev Whom a client believes is in its own code and storage; a committee in a proof must be a known one.
    function test_wormhole_the_caller_names_no_verifier() public {
        Keys memory thief = makeKeys(0, 3, 5, 666);
        Packet[] memory packets = only(invented());
        Ledger memory forged = one;
        forged.keys = thief;
        bytes memory proof = proveInvented(forged, packets);
        vm.expectRevert(
            abi.encodeWithSelector(CommitteeClient.UnknownCommittee.selector, hashOf(thief))
        );
        receiveWith(packets, proof);
    }

    /// @notice Ronin, March 2022, and Harmony, June 2022: enough keys in one place.
    /// @dev One key fewer than the threshold forges nothing, and no key counts twice.
    function test_ronin_harmony_keys_below_the_threshold_forge_nothing() public {
        Packet[] memory packets = only(invented());
        CommitteeProof memory proof = abi.decode(proveInvented(one, packets), (CommitteeProof));
        uint16 threshold = one.keys.threshold;
        bytes32 digest = digestOf(proof);
        (proof.signers, proof.signatures) = signDigest(one.keys, digest, threshold - 1);
        vm.expectRevert(
            abi.encodeWithSelector(CommitteeClient.TooFewSignatures.selector, threshold - 1, threshold)
        );
        receiveWith(packets, abi.encode(proof));

        // The last one again, in a further member's name.
        bytes memory last = new bytes(65);
        for (uint256 i = 0; i < 65; ++i) {
            last[i] = proof.signatures[proof.signatures.length - 65 + i];
        }
        proof.signatures = bytes.concat(proof.signatures, last);
        proof.signers |= 1 << (threshold - 1);
        vm.expectRevert(
            abi.encodeWithSelector(CommitteeClient.DuplicateSignature.selector, one.keys.members[threshold - 2])
        );
        receiveWith(packets, abi.encode(proof));
    }

    /// @notice BNB Token Hub, October 2022: bytes of a proof that the root did not bind.
    /// @dev Whatever bit of a statement, a signature or a sibling is changed, nothing is proved, and what is said is
    ///      what was changed.
    function testFuzz_bnb_a_changed_proof_proves_nothing(uint256 place, uint8 bit) public {
        Packet[] memory packets = only(send(a, b, timeout, payloadsOf("port", "x")));
        send(a, b, timeout, payloadsOf("port", "y"));
        bytes32[] memory keys = new bytes32[](2);
        bytes32[] memory values = new bytes32[](2);
        for (uint64 i = 0; i < 2; ++i) {
            keys[i] = ICS24.commitmentKey(a.clientId, i + 1);
            values[i] = one.gateway.getCommitment(keys[i]);
        }
        CommitteeProof memory proof = abi.decode(proveValues(one, keys, values), (CommitteeProof));
        // Of the two leaves only the first is proved; the other is its sibling.
        proof.proof = new bytes32[](1);
        proof.proof[0] = leafOf(keys[1], values[1]);
        proof.proofFlags = new bool[](1);
        bytes memory siblings = abi.encodePacked(proof.proof);
        bytes memory all = bytes.concat(
            abi.encode(proof.checkpoint), bytes32(proof.signers), siblings, proof.signatures
        );
        all[place % all.length] ^= bytes1(uint8(1 << (bit % 8)));
        // What no longer fits its type is refused by the decoder; the others by what they say.
        try this.rebuild(all, proof) returns (bytes memory changed) {
            vm.chainId(two.chainId);
            (bool accepted, bytes memory reason) =
                address(two.gateway).call(abi.encodeCall(IGateway.recvPackets, (b.clientId, packets, changed)));
            assertFalse(accepted);
            assertEq(reason, refusalOf(place % all.length, abi.decode(changed, (CommitteeProof)), bytes4(reason)));
        } catch {}
        assertEq(appB.received(), 0);
        receiveWith(packets, abi.encode(proof));
        assertEq(appB.received(), 1);
    }

    function rebuild(bytes calldata all, CommitteeProof calldata like) external pure returns (bytes memory) {
        CommitteeProof memory proof = like;
        proof.checkpoint = abi.decode(all[:224], (Checkpoint));
        proof.signers = uint256(bytes32(all[224:256]));
        proof.proof[0] = bytes32(all[256:288]);
        proof.signatures = all[288:];
        return abi.encode(proof);
    }

    /// @dev What is said when the byte at `place` of a statement, its signers, a sibling and the signatures was changed;
    ///      `said` where a changed signature may recover somebody or nobody.
    function refusalOf(uint256 place, CommitteeProof memory changed, bytes4 said) private view returns (bytes memory) {
        Checkpoint memory statement = changed.checkpoint;
        if (place < 32) return abi.encodeWithSelector(CommitteeClient.WrongOrigin.selector, statement.origin);
        if (place < 64) return abi.encodeWithSelector(CommitteeClient.UnknownCommittee.selector, statement.committee);
        if (statement.time > block.timestamp + 10 minutes) {
            return abi.encodeWithSelector(CommitteeClient.FutureTime.selector, statement.time, block.timestamp);
        }
        // What was signed is another statement: its signature is of nobody known.
        address first = one.keys.members[0];
        if (place < 224) return abi.encodeWithSelector(CommitteeClient.InvalidSignature.selector, first);
        if (place < 256) return wrongSigners(changed);
        if (place < 288) return abi.encodeWithSelector(CommitteeClient.InvalidMerkleProof.selector);
        uint256 part = (place - 288) % 65;
        address member = one.keys.members[(place - 288) / 65];
        if (part == 64) return abi.encodeWithSelector(CommitteeClient.MalformedSignature.selector, member); // v
        bytes1 top = changed.signatures[(place - 288) / 65 * 65 + 32];
        if (part == 32 && top >= 0x80) return abi.encodeWithSelector(CommitteeClient.HighS.selector, member);
        // Of half of all r there is no point of the curve.
        return abi.encodeWithSelector(
            said == CommitteeClient.MalformedSignature.selector
                ? CommitteeClient.MalformedSignature.selector
                : CommitteeClient.InvalidSignature.selector,
            member
        );
    }

    /// @dev A member more or fewer than signed; who is named moves up, but for the last.
    function wrongSigners(CommitteeProof memory changed) private view returns (bytes memory) {
        uint256 count = one.keys.members.length;
        uint16 threshold = one.keys.threshold;
        if (changed.signers >> count != 0) {
            return abi.encodeWithSelector(CommitteeClient.UnknownSigner.selector, changed.signers);
        }
        for (uint256 i = 0; i + 1 < threshold; ++i) {
            if ((changed.signers >> i) & 1 == 0) {
                return abi.encodeWithSelector(
                    CommitteeClient.SignatureOutOfOrder.selector, one.keys.members[i + 1], one.keys.members[i]
                );
            }
        }
        return
            abi.encodeWithSelector(CommitteeClient.InvalidSignaturesLength.selector, changed.signatures.length);
    }

    /// @notice Replays on forks and sister chains, as after every chain split.
    /// @dev A packet is for one client of one gateway of one chain, and a statement about one gateway of one chain.
    function test_replay_what_was_proved_for_one_chain_counts_on_no_other() public {
        Ledger memory three = makeLedger(31339);
        (, End memory d) = connect(one, three);
        PuppetApp appC = new PuppetApp();
        addApplication(three, "port", appC);
        Packet[] memory packets = only(send(a, b, timeout, payloadsOf("port", "x")));
        bytes memory proof = proveSent(one, packets);
        receiveWith(packets, proof);
        enter(three);
        vm.expectRevert(
            abi.encodeWithSelector(PacketChecks.WrongRoute.selector, uint64(1), a.clientId, b.clientId)
        );
        three.gateway.recvPackets(d.clientId, packets, proof);

        // A ledger that split off, with the same validators: its statements have another origin.
        Ledger memory fork = makeLedger(31340, one.keys);
        bytes32[] memory keys = new bytes32[](1);
        bytes32[] memory values = new bytes32[](1);
        (keys[0], values[0]) = (ICS24.commitmentKey(a.clientId, 2), bytes32(uint256(1)));
        bytes memory split = proveValues(fork, keys, values);
        vm.expectRevert(
            abi.encodeWithSelector(CommitteeClient.WrongOrigin.selector, keccak256(gatewayBytes(fork)))
        );
        b.client.verifyMembership(keys, values, split);
        assertEq(appB.received(), 1);
        assertEq(appC.received(), 0);
    }

    /// @notice Re-entrancy on delivery: the recipient has the message delivered to it once more.
    /// @dev The slot is taken and the gateway locked before an application runs.
    function test_re_entrancy_on_delivery_gains_nothing() public {
        Packet[] memory packets = only(send(a, b, timeout, payloadsOf("port", "call")));
        bytes memory proof = proveSent(one, packets);
        appB.setCall(address(two.gateway), abi.encodeCall(IGateway.recvPackets, (b.clientId, packets, proof)));
        receiveWith(packets, proof);
        assertFalse(appB.callSucceeded());
        assertEq(appB.received(), 1);
    }

    /// @notice An upgrade without delay: whoever holds one key changes what checks the proofs.
    /// @dev There is no proxy; a route's client is changed by its authority alone, which after the hand-over is a
    ///      timelock. Even the keys that propose wait, in public: a guardian stops the route meanwhile, and the
    ///      change is cancelled.
    function test_upgrade_nobody_changes_what_checks_proofs_without_delay() public {
        Keys memory thief = makeKeys(0, 2, 3, 666);
        ILightClient own = new CommitteeClient(
            gatewayBytes(one), 0, thief.threshold, thief.members, thief.operators, address(STRANGER)
        );
        address gateway = address(two.gateway);
        bytes[3] memory upgrades = [
            abi.encodeCall(IGateway.migrateClient, (b.clientId, own)),
            abi.encodeCall(IGateway.recoverClient, (b.clientId, own)),
            abi.encodeCall(IGateway.addClient, (own, ledgerBytes(one)))
        ];
        manager.grantRole(GUARDIAN_ROLE, GUARDIAN, 0);
        bytes4[] memory stops = new bytes4[](1);
        stops[0] = IGateway.pauseRoute.selector;
        manager.setTargetFunctionRole(gateway, stops, GUARDIAN_ROLE);
        handOver(manager);

        Packet[] memory packets = only(invented());
        Ledger memory forged = one;
        forged.keys = thief;
        bytes memory proof = proveInvented(forged, packets);
        address[4] memory accounts = [STRANGER, address(this), GUARDIAN, PROPOSER];
        for (uint256 i = 0; i < upgrades.length; ++i) {
            for (uint256 j = 0; j < accounts.length; ++j) {
                vm.prank(accounts[j]);
                (bool changed, bytes memory reason) = gateway.call(upgrades[i]);
                assertFalse(changed);
                assertEq(
                    reason, abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, accounts[j])
                );
            }
            bytes32 id = propose(gateway, upgrades[i]);
            vm.expectRevert(notReady(id));
            carryOut(gateway, upgrades[i]);
        }
        vm.warp(block.timestamp + DELAY - 1);
        bytes32 migration = timelock.hashOperation(gateway, 0, upgrades[0], 0, 0);
        vm.expectRevert(notReady(migration));
        carryOut(gateway, upgrades[0]);
        vm.expectRevert(abi.encodeWithSelector(CommitteeClient.UnknownCommittee.selector, hashOf(thief)));
        receiveWith(packets, proof);
        vm.prank(GUARDIAN);
        two.gateway.pauseRoute(b.clientId);
        vm.prank(PROPOSER);
        timelock.cancel(migration);
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(notReady(migration));
        carryOut(gateway, upgrades[0]);
        vm.expectRevert(abi.encodeWithSelector(Routes.RoutePaused.selector, b.clientId));
        receiveWith(packets, proof);
        (ILightClient client,,) = two.gateway.getClient(b.clientId);
        assertEq(address(client), address(b.client));
        assertEq(appB.received(), 0);
    }

    /// @notice Poly Network, August 2021: a message reached the contract that kept the keepers' keys.
    /// @dev The gateway calls registered applications' callbacks; accounts are called by the message port, with
    ///      receiveMessage and nothing else.
    function test_poly_no_message_reaches_a_privileged_contract() public {
        MessagePort portA = new MessagePort(one.gateway);
        MessagePort portB = new MessagePort(two.gateway);
        addApplication(one, "erc7786", portA);
        addApplication(two, "erc7786", portB);
        address[4] memory targets =
            [address(two.gateway), address(manager), address(b.client), address(portB)];
        bytes memory order = abi.encodeCall(IGateway.recoverClient, (b.clientId, ILightClient(address(0xbad))));
        for (uint256 i = 0; i < targets.length; ++i) {
            Payload[] memory payloads = payloadsOf("erc7786", "");
            payloads[0].version = "caimi-message-1";
            payloads[0].value = abi.encode(
                uint8(3),
                InteroperableAddress.formatEvmV1(one.chainId, address(0xbad)),
                InteroperableAddress.formatEvmV1(two.chainId, targets[i]),
                order
            );
            Packet[] memory packets = only(send(a, b, timeout, payloads));
            receiveWith(packets, proveSent(one, packets));
            assertEq(
                two.gateway.getCommitment(ICS24.acknowledgementKey(b.clientId, packets[0].sequence)),
                errorCommitment()
            );
        }
        (ILightClient client,,) = two.gateway.getClient(b.clientId);
        assertEq(address(client), address(b.client));
    }

    /// @notice KelpDAO, April 2026: one verifier, fed by poisoned nodes, was enough.
    /// @dev A committee with a threshold below two, or without a majority, cannot be made. (That validators compare
    ///      several endpoints is tests/messaging/test_witnesses.py's.)
    function test_kelpdao_one_verifier_is_no_committee() public {
        uint16[3] memory thresholds = [uint16(0), 1, 2];
        uint256[3] memory sizes = [uint256(1), 1, 4];
        for (uint256 i = 0; i < 3; ++i) {
            Keys memory keys = makeKeys(0, thresholds[i], sizes[i], 5);
            bytes memory origin = gatewayBytes(one);
            vm.expectRevert(
                abi.encodeWithSelector(MemberList.InvalidThreshold.selector, thresholds[i], sizes[i])
            );
            this.makeCommitteeClient(origin, 0, thresholds[i], keys.members, keys.operators, address(manager));
        }
    }

    /// @notice IBC, 2024: a timeout's callback ran before the commitment was deleted, and was entered again.
    /// @dev The commitment goes first; a packet is refunded once.
    function test_ibc_a_timeout_refunds_once_however_it_is_re_entered() public {
        DoubleRefund app = new DoubleRefund(one.gateway);
        addApplication(one, "refund", app);
        Packet[] memory packets = only(send(a, b, timeout, payloadsOf("refund", "x")));
        vm.warp(timeout);
        bytes memory proof = proveAbsent(two, packets);
        bytes memory call = abi.encodeCall(IGateway.timeoutPackets, (a.clientId, packets, proof));
        app.arm(call);
        enter(one);
        one.gateway.timeoutPackets(a.clientId, packets, proof);
        one.gateway.timeoutPackets(a.clientId, packets, proof); // and afterwards
        assertEq(app.refunds(), 1);
        assertFalse(app.secondSucceeded());
    }

    // Short forms

    function invented() private view returns (Packet memory) {
        return Packet(1, a.clientId, b.clientId, timeout, payloadsOf("port", "forged"));
    }

    function commit(Payload[] calldata payloads) external view returns (bytes32) {
        return ICS24.packetCommitment(b.clientId, timeout, payloads);
    }

    /// @dev A statement about packets that were never sent.
    function proveInvented(Ledger memory ledger, Packet[] memory packets) private returns (bytes memory) {
        bytes32[] memory keys = new bytes32[](packets.length);
        bytes32[] memory values = new bytes32[](packets.length);
        for (uint256 i = 0; i < packets.length; ++i) {
            keys[i] = ICS24.commitmentKey(a.clientId, packets[i].sequence);
            values[i] = this.commit(packets[i].payloads);
        }
        return proveValues(ledger, keys, values);
    }

    function receiveWith(Packet[] memory packets, bytes memory proof) private {
        vm.chainId(two.chainId);
        two.gateway.recvPackets(b.clientId, packets, proof);
    }

    function errorCommitment() private pure returns (bytes32) {
        bytes[] memory acks = new bytes[](1);
        acks[0] = ICS24.UNIVERSAL_ERROR;
        return ICS24.acknowledgementCommitment(acks);
    }

    function digestOf(CommitteeProof memory proof) private pure returns (bytes32) {
        return CommitteeStatements.digest(
            CommitteeStatements.domainSeparator(), StatementKind.Checkpoint, proof.checkpoint
        );
    }
}
