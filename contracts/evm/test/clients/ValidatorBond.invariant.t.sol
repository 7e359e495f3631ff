// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ValidatorBond} from "../../src/clients/ValidatorBond.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet} from "../../src/interfaces/IBCTypes.sol";
import {Checkpoint, StatementKind} from "../../src/interfaces/ICommitteeClient.sol";
import {PuppetApp} from "../gateway/PuppetApp.sol";
import {Bonds} from "./Bonds.sol";

/// @dev Four validators that post, leave and withdraw in any order while packets come, go and end. The first signs what
///      is so and nothing else, and everything that it signed is held against it again and again; the others lie.
contract BondHandler is Bonds {
    Ledger private one;
    Ledger private two;
    End private a;
    End private b;
    ValidatorBond public immutable bond;
    uint256[4] private _keys = [uint256(0xa1), 0xa2, 0xa3, 0xa4];
    uint256 public paidIn;
    uint256 public paidOut;
    uint256 public accusations;
    uint256 public slashes;
    bool public honestWasSlashed;
    bool public slashedWasBonded;
    ValidatorBond.SignedLeaf[] private _packets;
    ValidatorBond.SignedLeaf[] private _acknowledgements;
    bytes[] private _sent; // packets, encoded

    constructor() {
        one = makeLedger(31337);
        two = makeLedger(31338);
        (a, b) = connect(one, two);
        addApplication(one, "port", new PuppetApp());
        addApplication(two, "port", new PuppetApp());
        enter(one);
        bond = new ValidatorBond(one.gateway, SINK);
        post(0, 5 ether);
        post(1, 3 ether);
    }

    function validator(uint256 who) public view returns (address) {
        return vm.addr(_keys[who % 4]);
    }

    function reporter(uint256 who) public pure returns (address) {
        return address(uint160(0x4e90 + who % 2));
    }

    // Coins

    function post(uint256 who, uint256 amount) public {
        amount = bound(amount, 1, 10 ether);
        vm.deal(address(this), amount);
        (,,, bool slashed) = bond.bonds(validator(who));
        try bond.post{value: amount}(validator(who)) {
            paidIn += amount;
            if (slashed) slashedWasBonded = true;
        } catch {}
    }

    function unbond(uint256 who, uint256 amount) external {
        (uint128 active,,,) = bond.bonds(validator(who));
        if (active == 0) return;
        vm.prank(validator(who));
        bond.unbond(uint128(bound(amount, 1, active)));
    }

    function withdraw(uint256 who) external {
        address to = address(uint160(0xface00 + who % 4));
        uint256 before = to.balance;
        vm.prank(validator(who));
        try bond.withdraw(payable(to)) {
            paidOut += to.balance - before;
        } catch {}
    }

    function claim(uint256 who) external {
        uint256 amount = bond.owed(reporter(who));
        vm.prank(reporter(who));
        try bond.claim(payable(reporter(who))) {
            paidOut += amount;
        } catch {}
    }

    function sweep() external {
        uint256 amount = bond.owed(SINK);
        try bond.sweep() {
            paidOut += amount;
        } catch {}
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1 hours, 3 days));
    }

    // Packets, of which the honest validator signs what is so at the time

    function sendPacket() external {
        Packet memory packet = send(a, b, uint64(block.timestamp + 1 hours), payloadsOf("port", "out"));
        _sent.push(abi.encode(packet));
        bytes32 key = ICS24.commitmentKey(a.clientId, packet.sequence);
        _packets.push(honest(key, one.gateway.getCommitment(key)));
    }

    function timeOut(uint256 place) external {
        if (_sent.length == 0) return;
        Packet memory packet = abi.decode(_sent[place % _sent.length], (Packet));
        if (block.timestamp < packet.timeoutTimestamp) vm.warp(packet.timeoutTimestamp);
        bytes memory proof = proveAbsent(two, only(packet));
        enter(one);
        one.gateway.timeoutPackets(a.clientId, only(packet), proof);
    }

    function receivePacket() external {
        Packet memory packet = send(b, a, uint64(block.timestamp + 1 hours), payloadsOf("port", "in"));
        bytes memory proof = proveSent(two, only(packet));
        enter(one);
        one.gateway.recvPackets(a.clientId, only(packet), proof);
        bytes32 key = ICS24.acknowledgementKey(a.clientId, packet.sequence);
        _acknowledgements.push(honest(key, one.gateway.getCommitment(key)));
    }

    // Evidence

    /// @dev Everything that the honest validator signed, under every sequence that it may be taken for.
    function accuse(uint256 place, uint64 sequence) external {
        sequence = uint64(bound(sequence, 0, 12));
        if (_packets.length > 0) {
            uint256 i = place % _packets.length;
            try bond.slashFalsePacket(_packets[i], a.clientId, sequence) { honestWasSlashed = true; } catch {}
            try bond.slashFalsePacket(_packets[i], a.clientId, uint64(i + 1)) { honestWasSlashed = true; } catch {}
            ++accusations;
        }
        if (_acknowledgements.length > 0) {
            uint256 i = place % _acknowledgements.length;
            try bond.slashFalseAcknowledgement(_acknowledgements[i], a.clientId, uint64(i + 1)) {
                honestWasSlashed = true;
            } catch {}
            ++accusations;
        }
        if (_packets.length > 0 && _acknowledgements.length > 0) {
            ValidatorBond.SignedLeaf memory x = _packets[place % _packets.length];
            ValidatorBond.SignedLeaf memory y = _acknowledgements[place % _acknowledgements.length];
            try bond.slashContradiction(
                StatementKind.Checkpoint, x.checkpoint, x.signature, StatementKind.Checkpoint, y.checkpoint, y.signature
            ) {
                honestWasSlashed = true;
            } catch {}
        }
    }

    function lie(uint256 who, uint256 about, uint64 sequence) external {
        who = 1 + who % 3;
        (uint128 active, uint128 leaving,, bool before) = bond.bonds(validator(who));
        uint256 owedBefore = bond.owed(reporter(about));
        uint64 number = uint64(bound(sequence, 1, 1_000));
        bytes32 value = keccak256(abi.encode("lie", number));
        bool slashed;
        vm.prank(reporter(about));
        if (about % 2 == 0) {
            ValidatorBond.SignedLeaf memory leaf =
                signLeaf(_keys[who], statement(), ICS24.acknowledgementKey(a.clientId, number), value);
            try bond.slashFalseAcknowledgement(leaf, a.clientId, number) { slashed = true; } catch {}
        } else {
            number += 1_000;
            ValidatorBond.SignedLeaf memory leaf =
                signLeaf(_keys[who], statement(), ICS24.commitmentKey(a.clientId, number), value);
            try bond.slashFalsePacket(leaf, a.clientId, number) { slashed = true; } catch {}
        }
        if (slashed) {
            ++slashes;
            assertEq(bond.owed(reporter(about)) - owedBefore, (uint256(active) + leaving) / 10);
        }
        assertEq(slashed, !before && uint256(active) + leaving > 0);
    }

    /// @dev Numbers rise, time is the ledger's.
    function honest(bytes32 key, bytes32 value) private returns (ValidatorBond.SignedLeaf memory) {
        return signLeaf(_keys[0], statement(), key, value);
    }

    function statement() private returns (Checkpoint memory) {
        return checkpointOf(one);
    }
}

contract ValidatorBondInvariantTest is Bonds {
    BondHandler private _handler;
    ValidatorBond private _bond;

    function setUp() public {
        _handler = new BondHandler();
        _bond = _handler.bond();
        bytes4[] memory selectors = new bytes4[](11);
        selectors[0] = BondHandler.post.selector;
        selectors[1] = BondHandler.unbond.selector;
        selectors[2] = BondHandler.withdraw.selector;
        selectors[3] = BondHandler.claim.selector;
        selectors[4] = BondHandler.sweep.selector;
        selectors[5] = BondHandler.pass.selector;
        selectors[6] = BondHandler.sendPacket.selector;
        selectors[7] = BondHandler.timeOut.selector;
        selectors[8] = BondHandler.receivePacket.selector;
        selectors[9] = BondHandler.accuse.selector;
        selectors[10] = BondHandler.lie.selector;
        targetContract(address(_handler));
        targetSelector(address(_handler), selectors);
    }

    function invariant_what_came_in_is_bonded_owed_or_paid_out() public view {
        uint256 held = address(_bond).balance;
        assertEq(_handler.paidIn(), _handler.paidOut() + held, "in");
        uint256 known = _bond.owed(SINK);
        for (uint256 i = 0; i < 4; ++i) {
            (uint128 active, uint128 leaving,,) = _bond.bonds(_handler.validator(i));
            known += uint256(active) + leaving;
            if (i < 2) known += _bond.owed(_handler.reporter(i));
        }
        assertEq(held, known, "held");
    }

    function invariant_what_is_true_is_never_evidence() public view {
        assertFalse(_handler.honestWasSlashed());
        (,,, bool slashed) = _bond.bonds(_handler.validator(0));
        assertFalse(slashed);
    }

    function invariant_who_was_slashed_has_no_bond() public view {
        assertFalse(_handler.slashedWasBonded());
        for (uint256 i = 0; i < 4; ++i) {
            (uint128 active, uint128 leaving,, bool slashed) = _bond.bonds(_handler.validator(i));
            if (slashed) assertEq(uint256(active) + leaving, 0);
        }
    }
}
