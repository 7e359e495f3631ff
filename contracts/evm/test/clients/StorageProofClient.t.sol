// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {CommitteeClient} from "../../src/clients/CommitteeClient.sol";
import {StorageProofClient} from "../../src/clients/StorageProofClient.sol";
import {BlockHeader} from "../../src/clients/BlockHeader.sol";
import {StateTrie} from "../../src/clients/StateTrie.sol";
import {Gateway} from "../../src/gateway/Gateway.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {StorageProof} from "../../src/interfaces/IStorageProofClient.sol";
import {CommitteeFacts} from "./CommitteeFacts.sol";
import {Stubborn} from "./Stubborn.sol";

/// @dev Over what an anvil answered to eth_getProof about a real gateway (contracts/vectors/record_state_proofs.py).
contract StorageProofClientTest is CommitteeFacts {
    Keys private _keys;
    CommitteeClient private _inner;
    StorageProofClient private _client;
    string private _json;
    StorageProof private _base;
    bytes[][] private _sent;
    bytes[][] private _missing;
    bytes[] private _received;
    uint64 private _height;
    uint64 private _time;

    function setUp() public {
        _json = vm.readFile("../vectors/state_proofs.json");
        _height = uint64(vm.parseJsonUint(_json, ".height"));
        _time = uint64(vm.parseJsonUint(_json, ".time"));
        vm.warp(_time + 60);
        _keys = makeKeys(0, 3, 5, 1);
        _inner = newCommittee(_keys);
        _client = new StorageProofClient(_inner, vm.parseJsonAddress(_json, ".gateway"));
        _base.header = vm.parseJsonBytes(_json, ".header");
        _base.account = vm.parseJsonBytesArray(_json, ".account");
        _base.trusted = trust(_base.header, _height);
        _received = vm.parseJsonBytesArray(_json, ".received.proof");
        for (uint256 i = 0; i < 3; ++i) {
            string memory place = string.concat("[", vm.toString(i), "].proof");
            _sent.push(vm.parseJsonBytesArray(_json, string.concat(".sent", place)));
            _missing.push(vm.parseJsonBytesArray(_json, string.concat(".missing", place)));
        }
    }

    // What every client keeps

    function client() internal view override returns (ILightClient) {
        return _client;
    }

    function clientType() internal pure override returns (string memory) {
        return "caimi-storage-proof";
    }

    function present(uint256 count) internal view override returns (Fact memory fact) {
        fact = factsOf(count);
        bytes32[] memory values = vm.parseJsonBytes32Array(_json, ".values");
        for (uint256 i = 0; i < count; ++i) {
            fact.values[i] = values[i];
        }
        fact.proof = abi.encode(sentProof(count));
        (fact.height, fact.time) = (_height, _time);
    }

    function missing(uint256 count) internal view override returns (Fact memory fact) {
        fact = receiptsOf(count);
        fact.proof = abi.encode(missingProof(count));
        (fact.height, fact.time) = (_height, _time);
    }

    function freezeClient() internal override {
        _inner.freeze();
    }

    /// @dev The inner client's proof lies in it, and what is open in that is open here.
    function strict() internal pure override returns (bool) {
        return false;
    }

    // The block

    function test_the_recorded_block_is_the_one_that_was_mined() public view {
        assertEq(keccak256(_base.header), vm.parseJsonBytes32(_json, ".hash"));
        (uint64 number, uint64 time,) = BlockHeader.decode(_base.header);
        assertEq(number, _height);
        assertEq(time, _time);
    }

    function test_a_block_that_the_inner_client_does_not_prove_is_refused() public {
        Fact memory fact = present(1);
        StorageProof memory proof = sentProof(1);
        // The hash of this very block, stated under another number.
        proof.trusted = trust(proof.header, _height + 1);
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        _client.verifyMembership(fact.keys, fact.values, abi.encode(proof));
        // Another header: what validators signed is of the true one.
        proof = sentProof(1);
        proof.header[_base.header.length - 1] ^= 0x01;
        vm.expectRevert(CommitteeClient.InvalidMerkleProof.selector);
        _client.verifyMembership(fact.keys, fact.values, abi.encode(proof));
    }

    function test_malformed_headers_are_refused() public {
        bytes memory header = _base.header;
        vm.expectRevert(RLP.RLPInvalidEncoding.selector);
        this.decode("");
        vm.expectRevert(RLP.RLPInvalidEncoding.selector);
        this.decode(bytes.concat(header, hex"00"));
        vm.expectRevert(RLP.RLPInvalidEncoding.selector);
        this.decode(hex"80");
        vm.expectRevert(abi.encodeWithSelector(BlockHeader.HeaderTooLong.selector, 8193));
        this.decode(new bytes(8193));
        vm.expectRevert(RLP.RLPInvalidEncoding.selector); // not too long
        this.decode(new bytes(8192));
        vm.expectRevert(abi.encodeWithSelector(BlockHeader.HeaderTooShort.selector, 14));
        this.decode(list(14));
        bytes[] memory members = fifteen();
        this.decode(RLP.encode(members));
        invalid(3, hex"80"); // no state root
        invalid(3, RLP.encode(abi.encodePacked(new bytes(31)))); // a short one
        invalid(3, list(32)); // a list of 32 bytes in its place
        invalid(8, hex"820001"); // a number with a leading zero
        invalid(8, hex"00"); // zero as a byte
        invalid(8, hex"89010000000000000000"); // 2**64
        invalid(8, hex"c101"); // a list
        invalid(11, hex"820001");
        invalid(11, hex"c0");
        members[8] = hex"8101"; // a byte below 0x80 in a string of its own
        vm.expectRevert(RLP.RLPInvalidEncoding.selector);
        this.decode(RLP.encode(members));
        members[8] = hex"88ffffffffffffffff";
        (uint64 number,,) = this.decode(RLP.encode(members));
        assertEq(number, type(uint64).max);
    }

    // The state

    function test_a_received_packet_is_not_missing() public {
        uint64[] memory sequences = new uint64[](1);
        sequences[0] = uint64(vm.parseJsonUint(_json, ".received.sequence"));
        StorageProof memory proof = missingProof(1);
        (proof.slots[0], proof.sequences) = (_received, sequences);
        bytes32[] memory keys = new bytes32[](1);
        keys[0] = ICS24.receiptKey("caimi-1-0", sequences[0]);
        bytes32 slot = keccak256(abi.encode(ICS24.acknowledgementKey("caimi-1-0", sequences[0]), 1));
        vm.expectRevert(abi.encodeWithSelector(StateTrie.SlotNotEmpty.selector, slot));
        _client.verifyAbsence(keys, abi.encode(proof));
    }

    function test_absence_is_of_receipts_only_and_from_the_acknowledgements_slot() public {
        Fact memory fact = missing(1);
        StorageProof memory proof = missingProof(1);
        // The slot of a receipt is always empty: a proof of that would time out what was received.
        proof.sequences[0] = 9;
        vm.expectRevert(abi.encodeWithSelector(StorageProofClient.WrongReceiptKey.selector, 0));
        _client.verifyAbsence(fact.keys, abi.encode(proof));
        // A commitment that is not there is no receipt that is not there.
        proof = missingProof(1);
        fact.keys[0] = ICS24.commitmentKey("caimi-1-0", 77);
        vm.expectRevert(abi.encodeWithSelector(StorageProofClient.WrongReceiptKey.selector, 0));
        _client.verifyAbsence(fact.keys, abi.encode(proof));
        Gateway gateway = new Gateway(address(this));
        assertEq(_client.COMMITMENTS_SLOT(), gateway.COMMITMENTS_SLOT());
    }

    function test_an_account_that_is_not_there_proves_nothing() public {
        Fact memory fact = missing(1);
        StorageProof memory proof = missingProof(1);
        proof.account = vm.parseJsonBytesArray(_json, ".noAccount");
        vm.expectRevert();
        _client.verifyAbsence(fact.keys, abi.encode(proof));
        StorageProofClient other = new StorageProofClient(_inner, address(0x99));
        vm.expectRevert();
        other.verifyAbsence(fact.keys, abi.encode(proof));
        vm.expectPartialRevert(TrieProof.TrieProofTraversalError.selector);
        other.verifyAbsence(fact.keys, abi.encode(missingProof(1)));
    }

    function test_zero_and_another_value_are_not_there() public {
        Fact memory fact = present(1);
        fact.values[0] = 0;
        vm.expectRevert(abi.encodeWithSelector(StorageProofClient.ZeroValue.selector, 0));
        _client.verifyMembership(fact.keys, fact.values, fact.proof);
        fact.values[0] = bytes32(uint256(1));
        vm.expectPartialRevert(StateTrie.WrongSlotValue.selector);
        _client.verifyMembership(fact.keys, fact.values, fact.proof);
    }

    function test_broken_proofs_of_presence_are_refused() public {
        Fact memory fact = present(1);
        StorageProof memory proof = sentProof(1);
        proof.slots[0] = _sent[1];
        vm.expectPartialRevert(TrieProof.TrieProofTraversalError.selector);
        _client.verifyMembership(fact.keys, fact.values, abi.encode(proof));
        proof = sentProof(1);
        proof.slots[0] = new bytes[](66);
        vm.expectRevert(abi.encodeWithSelector(StateTrie.ProofTooLong.selector, 66));
        _client.verifyMembership(fact.keys, fact.values, abi.encode(proof));
        proof = sentProof(1);
        proof.account = new bytes[](66);
        vm.expectRevert(abi.encodeWithSelector(StateTrie.ProofTooLong.selector, 66));
        _client.verifyMembership(fact.keys, fact.values, abi.encode(proof));
    }

    function test_broken_proofs_of_absence_are_refused() public {
        Fact memory fact = missing(1);
        bytes[] memory nodes = _missing[0];
        StorageProof memory proof = missingProof(1);

        proof.slots[0] = new bytes[](0);
        vm.expectRevert(StateTrie.IncompleteAbsence.selector);
        _client.verifyAbsence(fact.keys, abi.encode(proof));

        bytes[] memory one = new bytes[](1);
        one[0] = nodes[0];
        proof.slots[0] = one;
        if (nodes.length > 1) {
            vm.expectRevert(StateTrie.IncompleteAbsence.selector);
            _client.verifyAbsence(fact.keys, abi.encode(proof));
        }

        bytes[] memory more = new bytes[](nodes.length + 1);
        for (uint256 i = 0; i < nodes.length; ++i) {
            more[i] = nodes[i];
        }
        proof.slots[0] = more;
        vm.expectRevert(abi.encodeWithSelector(StateTrie.NodesLeftOver.selector, nodes.length + 1, nodes.length));
        _client.verifyAbsence(fact.keys, abi.encode(proof));

        one[0] = hex"80"; // the empty trie, which is not this one
        proof.slots[0] = one;
        vm.expectRevert(abi.encodeWithSelector(StateTrie.NodeMismatch.selector, 0));
        _client.verifyAbsence(fact.keys, abi.encode(proof));

        proof.slots[0] = new bytes[](66);
        vm.expectRevert(abi.encodeWithSelector(StateTrie.ProofTooLong.selector, 66));
        _client.verifyAbsence(fact.keys, abi.encode(proof));
    }

    // Nodes that no ledger has: each is the root of a trie of its own

    function test_nodes_that_no_trie_has_show_no_absence() public {
        bytes32 slot = bytes32(uint256(5));
        bytes32 path = keccak256(abi.encodePacked(slot));
        bytes memory key = abi.encodePacked(path);
        bytes1 other = bytes1(uint8(path[0]) ^ 0x10);
        bytes memory value = RLP.encode(bytes32(uint256(1)));
        bytes memory rest = new bytes(31);

        // A leaf of another path shows it, one of this path the contrary.
        this.absent(node(bytes.concat(hex"20", other, rest), value), slot);
        expectNot(abi.encodeWithSelector(StateTrie.SlotNotEmpty.selector, slot));
        this.absent(node(bytes.concat(hex"20", key), value), slot);

        bytes memory invalidNode = abi.encodeWithSelector(StateTrie.InvalidNode.selector, 0);
        expectNot(invalidNode); // a leaf too short
        this.absent(node(bytes.concat(hex"20", other), value), slot);
        expectNot(invalidNode); // a leaf too long
        this.absent(node(bytes.concat(hex"30", other, rest), value), slot);
        expectNot(invalidNode); // no path
        this.absent(node("", value), slot);
        expectNot(invalidNode); // an extension that leads nowhere
        this.absent(node(hex"00", value), slot);
        expectNot(invalidNode); // an extension by no nibble to what has an empty place
        this.absent(pair(hex"00", RLP.encode(branch(16, hex"80"))), slot);
        expectNot(invalidNode); // an extension to the end
        this.absent(node(bytes.concat(hex"00", other, rest), value), slot);
        expectNot(invalidNode); // an unknown kind, like an extension
        this.absent(node(bytes.concat(hex"40", other), value), slot);
        expectNot(invalidNode); // an unknown kind, like a leaf
        this.absent(node(bytes.concat(hex"60", other, rest), value), slot);
        expectNot(invalidNode); // an even path with a nibble beside its kind
        this.absent(node(bytes.concat(hex"21", other, rest), value), slot);
        expectNot(invalidNode); // three members, of which two are a leaf of another path
        bytes[] memory three = new bytes[](3);
        (three[0], three[1], three[2]) = (RLP.encode(bytes.concat(hex"20", other, rest)), hex"01", hex"01");
        this.absent(RLP.encode(three), slot);
        expectNot(invalidNode); // an extension of this path to what is no node
        this.absent(node(bytes.concat(bytes1(0x10 | uint8(path[0]) >> 4)), hex"8101"), slot);
        expectNot(abi.encodeWithSelector(RLP.RLPInvalidEncoding.selector));
        this.absent(bytes.concat(node(bytes.concat(hex"20", other, rest), value), hex"00"), slot);
    }

    function test_children_that_lie_in_their_parents_are_walked() public {
        bytes32 slot = bytes32(uint256(5));
        bytes32 path = keccak256(abi.encodePacked(slot));
        // An extension of all nibbles but two, then a branch in it whose places are all empty, then one that is not.
        bytes memory compact = new bytes(32);
        for (uint256 i = 0; i < 31; ++i) {
            compact[i + 1] = path[i];
        }
        bytes memory empty = RLP.encode(branch(16, hex"80"));
        this.absent(pair(compact, empty), slot);
        // A leaf of the last nibble in the branch.
        uint256 place = uint8(path[31]) >> 4;
        bytes memory leaf = pair(bytes.concat(bytes1(0x30 | uint8(path[31]) & 15)), hex"07");
        expectNot(abi.encodeWithSelector(StateTrie.SlotNotEmpty.selector, slot));
        this.absent(pair(compact, RLP.encode(branch(place, leaf))), slot);
        leaf = pair(bytes.concat(bytes1(0x30 | (uint8(path[31]) & 15) ^ 1)), hex"07");
        this.absent(pair(compact, RLP.encode(branch(place, leaf))), slot);
    }

    function test_no_child_lies_in_its_parent_that_is_longer_than_a_hash_or_no_list() public {
        bytes32 slot = bytes32(uint256(5));
        bytes32 path = keccak256(abi.encodePacked(slot));
        bytes memory first = bytes.concat(bytes1(0x10 | uint8(path[0]) >> 4)); // an extension by one nibble
        // A list of 32 bytes stands by its hash, although its places are empty.
        bytes[] memory places = branch(16, hex"80");
        places[16] = RLP.encode(new bytes(14));
        assertEq(RLP.encode(places).length, 32);
        bytes memory invalidNode = abi.encodeWithSelector(StateTrie.InvalidNode.selector, 0);
        expectNot(invalidNode);
        this.absent(pair(first, RLP.encode(places)), slot);
        places[16] = RLP.encode(new bytes(13));
        this.absent(pair(first, RLP.encode(places)), slot);
        // A string is no node.
        expectNot(invalidNode);
        this.absent(pair(first, RLP.encode(bytes("seventeen letters"))), slot);
    }

    function test_no_path_goes_on_beyond_its_last_nibble() public {
        bytes32 slot = bytes32(uint256(5));
        bytes32 path = keccak256(abi.encodePacked(slot));
        // An extension of all nibbles but one, a branch, and in it, where a path has ended, another branch.
        bytes memory compact = new bytes(32);
        compact[0] = bytes1(0x10 | uint8(path[0]) >> 4);
        for (uint256 i = 1; i < 32; ++i) {
            compact[i] = path[i - 1] << 4 | path[i] >> 4;
        }
        uint256 place = uint8(path[31]) & 15;
        bytes[] memory proof = new bytes[](2);
        proof[1] = RLP.encode(branch(place, RLP.encode(branch(16, hex"80"))));
        proof[0] = pair(compact, RLP.encode(abi.encodePacked(keccak256(proof[1]))));
        expectNot(abi.encodeWithSelector(StateTrie.InvalidNode.selector, 1));
        this.absentIn(keccak256(proof[0]), slot, proof);
        proof[1] = RLP.encode(branch(16, hex"80"));
        proof[0] = pair(compact, RLP.encode(abi.encodePacked(keccak256(proof[1]))));
        this.absentIn(keccak256(proof[0]), slot, proof);
    }

    function test_a_proof_of_as_many_nodes_as_a_path_has_is_read() public {
        bytes[] memory nodes = new bytes[](65);
        vm.expectPartialRevert(TrieProof.TrieProofTraversalError.selector);
        this.rootIn(bytes32(0), address(1), nodes);
        vm.expectPartialRevert(TrieProof.TrieProofTraversalError.selector);
        this.valueIn(bytes32(0), bytes32(0), bytes32(uint256(1)), nodes);
        vm.expectRevert(abi.encodeWithSelector(StateTrie.NodeMismatch.selector, 0));
        this.absentIn(bytes32(0), bytes32(0), nodes);
    }

    function test_an_account_has_four_members_and_a_root_of_32_bytes() public {
        bytes32 root = keccak256("root");
        assertEq(storageRootOf(4, RLP.encode(root)), root);
        for (uint256 count = 3; count <= 5; count += 2) {
            vm.expectRevert(StateTrie.InvalidAccount.selector);
            this.storageRootOf(count, RLP.encode(root));
        }
        vm.expectRevert(StateTrie.InvalidAccount.selector);
        this.storageRootOf(4, RLP.encode(new bytes(31)));
    }

    function testFuzz_no_trie_of_one_leaf_shows_both(bytes32 slot, bytes32 other, uint256 value) public {
        value = bound(value, 1, type(uint256).max);
        bytes[] memory proof = new bytes[](1);
        proof[0] = pair(bytes.concat(hex"20", keccak256(abi.encodePacked(other))), RLP.encode(RLP.encode(value)));
        StateTrie.requireValue(keccak256(proof[0]), other, bytes32(value), proof);
        if (slot != other) this.absent(proof[0], slot);
        expectNot(abi.encodeWithSelector(StateTrie.SlotNotEmpty.selector, other));
        this.absent(proof[0], other);
    }

    // Ethereum itself

    function test_a_block_and_a_proof_of_ethereum_mainnet() public {
        string memory json = vm.readFile("../vectors/mainnet.json");
        bytes memory header = vm.parseJsonBytes(json, ".header");
        assertEq(keccak256(header), vm.parseJsonBytes32(json, ".block.hash"));
        (uint64 number, uint64 time, bytes32 state) = BlockHeader.decode(header);
        assertEq(number, 21_925_176);
        assertEq(time, vm.parseJsonUint(json, ".time"));
        assertEq(state, vm.parseJsonBytes32(json, ".block.stateRoot"));
        bytes32 storageRoot = StateTrie.storageRoot(
            state, vm.parseJsonAddress(json, ".account"), vm.parseJsonBytesArray(json, ".accountProof")
        );
        assertEq(storageRoot, vm.parseJsonBytes32(json, ".storageHash"));
        bytes32 slot = vm.parseJsonBytes32(json, ".slot");
        bytes[] memory proof = vm.parseJsonBytesArray(json, ".storageProof");
        StateTrie.requireValue(storageRoot, slot, vm.parseJsonBytes32(json, ".value"), proof);
        // What is there is not missing, in Ethereum's own nodes.
        vm.expectRevert(abi.encodeWithSelector(StateTrie.SlotNotEmpty.selector, slot));
        this.absentIn(storageRoot, slot, proof);
        // The account is a slot's like for the state's trie: it is there too.
        vm.expectPartialRevert(TrieProof.TrieProofTraversalError.selector);
        this.valueIn(storageRoot, bytes32(uint256(2)), bytes32(uint256(1)), proof);
    }

    // Its encoding

    function test_python_encodes_as_the_contract_decodes() public view {
        StorageProof memory proof = sentProof(3);
        proof.trusted = vm.parseJsonBytes(_json, ".trusted");
        assertEq(abi.encode(proof), vm.parseJsonBytes(_json, ".membership"));
        proof = missingProof(3);
        proof.trusted = vm.parseJsonBytes(_json, ".trusted");
        assertEq(abi.encode(proof), vm.parseJsonBytes(_json, ".absence"));
    }

    function test_what_is_not_the_one_encoding_is_refused() public {
        Fact memory fact = present(1);
        vm.expectRevert(StorageProofClient.NonCanonicalProof.selector);
        _client.verifyMembership(fact.keys, fact.values, bytes.concat(fact.proof, bytes32(0)));
        StorageProof memory proof = sentProof(1);
        (proof.destClient, proof.sequences) = ("caimi-1-0", new uint64[](0));
        vm.expectRevert(StorageProofClient.ReceiptsInMembership.selector);
        _client.verifyMembership(fact.keys, fact.values, abi.encode(proof));
        (proof.destClient, proof.sequences) = ("", new uint64[](1));
        vm.expectRevert(StorageProofClient.ReceiptsInMembership.selector);
        _client.verifyMembership(fact.keys, fact.values, abi.encode(proof));
        vm.expectRevert(abi.encodeWithSelector(StorageProofClient.LengthMismatch.selector, 1, 2));
        _client.verifyMembership(fact.keys, fact.values, abi.encode(sentProof(2)));
        vm.expectRevert(abi.encodeWithSelector(StorageProofClient.LengthMismatch.selector, 1, 0));
        _client.verifyMembership(fact.keys, new bytes32[](0), fact.proof);
        vm.expectRevert(abi.encodeWithSelector(StorageProofClient.LengthMismatch.selector, 1, 0));
        _client.verifyAbsence(fact.keys, fact.proof);
        vm.expectRevert(StorageProofClient.NoKeys.selector);
        _client.verifyAbsence(new bytes32[](0), fact.proof);
        freezeClient();
        vm.expectRevert(StorageProofClient.ClientFrozen.selector);
        _client.verifyMembership(fact.keys, fact.values, fact.proof);
    }

    /// @dev From outside: a test ends, and passes, where a creation of its own is refused as expected.
    function makeStorageProofClient(ILightClient inner, address account) external {
        new StorageProofClient(inner, account);
    }

    function test_it_needs_a_client_and_a_gateway() public {
        vm.expectRevert(abi.encodeWithSelector(StorageProofClient.InvalidInnerClient.selector, address(1)));
        this.makeStorageProofClient(ILightClient(address(1)), address(2));
        vm.expectRevert(StorageProofClient.InvalidGateway.selector);
        this.makeStorageProofClient(_inner, address(0));
        assertEq(address(_client.inner()), address(_inner));
        assertEq(_client.gateway(), vm.parseJsonAddress(_json, ".gateway"));
    }

    function test_an_inner_client_that_proves_although_it_is_frozen_is_not_believed() public {
        Fact memory fact = present(1);
        StorageProofClient other = new StorageProofClient(new Stubborn(), _client.gateway());
        vm.expectRevert(StorageProofClient.ClientFrozen.selector);
        other.verifyMembership(fact.keys, fact.values, fact.proof);
    }

    // Short forms

    /// @dev The inner committee's proof of the hash of the block at `height`.
    function trust(bytes memory header, uint64 height) private view returns (bytes memory) {
        Fact memory fact;
        (fact.keys, fact.values) = (new bytes32[](1), new bytes32[](1));
        fact.keys[0] = BlockHeader.blockKey(height);
        fact.values[0] = keccak256(header);
        return signed(_keys, fact, 1_000).proof;
    }

    function sentProof(uint256 count) private view returns (StorageProof memory proof) {
        proof = _base;
        proof.slots = new bytes[][](count);
        for (uint256 i = 0; i < count; ++i) {
            proof.slots[i] = _sent[i];
        }
    }

    function missingProof(uint256 count) private view returns (StorageProof memory proof) {
        proof = _base;
        (proof.destClient, proof.slots, proof.sequences) = ("caimi-1-0", new bytes[][](count), new uint64[](count));
        for (uint256 i = 0; i < count; ++i) {
            (proof.slots[i], proof.sequences[i]) = (_missing[i], uint64(i + 1));
        }
    }

    function decode(bytes memory header) external pure returns (uint64, uint64, bytes32) {
        return BlockHeader.decode(header);
    }

    function absent(bytes memory root, bytes32 slot) external pure {
        bytes[] memory proof = new bytes[](1);
        proof[0] = root;
        StateTrie.requireAbsent(keccak256(root), slot, proof);
    }

    function absentIn(bytes32 root, bytes32 slot, bytes[] memory proof) external pure {
        StateTrie.requireAbsent(root, slot, proof);
    }

    function rootIn(bytes32 state, address account, bytes[] memory proof) external pure returns (bytes32) {
        return StateTrie.storageRoot(state, account, proof);
    }

    /// @dev Of a state with one account of so many members, the third of which is `storageRoot`.
    function storageRootOf(uint256 count, bytes memory storageRoot) public pure returns (bytes32) {
        bytes[] memory members = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            members[i] = i == 2 ? storageRoot : bytes(hex"01");
        }
        bytes[] memory proof = new bytes[](1);
        bytes memory path = bytes.concat(hex"20", keccak256(abi.encodePacked(address(1))));
        proof[0] = node(path, RLP.encode(members));
        return StateTrie.storageRoot(keccak256(proof[0]), address(1), proof);
    }

    function valueIn(bytes32 root, bytes32 slot, bytes32 value, bytes[] memory proof) external pure {
        StateTrie.requireValue(root, slot, value, proof);
    }

    function expectNot(bytes memory reason) private {
        vm.expectRevert(reason);
    }

    function invalid(uint256 place, bytes memory item) private {
        bytes[] memory members = fifteen();
        members[place] = item;
        vm.expectRevert(abi.encodeWithSelector(BlockHeader.InvalidHeaderMember.selector, place));
        this.decode(RLP.encode(members));
    }

    function fifteen() private pure returns (bytes[] memory members) {
        members = new bytes[](15);
        for (uint256 i = 0; i < 15; ++i) {
            members[i] = i == 3 ? RLP.encode(bytes32(uint256(1))) : bytes(hex"01");
        }
    }

    /// @dev A list of `count` ones.
    function list(uint256 count) private pure returns (bytes memory) {
        bytes[] memory members = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            members[i] = hex"01";
        }
        return RLP.encode(members);
    }

    /// @dev A node of two members, both strings.
    function node(bytes memory compact, bytes memory value) private pure returns (bytes memory) {
        return pair(compact, RLP.encode(value));
    }

    /// @dev A node of two members, of which the second is encoded already.
    function pair(bytes memory compact, bytes memory second) private pure returns (bytes memory) {
        bytes[] memory members = new bytes[](2);
        (members[0], members[1]) = (RLP.encode(compact), second);
        return RLP.encode(members);
    }

    /// @dev A branch with one child at `place`.
    function branch(uint256 place, bytes memory child) private pure returns (bytes[] memory members) {
        members = new bytes[](17);
        for (uint256 i = 0; i < 17; ++i) {
            members[i] = i == place ? child : bytes(hex"80");
        }
    }
}
