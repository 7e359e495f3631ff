// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {Price} from "../../src/interfaces/ILicenceMarket.sol";
import {Publication} from "../../src/interfaces/IModelRegistry.sol";
import {LicenceMarket} from "../../src/models/LicenceMarket.sol";
import {ModelRegistry} from "../../src/models/ModelRegistry.sol";
import {PublicationStatements} from "../../src/models/PublicationStatements.sol";
import {ReceiptLog} from "../../src/models/ReceiptLog.sol";
import {ModelLedgers} from "./ModelLedgers.sol";

/// @notice What a transaction costs, as its receipt says: each call is a transaction of its own (isolated).
/// forge-config: default.isolate = true
contract ModelGasTest is ModelLedgers {
    address private constant BUYER = address(0xB0B);
    bytes32 private constant MANIFEST = keccak256("manifest");
    uint256 private constant OWNER_KEY = 0x516E;
    address private owner;
    uint256 private model;

    function setUp() public {
        makeSites();
        owner = vm.addr(OWNER_KEY);
        vm.deal(BUYER, 1 ether);
        ModelRegistry registry = on(0).registry;
        vm.prank(owner);
        model = registry.publish("first", "1.0.0", MANIFEST);
    }

    function test_gas_of_publishing() public {
        ModelRegistry registry = on(0).registry;
        vm.startPrank(owner);
        registry.publish("tumour-mlp", "1.0.0", MANIFEST);
        assertLe(_spent("publish a model"), 200_000);
        registry.publish("tumour-mlp", "1.1.0", MANIFEST);
        assertLe(_spent("publish a version"), 110_000);
        registry.setAlias(model, "production", "1.0.0");
        assertLe(_spent("set an alias, first time"), 85_000);
    }

    /// @dev A proof of 10 nodes: a batch of a thousand.
    function test_gas_of_a_batch() public {
        ModelRegistry registry = on(0).registry;
        registry.anchorBatch(MANIFEST, 1);
        Publication memory publication = Publication(owner, "tumour-mlp", "1.0.0", MANIFEST);
        uint256 id = registry.modelIdOf(owner, "tumour-mlp");
        bytes memory row = abi.encode(accountOn(0, owner), id, keccak256("1.0.0"), MANIFEST);
        bytes32 root = keccak256(bytes.concat(keccak256(row)));
        bytes32[] memory proof = new bytes32[](10);
        for (uint256 i = 0; i < proof.length; ++i) {
            proof[i] = keccak256(abi.encode(i));
            root = Hashes.commutativeKeccak256(root, proof[i]);
        }
        uint256 batchId = registry.anchorBatch(root, 1024);
        assertLe(_spent("anchor a batch"), 76_000);
        bytes memory signature = _sign(id, publication);
        registry.publishFromBatch(batchId, publication, proof, signature);
        assertLe(_spent("publish a model from a batch of 1024"), 225_000);
    }

    function test_gas_of_buying() public {
        LicenceMarket market = on(0).market;
        Price[] memory prices = new Price[](2);
        prices[0] = Price(accountOn(0, owner), "", 5, true);
        prices[1] = Price(accountOn(1, owner), "", 5, true);
        vm.prank(owner);
        market.setPrices(model, prices);
        _spent("set two prices");
        vm.prank(BUYER);
        market.buy{value: 5}(model, "1.0.0", address(0), 5, address(0));
        assertLe(_spent("buy where the model lives"), 140_000);
        market = on(1).market;
        market.setRelayDeposit(0.0001 ether);
        vm.prank(BUYER);
        market.buyRemote{value: 0.0001 ether + 5}(routes[1][0], model, "1.0.0", address(0), 5, inAnHour(), address(0));
        assertLe(_spent("buy from another ledger"), 278_000);
        uint256 packet = latest();
        deliver(packet);
        _spent("receive a purchase, 3 of 5");
        acknowledge(packet);
        _spent("acknowledge a purchase, 3 of 5");
        market = on(1).market;
        vm.prank(owner);
        market.withdraw(address(0), owner);
        _spent("withdraw native coin");
    }

    function test_gas_of_moving() public {
        Site storage site = on(0);
        vm.startPrank(owner);
        site.registry.approve(address(site.bridge), model);
        site.bridge.send(routes[0][1], model, abi.encodePacked(BUYER), inAnHour(), 0);
        vm.stopPrank();
        // The first over a route, which fills three empty slots: its bucket, the sender's share, what is out over it.
        assertLe(_spent("send a model from home"), 320_000);
        uint256 packet = latest();
        deliver(packet);
        _spent("receive a foreign model, 3 of 5");
        acknowledge(packet);
        _spent("acknowledge a model, 3 of 5");
    }

    function test_gas_of_anchoring_receipts() public {
        ReceiptLog log = new ReceiptLog();
        log.anchor(MANIFEST, 100);
        log.anchor(keccak256("second"), 100);
        assertLe(_spent("anchor receipts"), 52_000);
    }

    /// @dev Of the last call, with its refund taken off.
    function _spent(string memory name) private returns (uint256 spent) {
        spent = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue(name, spent);
    }

    function _sign(uint256 id, Publication memory publication) private view returns (bytes memory) {
        bytes32 digest =
            PublicationStatements.digest(id, publication.name, publication.version, publication.manifest);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(OWNER_KEY, digest);
        return abi.encodePacked(r, s, v);
    }
}
