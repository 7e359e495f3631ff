// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ICS24} from "../../src/gateway/ICS24.sol";
import {Payload} from "../../src/interfaces/IBCTypes.sol";
import {Interoperable} from "../../src/models/Interoperable.sol";
import {ModelNames} from "../../src/models/ModelNames.sol";
import {ModelTransfers, Transfer} from "../../src/models/ModelTransfer.sol";
import {Paths} from "../../src/models/Paths.sol";
import {PublicationStatements} from "../../src/models/PublicationStatements.sol";
import {Test} from "../Test.sol";

/// @notice The gateway computes of the wire what contracts/vectors says (see make.py there).
contract WireVectorsTest is Test {
    string internal ibc;

    function setUp() public {
        ibc = vm.readFile("../vectors/ibc.json");
    }

    function test_packets_commit_as_published() public view {
        uint256 count = 0;
        for (; vm.keyExistsJson(ibc, item(".packets", count, "")); ++count) {
            string memory packet = item(".packets", count, "");
            Payload[] memory payloads = new Payload[](vm.parseJsonUint(ibc, string.concat(packet, ".payloadCount")));
            for (uint256 i = 0; i < payloads.length; ++i) {
                string memory payload = item(string.concat(packet, ".payloads"), i, "");
                payloads[i] = Payload(
                    vm.parseJsonString(ibc, string.concat(payload, ".sourcePort")),
                    vm.parseJsonString(ibc, string.concat(payload, ".destPort")),
                    vm.parseJsonString(ibc, string.concat(payload, ".version")),
                    vm.parseJsonString(ibc, string.concat(payload, ".encoding")),
                    vm.parseJsonBytes(ibc, string.concat(payload, ".value"))
                );
            }
            bytes32 commitment = this.packetCommitment(
                vm.parseJsonString(ibc, string.concat(packet, ".destClient")),
                uint64(vm.parseJsonUint(ibc, string.concat(packet, ".timeoutTimestamp"))),
                payloads
            );
            assertEq(commitment, vm.parseJsonBytes32(ibc, string.concat(packet, ".commitment")));
        }
        assertEq(count, 5);
    }

    function packetCommitment(string calldata destClient, uint64 timeout, Payload[] calldata payloads)
        external
        view
        returns (bytes32)
    {
        return ICS24.packetCommitment(destClient, timeout, payloads);
    }

    function test_acknowledgements_commit_as_published() public view {
        assertEq(ICS24.UNIVERSAL_ERROR, vm.parseJsonBytes(ibc, ".universalError"));
        assertTrue(ICS24.isUniversalError(vm.parseJsonBytes(ibc, ".universalError")));
        uint256 count = 0;
        for (; vm.keyExistsJson(ibc, item(".acknowledgements", count, "")); ++count) {
            bytes[] memory items = vm.parseJsonBytesArray(ibc, item(".acknowledgements", count, ".acknowledgements"));
            assertEq(
                ICS24.acknowledgementCommitment(items),
                vm.parseJsonBytes32(ibc, item(".acknowledgements", count, ".commitment"))
            );
        }
        assertEq(count, 3);
    }

    function test_keys_are_as_published() public view {
        uint256 count = 0;
        for (; vm.keyExistsJson(ibc, item(".paths", count, "")); ++count) {
            string memory kind = vm.parseJsonString(ibc, item(".paths", count, ".kind"));
            string memory client = vm.parseJsonString(ibc, item(".paths", count, ".client"));
            uint64 sequence = uint64(vm.parseJsonUint(ibc, item(".paths", count, ".sequence")));
            bytes32 key;
            if (same(kind, "commitment")) key = ICS24.commitmentKey(client, sequence);
            else if (same(kind, "receipt")) key = ICS24.receiptKey(client, sequence);
            else if (same(kind, "acknowledgement")) key = ICS24.acknowledgementKey(client, sequence);
            assertEq(key, vm.parseJsonBytes32(ibc, item(".paths", count, ".key")));
        }
        assertEq(count, 6);
    }

    function test_interoperable_addresses_have_one_encoding() public view {
        string memory json = vm.readFile("../vectors/interoperable.json");
        uint256 count = 0;
        for (; vm.keyExistsJson(json, item(".valid", count, "")); ++count) {
            bytes memory data = vm.parseJsonBytes(json, item(".valid", count, ".data"));
            assertTrue(Interoperable.isLedger(data) || Interoperable.ledgerOf(data).length > 0);
        }
        assertEq(count, 5);
        for (count = 0; vm.keyExistsJson(json, item(".malformed", count, "")); ++count) {
            bytes memory data = vm.parseJsonBytes(json, item(".malformed", count, ".data"));
            string memory why = vm.parseJsonString(json, item(".malformed", count, ".why"));
            assertFalse(Interoperable.isLedger(data), why);
            assertEq(Interoperable.ledgerOf(data), "", why);
        }
        assertEq(count, 10);
    }

    function test_payloads_are_the_documented_tuples() public view {
        string memory json = vm.readFile("../vectors/payloads.json");
        Transfer memory transfer;
        transfer.model.home = vm.parseJsonBytes(json, ".model.home");
        transfer.model.publisher = vm.parseJsonBytes(json, ".model.publisher");
        transfer.model.name = vm.parseJsonString(json, ".model.name");
        transfer.model.path = vm.parseJsonBytesArray(json, ".model.path");
        transfer.model.stated.time = uint64(vm.parseJsonUint(json, ".model.time"));
        transfer.model.stated.versionCount = uint64(vm.parseJsonUint(json, ".model.versionCount"));
        transfer.model.stated.version = vm.parseJsonString(json, ".model.version");
        transfer.model.stated.manifest = vm.parseJsonBytes32(json, ".model.manifest");
        transfer.model.stated.licenceCount = uint64(vm.parseJsonUint(json, ".model.licenceCount"));
        transfer.model.stated.licenceDigest = bytes24(vm.parseJsonBytes32(json, ".model.licenceDigest"));
        transfer.sender = vm.parseJsonBytes(json, ".model.sender");
        transfer.recipient = vm.parseJsonBytes(json, ".model.recipient");
        transfer.sentAt = uint64(vm.parseJsonUint(json, ".model.sentAt"));
        transfer.minDepth = uint64(vm.parseJsonUint(json, ".model.minDepth"));
        bytes memory value = vm.parseJsonBytes(json, ".model.value");
        assertEq(ModelTransfers.encode(transfer), value);
        assertEq(abi.encode(this.decoded(value)), abi.encode(transfer));
        assertEq(
            abi.encode(
                uint8(2),
                uint256(vm.parseJsonBytes32(json, ".licence.modelId")),
                vm.parseJsonString(json, ".licence.version"),
                vm.parseJsonBytes(json, ".licence.consumer"),
                vm.parseJsonBytes(json, ".licence.asset"),
                uint256(vm.parseJsonBytes32(json, ".licence.amount"))
            ),
            vm.parseJsonBytes(json, ".licence.value")
        );
        assertEq(
            abi.encode(
                uint8(2), vm.parseJsonBytes32(json, ".licence.licenceId"), vm.parseJsonBytes(json, ".licence.payee")
            ),
            vm.parseJsonBytes(json, ".licence.answer")
        );
        assertEq(
            abi.encode(
                uint8(3),
                vm.parseJsonBytes(json, ".message.sender"),
                vm.parseJsonBytes(json, ".message.recipient"),
                vm.parseJsonBytes(json, ".message.payload")
            ),
            vm.parseJsonBytes(json, ".message.value")
        );
    }

    function decoded(bytes calldata value) external pure returns (Transfer memory) {
        return ModelTransfers.decode(value);
    }

    function test_tokens_of_models_that_came_over_ledgers_have_the_published_ids() public view {
        string memory json = vm.readFile("../vectors/payloads.json");
        uint256 modelId = uint256(vm.parseJsonBytes32(json, ".tokens.modelId"));
        bytes[] memory path = vm.parseJsonBytesArray(json, ".tokens.path");
        bytes32[] memory ids = vm.parseJsonBytes32Array(json, ".tokens.ids");
        for (uint256 i = ids.length; i > 0; --i) {
            assertEq(Paths.tokenId(modelId, path), uint256(ids[i - 1]));
            path = Paths.before(path);
        }
        assertEq(Paths.tokenId(modelId, path), modelId);
    }

    function test_models_of_all_kinds_of_ledgers_have_the_published_ids() public view {
        string memory json = vm.readFile("../vectors/payloads.json");
        uint256 count = 0;
        for (; vm.keyExistsJson(json, item(".models", count, "")); ++count) {
            bytes memory home = vm.parseJsonBytes(json, item(".models", count, ".home"));
            bytes memory publisher = vm.parseJsonBytes(json, item(".models", count, ".publisher"));
            string memory name = vm.parseJsonString(json, item(".models", count, ".name"));
            bytes32 id = vm.parseJsonBytes32(json, item(".models", count, ".modelId"));
            assertEq(ModelNames.modelId(home, publisher, name), uint256(id));
            assertTrue(ModelNames.isPublisher(Interoperable.ledgerOf(home), publisher));
        }
        assertEq(count, 3);
    }

    function test_publications_are_signed_as_published() public {
        string memory json = vm.readFile("../vectors/payloads.json");
        vm.chainId(31337);
        bytes32 digest = PublicationStatements.digest(
            uint256(vm.parseJsonBytes32(json, ".publication.modelId")),
            vm.parseJsonString(json, ".publication.name"),
            vm.parseJsonString(json, ".publication.version"),
            vm.parseJsonBytes32(json, ".publication.manifest")
        );
        assertEq(digest, vm.parseJsonBytes32(json, ".publication.digest"));
    }

    function test_identifiers_are_those_that_ibc_go_takes() public view {
        assertTrue(this.isClientId("07-tendermint-0"));
        assertTrue(this.isClientId("abcXYZ09._+-#[]<>"));
        assertFalse(this.isClientId("seven77"));
        assertTrue(this.isPort("a1"));
        assertFalse(this.isPort("a"));
        for (uint256 c = 0; c < 256; ++c) {
            bool allowed = (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a) || c == 0x2e
                || c == 0x5f || c == 0x2b || c == 0x2d || c == 0x23 || c == 0x5b || c == 0x5d || c == 0x3c || c == 0x3e;
            assertEq(this.isPort(string(abi.encodePacked("port", bytes1(uint8(c))))), allowed);
        }
    }

    function isClientId(string calldata id) external pure returns (bool) {
        return ICS24.isClientId(id);
    }

    function isPort(string calldata id) external pure returns (bool) {
        return ICS24.isPort(id);
    }

    function item(string memory list, uint256 index, string memory member) private pure returns (string memory) {
        return string.concat(list, "[", vm.toString(index), "]", member);
    }

    function same(string memory left, string memory right) private pure returns (bool) {
        return keccak256(bytes(left)) == keccak256(bytes(right));
    }
}
