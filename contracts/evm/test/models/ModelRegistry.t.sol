// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {ForeignModel, IModelRegistry, Publication, Statement, Version} from "../../src/interfaces/IModelRegistry.sol";
import {ModelRegistry} from "../../src/models/ModelRegistry.sol";
import {Test} from "../Test.sol";

/// @dev A contract wallet that accepts one digest.
contract Wallet is IERC1271 {
    bytes32 public accepted;

    function accept(bytes32 digest) external {
        accepted = digest;
    }

    function isValidSignature(bytes32 hash, bytes calldata) external view returns (bytes4) {
        return hash == accepted ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

contract ModelRegistryTest is Test {
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);
    address private constant BRIDGE = address(0xB41D6E);
    bytes32 private constant MANIFEST = keccak256("manifest");
    bytes32 private constant OTHER = keccak256("other manifest");
    uint256 private constant SIGNER_KEY = 0x516E;
    ModelRegistry private registry;
    uint256 private model;

    function setUp() public {
        vm.warp(1_800_000_000);
        vm.chainId(31337);
        AccessManager authority = new AccessManager(address(this));
        registry = new ModelRegistry(address(authority));
        bytes4[] memory selectors = new bytes4[](2);
        selectors[0] = ModelRegistry.mintForeign.selector;
        selectors[1] = ModelRegistry.burnForeign.selector;
        authority.setTargetFunctionRole(address(registry), selectors, 1);
        authority.grantRole(1, BRIDGE, 0);
        vm.prank(ALICE);
        model = registry.publish("tumour-mlp", "1.0.0", MANIFEST);
    }

    // Publishing

    function test_a_model_id_follows_from_home_publisher_and_name() public view {
        bytes memory home = InteroperableAddress.formatEvmV1(31337, address(registry));
        assertEq(model, uint256(keccak256(abi.encode(home, abi.encodePacked(ALICE), "tumour-mlp"))));
        assertEq(registry.modelIdOf(ALICE, "tumour-mlp"), model);
    }

    function test_the_first_version_mints_the_right_to_publish() public {
        uint256 id = registry.modelIdOf(BOB, "second");
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelRegistered(id, BOB, "second");
        vm.expectEmit(address(registry));
        emit IModelRegistry.VersionPublished(id, keccak256("0.1"), BOB, "0.1", MANIFEST);
        vm.prank(BOB);
        assertEq(registry.publish("second", "0.1", MANIFEST), id);
        assertEq(registry.ownerOf(id), BOB);
        (bytes memory publisher, string memory name, bytes memory home, uint256 count) = registry.model(id);
        assertEq(publisher, abi.encodePacked(BOB));
        assertEq(name, "second");
        assertEq(home, InteroperableAddress.formatEvmV1(31337, address(registry)));
        assertEq(count, 1);
        assertEq(registry.versionAt(id, 0), "0.1");
        assertTrue(registry.isHome(id));
    }

    function test_a_version_is_published_once() public {
        vm.startPrank(ALICE);
        bytes memory refusal = abi.encodeWithSelector(ModelRegistry.VersionExists.selector, model, keccak256("1.0.0"));
        vm.expectRevert(refusal);
        registry.publish("tumour-mlp", "1.0.0", OTHER);
        vm.expectRevert(refusal);
        registry.publishVersion(model, "1.0.0", MANIFEST);
        assertEq(registry.getVersion(model, keccak256("1.0.0")).manifest, MANIFEST);
    }

    function test_only_the_owner_publishes_further_versions() public {
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.NotModelOwner.selector, model, BOB));
        registry.publishVersion(model, "1.1.0", OTHER);

        vm.prank(ALICE);
        registry.transferFrom(ALICE, BOB, model);
        vm.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.NotModelOwner.selector, model, ALICE));
        registry.publishVersion(model, "1.1.0", OTHER);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.NotModelOwner.selector, model, ALICE));
        registry.publish("tumour-mlp", "1.1.0", OTHER);
        vm.stopPrank();
        vm.prank(BOB);
        registry.publishVersion(model, "1.1.0", OTHER);
        assertEq(registry.versionAt(model, 1), "1.1.0");
    }

    function test_an_approved_account_may_move_the_model_but_not_publish() public {
        vm.prank(ALICE);
        registry.setApprovalForAll(BOB, true);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.NotModelOwner.selector, model, BOB));
        registry.publishVersion(model, "1.1.0", OTHER);
    }

    function test_a_zero_manifest_is_refused() public {
        vm.prank(ALICE);
        vm.expectRevert(ModelRegistry.ZeroManifest.selector);
        registry.publish("tumour-mlp", "1.1.0", 0);
    }

    function test_an_unknown_model_has_a_named_error() public {
        bytes memory refusal = abi.encodeWithSelector(ModelRegistry.UnknownModel.selector, 5);
        vm.expectRevert(refusal);
        registry.publishVersion(5, "1.0.0", MANIFEST);
        vm.expectRevert(refusal);
        registry.model(5);
        vm.expectRevert(refusal);
        registry.versionAt(5, 0);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.IndexOutOfBounds.selector, 1, 1));
        registry.versionAt(model, 1);
    }

    function test_names_versions_and_aliases_that_are_not_allowed() public {
        string[9] memory names = ["", ".a", "-a", "_a", "A", "a b", "a/b", unicode"ä", "a\u0000"];
        vm.startPrank(ALICE);
        for (uint256 i = 0; i < names.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidName.selector, names[i]));
            registry.publish(names[i], "1.0.0", MANIFEST);
        }
        string[7] memory versions = ["", "v1", ".1", "1 0", "1_0", "1/0", "-1"];
        for (uint256 i = 0; i < versions.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidVersion.selector, versions[i]));
            registry.publish("tumour-mlp", versions[i], MANIFEST);
        }
        string[7] memory aliases = ["", "1", "A", "-a", "a.b", "a_b", "aB"];
        for (uint256 i = 0; i < aliases.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidAlias.selector, aliases[i]));
            registry.setAlias(model, aliases[i], "1.0.0");
        }
        string memory tooLong = string(_repeat("1", 65));
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidName.selector, tooLong));
        registry.publish(tooLong, "1.0.0", MANIFEST);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidVersion.selector, tooLong));
        registry.publish("tumour-mlp", tooLong, MANIFEST);
        tooLong = string(_repeat("a", 65));
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidAlias.selector, tooLong));
        registry.setAlias(model, tooLong, "1.0.0");
    }

    function test_the_longest_and_oddest_names_that_are_allowed() public {
        vm.startPrank(ALICE);
        uint256 id = registry.publish(string(_repeat("z", 64)), string(_repeat("9", 64)), MANIFEST);
        registry.setAlias(id, string(_repeat("a", 64)), string(_repeat("9", 64)));
        id = registry.publish("0a._-z", "1.0.0-rc.1+Build-7", MANIFEST);
        registry.setAlias(id, "a-0", "1.0.0-rc.1+Build-7");
    }

    function testFuzz_one_character_decides_as_the_specification_says(uint8 character) public {
        bytes memory text = abi.encodePacked("1", bytes1(character));
        bool allowed = (character >= 0x30 && character <= 0x39) || (character >= 0x41 && character <= 0x5a)
            || (character >= 0x61 && character <= 0x7a) || character == 0x2b || character == 0x2d || character == 0x2e;
        vm.prank(ALICE);
        if (!allowed) vm.expectPartialRevert(ModelRegistry.InvalidVersion.selector);
        registry.publish("tumour-mlp", string(text), MANIFEST);
        allowed = (character >= 0x30 && character <= 0x39) || (character >= 0x61 && character <= 0x7a)
            || character == 0x2d || character == 0x2e || character == 0x5f;
        vm.prank(ALICE);
        if (!allowed) vm.expectPartialRevert(ModelRegistry.InvalidName.selector);
        registry.publish(string(text), "1", MANIFEST);
    }

    // Aliases and deprecation

    function test_an_alias_keeps_the_history_of_what_it_meant() public {
        vm.startPrank(ALICE);
        registry.publishVersion(model, "1.1.0", OTHER);
        registry.setAlias(model, "production", "1.0.0");
        vm.warp(block.timestamp + 100);
        registry.setAlias(model, "production", "1.1.0");
        vm.warp(block.timestamp + 100);
        vm.expectEmit(address(registry));
        emit IModelRegistry.AliasSet(model, keccak256("production"), "production", "1.0.0");
        registry.setAlias(model, "production", "1.0.0");
        assertEq(registry.getAlias(model, "production"), "1.0.0");
        assertEq(registry.aliasHistoryLength(model, "production"), 3);
        (string memory version, uint64 time) = registry.aliasHistoryAt(model, "production", 1);
        assertEq(version, "1.1.0");
        assertEq(time, 1_800_000_100);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.IndexOutOfBounds.selector, 3, 3));
        registry.aliasHistoryAt(model, "production", 3);
    }

    function test_an_alias_means_a_published_version_that_is_not_deprecated() public {
        vm.startPrank(ALICE);
        bytes32 unknown = keccak256("2.0.0");
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.UnknownVersion.selector, model, unknown));
        registry.setAlias(model, "production", "2.0.0");
        registry.deprecate(model, "1.0.0", "leaks");
        bytes32 known = keccak256("1.0.0");
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.VersionIsDeprecated.selector, model, known));
        registry.setAlias(model, "production", "1.0.0");
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.UnknownAlias.selector, model, "production"));
        registry.getAlias(model, "production");
    }

    function test_deprecation_is_final_and_changes_nothing_else() public {
        Version memory before = registry.getVersion(model, keccak256("1.0.0"));
        vm.startPrank(ALICE);
        vm.expectEmit(address(registry));
        emit IModelRegistry.VersionDeprecated(model, keccak256("1.0.0"), "1.0.0", "leaks");
        registry.deprecate(model, "1.0.0", "leaks");
        Version memory deprecated = registry.getVersion(model, keccak256("1.0.0"));
        assertTrue(deprecated.deprecated);
        assertEq(deprecated.manifest, before.manifest);
        assertEq(deprecated.publishedAt, before.publishedAt);
        bytes32 versionId = keccak256("1.0.0");
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.VersionIsDeprecated.selector, model, versionId));
        registry.deprecate(model, "1.0.0", "again");
        versionId = keccak256("3.0.0");
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.UnknownVersion.selector, model, versionId));
        registry.deprecate(model, "3.0.0", "");
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.ReasonTooLong.selector, 257));
        registry.deprecate(model, "1.0.0", string(_repeat("a", 257)));
        registry.publishVersion(model, "9.0.0", keccak256("next"));
        registry.deprecate(model, "9.0.0", string(_repeat("a", 256)));
    }

    function test_only_the_owner_sets_aliases_and_deprecates() public {
        vm.startPrank(BOB);
        bytes memory refusal = abi.encodeWithSelector(ModelRegistry.NotModelOwner.selector, model, BOB);
        vm.expectRevert(refusal);
        registry.setAlias(model, "production", "1.0.0");
        vm.expectRevert(refusal);
        registry.deprecate(model, "1.0.0", "");
    }

    // Batches

    function test_an_anchored_publication_is_proved_and_published_by_signature() public {
        (uint256 batchId, Publication memory publication, bytes32[] memory proof, bytes memory signature) =
            _anchored("batched", "2.0.0");
        assertEq(batchId, 1);
        assertTrue(registry.isAnchored(batchId, publication, proof));
        vm.prank(BOB);
        uint256 id = registry.publishFromBatch(batchId, publication, proof, signature);
        assertEq(registry.ownerOf(id), publication.publisher);
        assertEq(registry.getVersion(id, keccak256("2.0.0")).manifest, MANIFEST);

        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.VersionExists.selector, id, keccak256("2.0.0")));
        registry.publishFromBatch(batchId, publication, proof, signature);
    }

    /// @dev StandardMerkleTree.of of the publications (alice, tumour-mlp, 1.0.0), (alice, tumour-mlp, 1.1.0) and
    ///      (bob, digits, 0.1) in the registry at 0xCA101 on chain 31337, by the stock library.
    function test_a_tree_of_the_stock_library_is_understood() public {
        ModelRegistry fixedRegistry = ModelRegistry(address(0xCA101));
        vm.etch(address(fixedRegistry), address(registry).code);
        uint256 batchId =
            fixedRegistry.anchorBatch(0xd22797a0d73459a3bd16783edfe7a2b742601ce35f4faad80c618d3e8654c045, 3);
        bytes32[] memory proof = new bytes32[](2);
        proof[0] = 0x6bd00924352f26edf419ce85fd562da13325b75d430c81466b29b0fbb4151a70;
        proof[1] = 0xdbc724e1eaa2ce8b88f1f3622ad83aa05a904a8e9408b3e25430086be8eda5a9;
        Publication memory publication = Publication(ALICE, "tumour-mlp", "1.0.0", MANIFEST);
        assertTrue(fixedRegistry.isAnchored(batchId, publication, proof));
    }

    function test_a_batch_tells_when_and_by_whom_it_was_anchored() public {
        vm.prank(BOB);
        vm.expectEmit(address(registry));
        emit IModelRegistry.BatchAnchored(1, BOB, MANIFEST, 1000);
        registry.anchorBatch(MANIFEST, 1000);
        (bytes32 root, uint64 anchoredAt, uint32 count, address anchorer) = registry.batch(1);
        assertEq(root, MANIFEST);
        assertEq(anchoredAt, block.timestamp);
        assertEq(count, 1000);
        assertEq(anchorer, BOB);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.UnknownBatch.selector, 2));
        registry.batch(2);
    }

    function test_an_empty_batch_and_a_zero_root_are_refused() public {
        vm.expectRevert(ModelRegistry.ZeroRoot.selector);
        registry.anchorBatch(0, 1);
        vm.expectRevert(ModelRegistry.EmptyBatch.selector);
        registry.anchorBatch(MANIFEST, 0);
    }

    function testFuzz_a_changed_publication_is_not_in_the_batch(uint8 part, bytes32 noise) public {
        (uint256 batchId, Publication memory publication, bytes32[] memory proof, bytes memory signature) =
            _anchored("batched", "2.0.0");
        part = uint8(bound(part, 0, 5));
        // Forge draws the constants of the contracts too: what was anchored may come back as noise.
        vm.assume(
            publication.publisher != address(bytes20(noise)) && publication.manifest != noise && proof[0] != noise
        );
        if (part == 0) publication.publisher = address(bytes20(noise));
        if (part == 1) publication.name = "batched2";
        if (part == 2) publication.version = "2.0.1";
        if (part == 3) publication.manifest = noise;
        if (part == 4) proof[0] = noise;
        if (part == 5) batchId = bound(uint256(noise), 2, type(uint256).max);
        assertFalse(registry.isAnchored(batchId, publication, proof));
        vm.expectPartialRevert(ModelRegistry.NotInBatch.selector);
        registry.publishFromBatch(batchId, publication, proof, signature);
    }

    function test_a_signature_by_anyone_else_is_refused() public {
        (uint256 batchId, Publication memory publication, bytes32[] memory proof, bytes memory signature) =
            _anchored("batched", "2.0.0");
        bytes memory refusal = abi.encodeWithSelector(ModelRegistry.InvalidSignature.selector, publication.publisher);
        vm.expectRevert(refusal);
        registry.publishFromBatch(batchId, publication, proof, _sign(0xBAD, publication));
        vm.expectRevert(refusal);
        registry.publishFromBatch(batchId, publication, proof, "");
        signature[64] = bytes1(uint8(signature[64]) ^ 7);
        vm.expectRevert(refusal);
        registry.publishFromBatch(batchId, publication, proof, signature);
        bytes memory elsewhere = _sign(SIGNER_KEY, publication);
        vm.chainId(1);
        vm.expectRevert();
        registry.publishFromBatch(batchId, publication, proof, elsewhere);
    }

    /// @dev The model's id is in what is signed, and it commits to the registry.
    function test_a_signature_for_another_registry_is_refused() public {
        (, Publication memory publication,, bytes memory signature) = _anchored("batched", "2.0.0");
        registry = new ModelRegistry(registry.authority());
        (uint256 batchId, bytes32[] memory proof) = _anchor(publication);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidSignature.selector, publication.publisher));
        registry.publishFromBatch(batchId, publication, proof, signature);
        registry.publishFromBatch(batchId, publication, proof, _sign(SIGNER_KEY, publication));
    }

    function test_a_contract_wallet_publishes_from_a_batch() public {
        Wallet wallet = new Wallet();
        Publication memory publication = Publication(address(wallet), "walleted", "1.0.0", MANIFEST);
        (uint256 batchId, bytes32[] memory proof) = _anchor(publication);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidSignature.selector, address(wallet)));
        registry.publishFromBatch(batchId, publication, proof, "");
        wallet.accept(_digest(publication));
        uint256 id = registry.publishFromBatch(batchId, publication, proof, "");
        assertEq(registry.ownerOf(id), address(wallet));
    }

    function test_a_publisher_who_sold_the_model_publishes_no_more_by_signature() public {
        (uint256 first, Publication memory publication, bytes32[] memory proof, bytes memory signature) =
            _anchored("batched", "2.0.0");
        uint256 id = registry.publishFromBatch(first, publication, proof, signature);
        vm.prank(publication.publisher);
        registry.transferFrom(publication.publisher, BOB, id);
        (uint256 second, Publication memory further, bytes32[] memory path, bytes memory signed) =
            _anchored("batched", "2.1.0");
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.NotModelOwner.selector, id, further.publisher));
        registry.publishFromBatch(second, further, path, signed);
    }

    // Foreign models

    function test_a_foreign_model_is_owned_here_but_published_at_home() public {
        (uint256 id, bytes memory home) = _foreign(99, address(7), "abroad");
        vm.prank(BRIDGE);
        vm.expectEmit(address(registry));
        emit IModelRegistry.ForeignModelMinted(id, home, BOB);
        registry.mintForeign(id, BOB, _came(ALICE, "abroad", home));
        assertEq(registry.ownerOf(id), BOB);
        assertFalse(registry.isHome(id));
        assertEq(registry.tokenURI(id), string.concat("caimi:eip155:99:", vm.toString(bytes32(id))));
        vm.startPrank(BOB);
        bytes memory refusal = abi.encodeWithSelector(ModelRegistry.ModelIsForeign.selector, id);
        vm.expectRevert(refusal);
        registry.publishVersion(id, "1.0.0", MANIFEST);
        vm.expectRevert(refusal);
        registry.setAlias(id, "production", "1.0.0");
        vm.expectRevert(refusal);
        registry.deprecate(id, "1.0.0", "");
    }

    function test_the_uri_names_chain_and_model() public {
        assertEq(registry.tokenURI(model), string.concat("caimi:eip155:31337:", vm.toString(bytes32(model))));
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 5));
        registry.tokenURI(5);
    }

    function test_a_foreign_model_leaves_and_comes_again() public {
        (uint256 id, bytes memory home) = _foreign(99, address(7), "abroad");
        vm.startPrank(BRIDGE);
        registry.mintForeign(id, BRIDGE, _came(ALICE, "abroad", home));
        vm.expectEmit(address(registry));
        emit IModelRegistry.ForeignModelBurned(id);
        registry.burnForeign(id);
        (bytes memory publisher,, bytes memory known,) = registry.model(id);
        assertEq(publisher, abi.encodePacked(ALICE));
        assertEq(known, home);
        registry.mintForeign(id, BOB, _came(ALICE, "abroad", home));
        assertEq(registry.ownerOf(id), BOB);
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidSender.selector, address(0)));
        registry.mintForeign(id, BRIDGE, _came(ALICE, "abroad", home));
    }

    function test_the_bridge_burns_only_what_it_holds_and_nothing_of_this_home() public {
        (uint256 id, bytes memory home) = _foreign(99, address(7), "abroad");
        vm.startPrank(BRIDGE);
        registry.mintForeign(id, BOB, _came(ALICE, "abroad", home));
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.NotModelOwner.selector, id, BRIDGE));
        registry.burnForeign(id);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.ModelIsNotForeign.selector, model));
        registry.burnForeign(model);
    }

    function test_a_foreign_model_must_match_its_id() public {
        (uint256 id, bytes memory home) = _foreign(99, address(7), "abroad");
        vm.startPrank(BRIDGE);
        bytes memory refusal = abi.encodeWithSelector(ModelRegistry.WrongModelId.selector, id);
        vm.expectRevert(refusal);
        registry.mintForeign(id, BOB, _came(BOB, "abroad", home));
        vm.expectRevert(refusal);
        registry.mintForeign(id, BOB, _came(ALICE, "another", home));
        vm.expectRevert(refusal);
        registry.mintForeign(id, BOB, _came(ALICE, "abroad", InteroperableAddress.formatEvmV1(98, address(7))));
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidName.selector, "A"));
        registry.mintForeign(id, BOB, _came(ALICE, "A", home));
    }

    function test_a_home_must_be_the_one_encoding_of_a_registry_on_another_ledger() public {
        (uint256 id, bytes memory home) = _foreign(99, address(7), "abroad");
        bytes[6] memory homes = [
            bytes(""),
            bytes.concat(home, hex"00"),
            InteroperableAddress.formatEvmV1(99),
            InteroperableAddress.formatV1(0x0000, abi.encodePacked(keccak256("99"), hex"63"), abi.encodePacked(address(7))),
            InteroperableAddress.formatV1(0xff03, "channel", ""),
            hex"00010000020063140000000000000000000000000000000000000007"
        ];
        vm.startPrank(BRIDGE);
        for (uint256 i = 0; i < homes.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidHome.selector, homes[i]));
            registry.mintForeign(id, BOB, _came(ALICE, "abroad", homes[i]));
        }
        (id, home) = _foreign(31337, address(registry), "here");
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidHome.selector, home));
        registry.mintForeign(id, BOB, _came(ALICE, "here", home));
    }

    /// @dev Whatever the kind of the ledger that is its home.
    function testFuzz_a_foreign_model_of_any_kind_of_ledger_is_taken_as_it_came(
        bytes2 kind,
        bytes memory chain,
        bytes memory account,
        bytes memory publisher
    ) public {
        vm.assume(kind != 0 && chain.length != 0 && account.length != 0 && publisher.length != 0);
        _cut(chain, 50);
        _cut(account, 72); // 128 bytes in all
        _cut(publisher, 64);
        bytes memory home = InteroperableAddress.formatV1(kind, chain, account);
        ForeignModel memory came = _came(ALICE, "abroad", home);
        came.publisher = publisher;
        uint256 id = uint256(keccak256(abi.encode(home, publisher, "abroad")));
        vm.prank(BRIDGE);
        registry.mintForeign(id, BOB, came);
        assertEq(abi.encode(registry.foreign(id)), abi.encode(came));
        (bytes memory known,, bytes memory place,) = registry.model(id);
        assertEq(known, publisher);
        assertEq(place, home);
        bytes memory ledger = InteroperableAddress.formatV1(kind, chain, "");
        assertEq(
            registry.tokenURI(id), string.concat("caimi:", vm.toString(ledger), ":", vm.toString(bytes32(id)))
        );
    }

    function test_a_publisher_is_an_account_of_the_models_home() public {
        (, bytes memory home) = _foreign(99, address(7), "abroad");
        bytes memory channel = InteroperableAddress.formatV1(0xff03, "channel", "registry");
        vm.startPrank(BRIDGE);
        _refusePublisher(home, new bytes(20));
        _refusePublisher(home, bytes.concat(bytes20(ALICE), hex"01"));
        _refusePublisher(home, abi.encodePacked(bytes19(bytes20(ALICE) << 8)));
        _refusePublisher(channel, "");
        _refusePublisher(channel, new bytes(65));
    }

    function test_what_came_with_a_foreign_model_is_told_as_it_came_last() public {
        (uint256 id, bytes memory home) = _foreign(99, address(7), "abroad");
        ForeignModel memory first = _came(ALICE, "abroad", home);
        vm.startPrank(BRIDGE);
        registry.mintForeign(id, BRIDGE, first);
        assertEq(abi.encode(registry.foreign(id)), abi.encode(first));
        registry.burnForeign(id);
        assertEq(abi.encode(registry.foreign(id)), abi.encode(first));
        ForeignModel memory second = _came(ALICE, "abroad", home);
        second.stated = Statement(6, 3, "2.0.0", bytes32(uint256(1)), 0, 0);
        registry.mintForeign(id, BRIDGE, second);
        assertEq(abi.encode(registry.foreign(id)), abi.encode(second));
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.ModelIsNotForeign.selector, model));
        registry.foreign(model);
    }

    function test_what_no_home_can_have_said_is_refused() public {
        (uint256 id, bytes memory home) = _foreign(99, address(7), "abroad");
        ForeignModel memory came = _came(ALICE, "abroad", home);
        vm.startPrank(BRIDGE);
        came.stated.version = "v1";
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidVersion.selector, "v1"));
        registry.mintForeign(id, BOB, came);
        came.stated.version = "1.0.0";
        came.stated.manifest = 0;
        vm.expectRevert(ModelRegistry.ZeroManifest.selector);
        registry.mintForeign(id, BOB, came);
    }

    function test_the_path_of_a_model_is_in_its_id_and_its_uri() public {
        (uint256 modelId, bytes memory home) = _foreign(99, address(7), "abroad");
        ForeignModel memory came = _came(ALICE, "abroad", home);
        came.path = new bytes[](2);
        came.path[0] = InteroperableAddress.formatEvmV1(98);
        came.path[1] = InteroperableAddress.formatEvmV1(97);
        uint256 id = uint256(keccak256(abi.encode(modelId, came.path)));
        vm.startPrank(BRIDGE);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.WrongModelId.selector, modelId));
        registry.mintForeign(modelId, BOB, came);
        registry.mintForeign(id, BOB, came);
        assertEq(
            registry.tokenURI(id),
            string.concat(
                "caimi:eip155:99:", vm.toString(bytes32(modelId)), "?via=0x00010000016200&via=0x00010000016100"
            )
        );
        (came.path[0], came.path[1]) = (came.path[1], came.path[0]);
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.WrongModelId.selector, id));
        registry.mintForeign(id, BOB, came);
    }

    function test_only_the_bridge_mints_and_burns() public {
        (uint256 id, bytes memory home) = _foreign(99, address(7), "abroad");
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this));
        vm.expectRevert(refusal);
        registry.mintForeign(id, BOB, _came(ALICE, "abroad", home));
        vm.expectRevert(refusal);
        registry.burnForeign(id);
    }

    function test_it_says_what_it_implements() public view {
        assertTrue(registry.supportsInterface(type(IModelRegistry).interfaceId));
        assertTrue(registry.supportsInterface(type(IERC721).interfaceId));
        assertFalse(registry.supportsInterface(0xffffffff));
    }

    function _came(address publisher, string memory name, bytes memory home)
        private
        pure
        returns (ForeignModel memory)
    {
        Statement memory stated = Statement(5, 2, "1.1.0", MANIFEST, 3, hex"04");
        return ForeignModel(home, abi.encodePacked(publisher), name, new bytes[](0), stated);
    }

    function _foreign(uint256 chainId, address home, string memory name)
        private
        pure
        returns (uint256 id, bytes memory whole)
    {
        whole = InteroperableAddress.formatEvmV1(chainId, home);
        id = uint256(keccak256(abi.encode(whole, abi.encodePacked(ALICE), name)));
    }

    function _cut(bytes memory data, uint256 most) private pure {
        if (data.length <= most) return;
        assembly ("memory-safe") {
            mstore(data, most)
        }
    }

    /// @dev Under the id that it would have.
    function _refusePublisher(bytes memory home, bytes memory publisher) private {
        ForeignModel memory came = _came(ALICE, "abroad", home);
        came.publisher = publisher;
        uint256 id = uint256(keccak256(abi.encode(home, publisher, "abroad")));
        vm.expectRevert(abi.encodeWithSelector(ModelRegistry.InvalidPublisher.selector, publisher));
        registry.mintForeign(id, BOB, came);
    }

    function _anchored(string memory name, string memory version)
        private
        returns (uint256 batchId, Publication memory publication, bytes32[] memory proof, bytes memory signature)
    {
        publication = Publication(vm.addr(SIGNER_KEY), name, version, MANIFEST);
        (batchId, proof) = _anchor(publication);
        signature = _sign(SIGNER_KEY, publication);
    }

    function _anchor(Publication memory publication) private returns (uint256 batchId, bytes32[] memory proof) {
        uint256 id = _idOf(publication);
        bytes memory publisher = InteroperableAddress.formatEvmV1(31337, publication.publisher);
        bytes memory row = abi.encode(publisher, id, keccak256(bytes(publication.version)), publication.manifest);
        bytes32 leaf = keccak256(bytes.concat(keccak256(row)));
        proof = new bytes32[](1);
        proof[0] = keccak256("neighbour");
        batchId = registry.anchorBatch(Hashes.commutativeKeccak256(leaf, proof[0]), 2);
    }

    function _idOf(Publication memory publication) private view returns (uint256) {
        bytes memory home = InteroperableAddress.formatEvmV1(31337, address(registry));
        return uint256(keccak256(abi.encode(home, abi.encodePacked(publication.publisher), publication.name)));
    }

    function _digest(Publication memory publication) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version)"), keccak256("CAIMI"), keccak256("1")
            )
        );
        bytes32 content = keccak256(
            abi.encode(
                keccak256("Publication(string ledger,string name,string version,bytes32 modelId,bytes32 manifest)"),
                keccak256("eip155:31337"),
                keccak256(bytes(publication.name)),
                keccak256(bytes(publication.version)),
                _idOf(publication),
                publication.manifest
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, content));
    }

    function _sign(uint256 key, Publication memory publication) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _digest(publication));
        return abi.encodePacked(r, s, v);
    }

    function _repeat(bytes1 character, uint256 length) private pure returns (bytes memory text) {
        text = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            text[i] = character;
        }
    }
}
