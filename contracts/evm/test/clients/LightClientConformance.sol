// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {Committee} from "../Committee.sol";

/// @notice What a gateway relies on, tested alike for every light client: make one, prove through it, freeze it.
/// @dev A client with another way of proving (of zero knowledge, say) plugs in by implementing the six functions.
abstract contract LightClientConformance is Committee {
    /// @dev What holds at one height of the source ledger, and the proof of it.
    struct Fact {
        bytes32[] keys;
        bytes32[] values;
        bytes proof;
        uint64 height;
        uint64 time;
    }

    // What each client's test says of its client

    function client() internal view virtual returns (ILightClient);

    function clientType() internal pure virtual returns (string memory);

    /// @dev `count` from 1 to 3 keys with their values.
    function present(uint256 count) internal virtual returns (Fact memory);

    /// @dev `count` from 1 to 3 receipts that are not there; no values.
    function missing(uint256 count) internal virtual returns (Fact memory);

    function freezeClient() internal virtual;

    /// @dev Whether a proof has one encoding. A client that does not keep or count proofs may leave it open.
    function strict() internal pure virtual returns (bool) {
        return true;
    }

    // What holds for all

    function test_conformance_says_which_kind_it_is() public view {
        assertEq(client().clientType(), clientType());
        assertFalse(client().frozen());
    }

    function test_conformance_what_is_there_is_proved_with_its_height_and_time() public {
        for (uint256 count = 1; count <= 3; ++count) {
            Fact memory fact = present(count);
            (uint64 height, uint64 time) = client().verifyMembership(fact.keys, fact.values, fact.proof);
            assertEq(height, fact.height);
            assertEq(time, fact.time);
        }
    }

    function test_conformance_what_is_missing_is_proved_with_its_height_and_time() public {
        for (uint256 count = 1; count <= 3; ++count) {
            Fact memory fact = missing(count);
            (uint64 height, uint64 time) = client().verifyAbsence(fact.keys, fact.proof);
            assertEq(height, fact.height);
            assertEq(time, fact.time);
        }
    }

    function testFuzz_conformance_a_changed_byte_proves_nothing_else(uint256 place, uint8 change, bool absence)
        public
    {
        Fact memory fact = absence ? missing(2) : present(2);
        fact.proof[place % fact.proof.length] ^= bytes1(change == 0 ? 1 : change);
        proves(fact, absence, strict());
    }

    function testFuzz_conformance_another_value_is_refused(uint256 place, bytes32 value) public {
        Fact memory fact = present(3);
        place %= 3;
        vm.assume(fact.values[place] != value);
        fact.values[place] = value;
        proves(fact, false, true);
    }

    function testFuzz_conformance_another_key_is_refused(uint256 place, bytes32 key, bool absence) public {
        Fact memory fact = absence ? missing(3) : present(3);
        place %= 3;
        vm.assume(fact.keys[place] != key);
        fact.keys[place] = key;
        proves(fact, absence, true);
    }

    function test_conformance_a_value_of_zero_is_refused() public {
        Fact memory fact = present(1);
        fact.values[0] = 0;
        proves(fact, false, true);
        fact = missing(1);
        fact.values = new bytes32[](1);
        proves(fact, false, true);
    }

    function test_conformance_what_is_there_is_not_missing() public {
        Fact memory fact = present(2);
        proves(fact, true, true);
    }

    function test_conformance_too_few_and_too_many_are_refused() public {
        Fact memory fact = present(3);
        bytes32[] memory two = new bytes32[](2);
        bytes32[] memory four = new bytes32[](4);
        (bytes32[] memory keys, bytes32[] memory values) = (fact.keys, fact.values);
        for (uint256 i = 0; i < 3; ++i) {
            four[i] = keys[i];
            if (i < 2) two[i] = keys[i];
        }
        fact.keys = two;
        proves(fact, false, true);
        fact.keys = four;
        proves(fact, false, true);
        fact.keys = new bytes32[](0);
        proves(fact, false, true);
        fact.values = new bytes32[](0);
        proves(fact, false, true);
        fact.keys = keys;
        proves(fact, false, true);
        fact.values = values;
        proves(fact, false, false);

        fact = missing(3);
        keys = fact.keys;
        fact.keys = new bytes32[](0);
        proves(fact, true, true);
        for (uint256 i = 0; i < 3; ++i) {
            four[i] = keys[i];
            if (i < 2) two[i] = keys[i];
        }
        fact.keys = two;
        proves(fact, true, true);
        fact.keys = four;
        proves(fact, true, true);
    }

    function test_conformance_no_proof_proves_nothing() public {
        Fact memory fact = present(1);
        fact.proof = "";
        proves(fact, false, true);
        fact = missing(1);
        fact.proof = "";
        proves(fact, true, true);
    }

    function testFuzz_conformance_a_cut_proof_is_refused(uint256 length, bool absence) public {
        Fact memory fact = absence ? missing(1) : present(1);
        bytes memory cut = new bytes(length % fact.proof.length);
        for (uint256 i = 0; i < cut.length; ++i) {
            cut[i] = fact.proof[i];
        }
        fact.proof = cut;
        proves(fact, absence, strict());
    }

    function testFuzz_conformance_bytes_behind_a_proof_prove_nothing_more(bytes memory more, bool absence) public {
        vm.assume(more.length > 0);
        Fact memory fact = absence ? missing(1) : present(1);
        fact.proof = bytes.concat(fact.proof, more);
        proves(fact, absence, strict());
    }

    function testFuzz_conformance_bytes_of_any_kind_are_no_proof(bytes memory proof, bool absence) public {
        Fact memory fact = absence ? missing(1) : present(1);
        fact.proof = proof;
        proves(fact, absence, true);
    }

    function test_conformance_a_frozen_client_proves_nothing() public {
        Fact memory there = present(1);
        Fact memory gone = missing(1);
        freezeClient();
        assertTrue(client().frozen());
        proves(there, false, true);
        proves(gone, true, true);
    }

    /// @dev Refused, or nothing else said than the unchanged proof says: always refused when `mustFail`.
    function proves(Fact memory fact, bool absence, bool mustFail) internal view {
        bool proved;
        (uint64 height, uint64 time) = (fact.height, fact.time);
        if (absence) {
            try client().verifyAbsence(fact.keys, fact.proof) returns (uint64 h, uint64 t) {
                (proved, height, time) = (true, h, t);
            } catch {}
        } else {
            try client().verifyMembership(fact.keys, fact.values, fact.proof) returns (uint64 h, uint64 t) {
                (proved, height, time) = (true, h, t);
            } catch {}
        }
        assertFalse(proved && mustFail, "proved");
        assertEq(height, fact.height, "another height");
        assertEq(time, fact.time, "another time");
    }
}
