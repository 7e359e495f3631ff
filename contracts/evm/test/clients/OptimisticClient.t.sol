// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {OptimisticClient} from "../../src/clients/OptimisticClient.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {Checkpoint, StatementKind} from "../../src/interfaces/ICommitteeClient.sol";
import {ClaimState, IOptimisticClient, OptimisticProof} from "../../src/interfaces/IOptimisticClient.sol";
import {CommitteeFacts} from "./CommitteeFacts.sol";

contract OptimisticClientTest is CommitteeFacts {
    uint256 private constant BOND = 1 ether;
    uint64 private constant WINDOW = 30 minutes;
    uint64 private constant CONFIRMATION = 1 hours;
    address private constant DOUBTER = address(0xd0);

    Keys private _keys;
    CommitteeClient private _stronger;
    OptimisticClient private _client;
    uint64 private _height = 100;
    bool private _refuse;

    function setUp() public {
        vm.warp(1_700_000_000);
        _keys = makeKeys(0, 3, 5, 1);
        _stronger = newCommittee(_keys);
        _client = newClient(_stronger, BOND, WINDOW, CONFIRMATION);
        vm.deal(DOUBTER, 10 ether);
    }

    receive() external payable {
        require(!_refuse, "refused");
    }

    // What every client keeps

    function client() internal view override returns (ILightClient) {
        return _client;
    }

    function clientType() internal pure override returns (string memory) {
        return "caimi-optimistic";
    }

    function present(uint256 count) internal override returns (Fact memory fact) {
        fact = factsOf(count);
        accepted(fact);
    }

    function missing(uint256 count) internal override returns (Fact memory fact) {
        fact = receiptsOf(count);
        accepted(fact);
    }

    function freezeClient() internal override {
        _client.freeze();
    }

    // A claim's time

    function test_a_claim_proves_nothing_until_its_window_is_over() public {
        Fact memory fact = factsOf(2);
        uint64 id = claim(fact);
        notAccepted(fact, id, ClaimState.Open);
        vm.warp(block.timestamp + WINDOW - 1);
        notAccepted(fact, id, ClaimState.Open);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WindowOpen.selector, id, block.timestamp + 1));
        _client.settle(id);
        vm.warp(block.timestamp + 1);
        proves(fact, false, false);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WindowOver.selector, id, block.timestamp));
        doubt(id);
        _client.settle(id);
        proved(fact);
        assertEq(_client.owed(address(this)), BOND);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WrongState.selector, id, ClaimState.Accepted));
        _client.settle(id);
    }

    function test_a_claim_that_was_never_made_proves_nothing() public {
        Fact memory fact = factsOf(1);
        fact.proof = proofOf(7, fact);
        notAccepted(fact, 7, ClaimState.None);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WrongState.selector, 7, ClaimState.None));
        doubt(7);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WrongState.selector, 7, ClaimState.None));
        _client.settle(7);
    }

    // Doubt

    function test_a_false_claim_that_is_doubted_costs_its_proposer_the_bond() public {
        Fact memory fact = factsOf(1);
        fact.values[0] = "never sent";
        uint64 id = claim(fact);
        doubt(id);
        notAccepted(fact, id, ClaimState.Challenged);
        vm.warp(block.timestamp + CONFIRMATION - 1);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WindowOpen.selector, id, block.timestamp + 1));
        _client.settle(id);
        vm.warp(block.timestamp + 1);
        notAccepted(fact, id, ClaimState.Challenged);
        _client.settle(id);
        notAccepted(fact, id, ClaimState.Rejected);
        assertEq(_client.owed(DOUBTER), 2 * BOND);
        assertEq(_client.owed(address(this)), 0);
        vm.expectEmit(address(_client));
        emit IOptimisticClient.Withdrawn(DOUBTER, 2 * BOND, DOUBTER);
        vm.prank(DOUBTER);
        _client.withdraw(payable(DOUBTER));
        assertEq(DOUBTER.balance, 11 ether);
        assertEq(address(_client).balance, 0);
    }

    function test_a_true_claim_that_is_doubted_counts_once_it_is_confirmed() public {
        Fact memory fact = factsOf(3);
        uint64 id = claim(fact);
        doubt(id);
        confirm(id, fact, strong(fact));
        proved(fact);
        assertEq(_client.owed(address(this)), 2 * BOND);
        assertEq(_client.owed(DOUBTER), 0);
        _client.withdraw(payable(address(this)));
        assertEq(address(_client).balance, 0);
        vm.expectRevert(OptimisticClient.NothingOwed.selector);
        _client.withdraw(payable(address(this)));
    }

    function test_what_is_missing_is_confirmed_as_missing() public {
        Fact memory fact = receiptsOf(2);
        uint64 id = claim(fact);
        doubt(id);
        confirm(id, fact, strong(fact));
        (uint64 height, uint64 time) = _client.verifyAbsence(fact.keys, fact.proof);
        assertEq(height, fact.height);
        assertEq(time, fact.time);
    }

    function test_only_the_whole_claim_at_its_height_and_time_is_confirmed() public {
        Fact memory fact = factsOf(2);
        uint64 id = claim(fact);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WrongState.selector, id, ClaimState.Open));
        confirm(id, fact, "");
        doubt(id);
        // Other leaves, truly signed.
        Fact memory other = factsOf(2);
        (other.height, other.time) = (fact.height, fact.time);
        other.values[1] = "another";
        vm.expectRevert(OptimisticClient.InvalidMerkleProof.selector);
        confirm(id, other, strong(other));
        // One of two.
        Fact memory one = factsOf(1);
        (one.height, one.time) = (fact.height, fact.time);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WrongLeaves.selector, 1, 1, 2));
        confirm(id, one, strong(one));
        one.values = fact.values;
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WrongLeaves.selector, 1, 2, 2));
        confirm(id, one, "");
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WrongLeaves.selector, 2, 0, 2));
        _client.confirm(id, fact.keys, new bytes32[](0), flags(2), strong(fact));
        // At another height or time than it says.
        fact.height -= 1;
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.NotConfirmed.selector, fact.height, fact.time));
        confirm(id, fact, strong(fact));
        (fact.height, fact.time) = (fact.height + 1, fact.time - 1);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.NotConfirmed.selector, fact.height, fact.time));
        confirm(id, fact, strong(fact));
        fact.time += 1;
        // What nobody signed, and too late.
        bytes memory signedByStrangers = strong(makeKeys(0, 3, 5, 66), fact);
        vm.expectPartialRevert(CommitteeClient.UnknownCommittee.selector);
        confirm(id, fact, signedByStrangers);
        bytes memory proof = strong(fact);
        vm.warp(block.timestamp + CONFIRMATION);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WindowOver.selector, id, block.timestamp));
        confirm(id, fact, proof);
    }

    function test_zero_confirms_no_presence_and_a_value_no_absence() public {
        Fact memory fact = factsOf(1);
        fact.values[0] = 0;
        uint64 id = propose(_height - 2, ++_height, uint64(block.timestamp), leafOf(fact.keys[0], 0), 1);
        doubt(id);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.ZeroValue.selector, 0));
        confirm(id, fact, "");
        // Nor does one that nobody doubts.
        accepted(fact);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.ZeroValue.selector, 0));
        _client.verifyMembership(fact.keys, fact.values, fact.proof);
        ++_height;
        fact.values[0] = "there";
        id = propose(_height, _height, uint64(block.timestamp), leafOf(fact.keys[0], "there"), 1);
        doubt(id);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.ValueOfAbsence.selector, 0));
        confirm(id, fact, "");
    }

    function test_a_claim_is_doubted_once_and_with_a_bond() public {
        uint64 id = claim(factsOf(1));
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.InvalidBond.selector, BOND - 1));
        _client.challenge{value: BOND - 1}(id);
        doubt(id);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WrongState.selector, id, ClaimState.Challenged));
        doubt(id);
    }

    // What may be claimed

    function test_only_named_proposers_claim() public {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, DOUBTER));
        vm.prank(DOUBTER);
        _client.propose{value: BOND}(1, 2, 3, "root", 1);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, DOUBTER));
        vm.prank(DOUBTER);
        _client.freeze();
    }

    function test_claims_without_sense_are_refused() public {
        uint64 time = uint64(block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.InvalidBond.selector, BOND + 1));
        _client.propose{value: BOND + 1}(1, 2, time, "root", 1);
        bytes4 invalid = OptimisticClient.InvalidClaim.selector;
        vm.expectRevert(invalid);
        propose(3, 2, time, "root", 1);
        vm.expectRevert(invalid);
        propose(1, 2, time, 0, 1);
        vm.expectRevert(invalid);
        propose(1, 2, time, "root", 0);
        vm.expectRevert(invalid);
        propose(1, 2, time, "root", 1025);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.FutureTime.selector, time + 601, time));
        propose(1, 2, time + 601, "root", 1);
        propose(1, 2, time + 600, "root", 1024);
    }

    function test_heights_rise_and_time_does_not_run_backwards() public {
        uint64 time = uint64(block.timestamp);
        propose(1, 10, time, "root", 1);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.HeightNotRising.selector, 10, 10));
        propose(1, 10, time, "root", 1);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.TimeRunsBackwards.selector, time - 1, time));
        propose(1, 11, time - 1, "root", 1);
        propose(1, 11, time, "root", 1);
    }

    function test_a_rejected_claim_bars_no_height() public {
        uint64 time = uint64(block.timestamp);
        propose(1, 10, time, "root", 1);
        uint64 far = propose(1, type(uint64).max - 1, time, "root", 1);
        uint64 farther = propose(1, type(uint64).max, time, "root", 1);
        doubt(far);
        doubt(farther);
        vm.warp(time + CONFIRMATION);
        _client.settle(far);
        vm.expectRevert(
            abi.encodeWithSelector(OptimisticClient.HeightNotRising.selector, 11, type(uint64).max)
        );
        propose(1, 11, time, "root", 1);
        _client.settle(farther);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.HeightNotRising.selector, 10, 10));
        propose(1, 10, time, "root", 1);
        propose(1, 11, time, "root", 1);
    }

    function test_no_more_claims_are_open_than_sixty_four() public {
        uint64 time = uint64(block.timestamp);
        for (uint64 i = 1; i <= 64; ++i) {
            propose(i, i + 1, time, "root", 1);
        }
        vm.expectRevert(OptimisticClient.TooManyOpenClaims.selector);
        propose(65, 66, time, "root", 1);
        vm.warp(time + WINDOW);
        _client.settle(5);
        propose(65, 66, time, "root", 1);
        assertEq(_client.openClaims(), 64);
    }

    // Freezing

    function test_a_frozen_client_gives_every_bond_back() public {
        uint64 first = claim(factsOf(1));
        uint64 second = claim(factsOf(1));
        doubt(second);
        _client.freeze();
        bytes4 frozen = OptimisticClient.ClientFrozen.selector;
        vm.expectRevert(frozen);
        claim(factsOf(1));
        vm.expectRevert(frozen);
        doubt(first);
        vm.expectRevert(frozen);
        confirm(second, factsOf(1), "");
        vm.expectRevert(frozen);
        _client.freeze();
        _client.settle(first);
        _client.settle(second);
        assertEq(_client.owed(address(this)), 2 * BOND);
        assertEq(_client.owed(DOUBTER), BOND);
        assertEq(uint256(_client.claims(second).state), uint256(ClaimState.Void));
        assertEq(_client.openClaims(), 0);
        _client.withdraw(payable(address(this)));
        vm.prank(DOUBTER);
        _client.withdraw(payable(DOUBTER));
        assertEq(address(_client).balance, 0);
    }

    function test_it_is_frozen_with_the_client_that_decides() public {
        Fact memory fact = present(1);
        _stronger.freeze();
        assertTrue(_client.frozen());
        vm.expectRevert(OptimisticClient.ClientFrozen.selector);
        _client.verifyMembership(fact.keys, fact.values, fact.proof);
    }

    // Paying out

    function test_a_receiver_that_reverts_harms_only_itself() public {
        _refuse = true;
        uint64 id = claim(factsOf(1));
        uint64 other = claim(factsOf(1));
        doubt(other);
        vm.warp(block.timestamp + CONFIRMATION);
        _client.settle(id);
        _client.settle(other);
        vm.expectRevert();
        _client.withdraw(payable(address(this)));
        vm.prank(DOUBTER);
        _client.withdraw(payable(DOUBTER));
        assertEq(_client.owed(address(this)), BOND);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.InvalidRecipient.selector, address(0)));
        _client.withdraw(payable(address(0)));
        _client.withdraw(payable(address(0xE15E)));
        assertEq(address(0xE15E).balance, BOND);
        assertEq(address(_client).balance, 0);
    }

    function test_who_is_paid_cannot_be_paid_again_meanwhile() public {
        Greedy greedy = new Greedy(_client);
        vm.deal(address(greedy), BOND);
        uint64 id = claim(factsOf(1));
        claim(factsOf(1));
        greedy.doubt(id);
        vm.warp(block.timestamp + CONFIRMATION);
        _client.settle(id);
        vm.expectRevert(OptimisticClient.NothingOwed.selector);
        greedy.withdraw();
        assertEq(address(_client).balance, 3 * BOND);
    }

    // Its encoding and making

    function test_what_is_not_the_one_encoding_is_refused() public {
        Fact memory fact = present(1);
        vm.expectRevert(OptimisticClient.NonCanonicalProof.selector);
        _client.verifyMembership(fact.keys, fact.values, bytes.concat(fact.proof, hex"00"));
        vm.expectPartialRevert(OptimisticClient.WrongKind.selector);
        _client.verifyAbsence(fact.keys, fact.proof);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WrongLeaves.selector, 0, 0, 1));
        _client.verifyMembership(new bytes32[](0), new bytes32[](0), fact.proof);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WrongLeaves.selector, 1, 2, 1));
        _client.verifyMembership(fact.keys, new bytes32[](2), fact.proof);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.WrongLeaves.selector, 2, 2, 1));
        _client.verifyMembership(factsOf(2).keys, factsOf(2).values, fact.proof);
        fact = missing(1);
        vm.expectPartialRevert(OptimisticClient.WrongKind.selector);
        _client.verifyMembership(fact.keys, factsOf(1).values, fact.proof);
    }

    function test_it_needs_a_stronger_client_a_bond_and_windows_within_bounds() public {
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.InvalidStrongerClient.selector, address(1)));
        this.makeClient(ILightClient(address(1)), BOND, WINDOW, CONFIRMATION);
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.InvalidBond.selector, 0));
        this.makeClient(_stronger, 0, WINDOW, CONFIRMATION);
        for (uint256 i = 0; i < 4; ++i) {
            uint64 wrong = i < 2 ? 10 minutes - 1 : 12 hours + 1;
            vm.expectRevert(abi.encodeWithSelector(OptimisticClient.InvalidWindow.selector, wrong));
            this.makeClient(_stronger, BOND, i % 2 == 0 ? wrong : WINDOW, i % 2 == 0 ? CONFIRMATION : wrong);
        }
        this.makeClient(_stronger, BOND, 10 minutes, 12 hours);
        this.makeClient(_stronger, BOND, 12 hours, 10 minutes);
    }

    /// @dev From outside: a test ends, and passes, where a creation of its own is refused as expected.
    function makeClient(ILightClient stronger, uint256 bond, uint64 window, uint64 confirmation) external {
        newClient(stronger, bond, window, confirmation);
    }

    // Short forms

    function newClient(ILightClient stronger, uint256 bond, uint64 window, uint64 confirmation)
        private
        returns (OptimisticClient)
    {
        address authority = address(_client) == address(0) ? address(new AccessManager(address(this))) : address(this);
        return new OptimisticClient(stronger, bond, window, confirmation, authority);
    }

    function propose(uint64 from, uint64 height, uint64 time, bytes32 root, uint32 size) private returns (uint64) {
        return _client.propose{value: BOND}(from, height, time, root, size);
    }

    /// @dev Claims the fact and says in it where it is to be proved.
    function claim(Fact memory fact) private returns (uint64 id) {
        bool absence = fact.values.length == 0;
        (fact.height, fact.time) = (++_height, uint64(block.timestamp));
        uint256 count = fact.keys.length;
        bytes32 root = MerkleProof.processMultiProof(new bytes32[](0), flags(count), leaves(fact));
        id = propose(absence ? _height : _height - 1, _height, fact.time, root, uint32(count));
        fact.proof = proofOf(id, fact);
    }

    function accepted(Fact memory fact) private {
        claim(fact);
        vm.warp(block.timestamp + WINDOW);
    }

    function doubt(uint64 id) private {
        vm.prank(DOUBTER);
        _client.challenge{value: BOND}(id);
    }

    function confirm(uint64 id, Fact memory fact, bytes memory proof) private {
        bytes32[] memory values = fact.values.length == 0 ? new bytes32[](fact.keys.length) : fact.values;
        _client.confirm(id, fact.keys, values, flags(fact.keys.length), proof);
    }

    function strong(Fact memory fact) private view returns (bytes memory) {
        return strong(_keys, fact);
    }

    /// @dev What the committee says of the fact, at its height and time.
    function strong(Keys memory keys, Fact memory fact) private pure returns (bytes memory) {
        bool absence = fact.values.length == 0;
        Checkpoint memory checkpoint;
        checkpoint.origin = keccak256(GATEWAY);
        checkpoint.from = absence ? fact.height : fact.height - 1;
        (checkpoint.height, checkpoint.time) = (fact.height, fact.time);
        return abi.encode(
            signLeaves(
                keys,
                absence ? StatementKind.Absence : StatementKind.Checkpoint,
                checkpoint,
                fact.keys,
                absence ? new bytes32[](fact.keys.length) : fact.values
            )
        );
    }

    function proofOf(uint64 id, Fact memory fact) private pure returns (bytes memory) {
        return abi.encode(OptimisticProof(id, new bytes32[](0), flags(fact.keys.length)));
    }

    function leaves(Fact memory fact) private pure returns (bytes32[] memory all) {
        all = new bytes32[](fact.keys.length);
        for (uint256 i = 0; i < all.length; ++i) {
            all[i] = leafOf(fact.keys[i], fact.values.length == 0 ? bytes32(0) : fact.values[i]);
        }
    }

    function flags(uint256 count) private pure returns (bool[] memory all) {
        all = new bool[](count - 1);
        for (uint256 i = 0; i < all.length; ++i) {
            all[i] = true;
        }
    }

    function notAccepted(Fact memory fact, uint64 id, ClaimState state) private {
        vm.expectRevert(abi.encodeWithSelector(OptimisticClient.NotAccepted.selector, id, state));
        _client.verifyMembership(fact.keys, fact.values, fact.proof);
    }

    function proved(Fact memory fact) private view {
        (uint64 height, uint64 time) = _client.verifyMembership(fact.keys, fact.values, fact.proof);
        assertEq(height, fact.height);
        assertEq(time, fact.time);
    }
}

/// @dev Asks to be paid while it is being paid.
contract Greedy {
    IOptimisticClient private immutable _client;

    constructor(IOptimisticClient client) {
        _client = client;
    }

    function doubt(uint64 id) external {
        _client.challenge{value: 1 ether}(id);
    }

    function withdraw() external {
        _client.withdraw(payable(address(this)));
    }

    receive() external payable {
        _client.withdraw(payable(address(this)));
    }
}
