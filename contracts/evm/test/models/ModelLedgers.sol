// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet, Payload} from "../../src/interfaces/IBCTypes.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {PacketContext} from "../../src/interfaces/IIBCApp.sol";
import {ForeignModel, Statement} from "../../src/interfaces/IModelRegistry.sol";
import {LicenceMarket} from "../../src/models/LicenceMarket.sol";
import {ModelBridge} from "../../src/models/ModelBridge.sol";
import {ModelRegistry} from "../../src/models/ModelRegistry.sol";
import {Transfer} from "../../src/models/ModelTransfer.sol";
import {Network} from "../Network.sol";
import {ProtoReader} from "../ProtoReader.sol";
import {Vm} from "../Vm.sol";

/// @notice Four ledgers with registry, bridge and market, every two joined, and a relayer that does as it is told.
/// @dev Packets and acknowledgements are read from the logs, and handed over only when a test says so, in any order
///      and as often as it likes.
abstract contract ModelLedgers is Network {
    struct Site {
        Ledger ledger;
        ModelRegistry registry;
        ModelBridge bridge;
        LicenceMarket market;
    }

    struct Sent {
        uint256 source;
        uint256 dest;
        bytes packet; // abi.encode(Packet)
        bytes32 commitment;
        bytes acknowledgements; // abi.encode(bytes[]), empty until written
    }

    uint256 internal constant SITES = 4;
    uint64 private constant BRIDGE_ROLE = 1;

    Site[SITES] internal sites;
    string[SITES][SITES] internal routes; // routes[a][b]: a's client of b
    Sent[] internal sent;
    mapping(bytes32 clientHash => mapping(uint64 sequence => uint256)) private _indexPlusOne;

    function makeSites() internal {
        for (uint256 i = 0; i < SITES; ++i) {
            _makeSite(i);
        }
        for (uint256 i = 0; i < SITES; ++i) {
            for (uint256 j = i + 1; j < SITES; ++j) {
                (End memory here, End memory there) = connect(sites[i].ledger, sites[j].ledger);
                (routes[i][j], routes[j][i]) = (here.clientId, there.clientId);
            }
        }
        vm.recordLogs();
    }

    /// @dev Site `i`, after making its chain id the machine's.
    function on(uint256 i) internal returns (Site storage site) {
        site = sites[i];
        vm.chainId(site.ledger.chainId);
    }

    function chainOf(uint256 i) internal view returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(sites[i].ledger.chainId);
    }

    function accountOn(uint256 i, address account) internal view returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(sites[i].ledger.chainId, account);
    }

    /// @dev A currency of an EVM chain as prices and payloads have it.
    function assetOf(address currency) internal pure returns (bytes memory) {
        return currency == address(0) ? bytes("") : abi.encodePacked(currency);
    }

    /// @dev Asked of the machine: the compiler takes it that time stands still within a transaction.
    function inAnHour() internal view returns (uint64) {
        return uint64(vm.getBlockTimestamp()) + 1 hours;
    }

    /// @dev Sends `owner`'s token from one site to another, with an hour to go.
    function sendModel(uint256 from, uint256 to, address owner, uint256 id, address recipient)
        internal
        returns (uint256 packet)
    {
        return sendModel(from, to, owner, id, recipient, 0);
    }

    function sendModel(uint256 from, uint256 to, address owner, uint256 id, address recipient, uint64 minDepth)
        internal
        returns (uint256 packet)
    {
        Site storage site = on(from);
        vm.startPrank(owner);
        site.registry.approve(address(site.bridge), id);
        site.bridge.send(routes[from][to], id, abi.encodePacked(recipient), inAnHour(), minDepth);
        vm.stopPrank();
        return latest();
    }

    function moveModel(uint256 from, uint256 to, address owner, uint256 id, address recipient) internal {
        uint256 packet = sendModel(from, to, owner, id, recipient);
        deliver(packet);
        acknowledge(packet);
    }

    /// @dev What a token that `publisher` published at site `home` says when it comes over `path`.
    function transferOf(uint256 home, address publisher, string memory name, bytes[] memory path, bytes memory recipient)
        internal
        view
        returns (Transfer memory)
    {
        return Transfer({
            model: ForeignModel({
                home: accountOn(home, address(sites[home].registry)),
                publisher: abi.encodePacked(publisher),
                name: name,
                path: path,
                stated: Statement(uint64(block.timestamp), 1, "1.0.0", keccak256("manifest"), 0, 0)
            }),
            sender: abi.encodePacked(publisher),
            recipient: recipient,
            sentAt: 0,
            minDepth: 0
        });
    }

    /// @dev As the gateway of `dest` tells it of a packet from `source`.
    function contextOf(uint256 source, uint256 dest, bytes memory value) internal view returns (PacketContext memory) {
        return PacketContext(
            routes[source][dest],
            routes[dest][source],
            9,
            Payload("model", "model", "caimi-model-3", "application/x-solidity-abi", value),
            address(this),
            0
        );
    }

    function pathOf(uint256 first) internal view returns (bytes[] memory path) {
        path = new bytes[](1);
        path[0] = chainOf(first);
    }

    function pathOf(uint256 first, uint256 second) internal view returns (bytes[] memory path) {
        path = new bytes[](2);
        (path[0], path[1]) = (chainOf(first), chainOf(second));
    }

    function tokenOf(uint256 modelId, bytes[] memory path) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(modelId, path)));
    }

    /// @dev Takes note of what the gateways sent and answered since the last call; returns how many packets there are.
    function observe() internal returns (uint256 count) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 n = 0; n < logs.length; ++n) {
            for (uint256 i = 0; i < SITES; ++i) {
                if (logs[n].emitter != address(sites[i].ledger.gateway)) continue;
                if (logs[n].topics[0] == IGateway.PacketSent.selector) _noteSent(i, logs[n].data);
                if (logs[n].topics[0] == IGateway.AcknowledgementWritten.selector) _noteAnswer(logs[n]);
            }
        }
        return sent.length;
    }

    /// @dev The packet sent last.
    function latest() internal returns (uint256 index) {
        return observe() - 1;
    }

    function deliver(uint256 index) internal {
        Sent storage entry = sent[index];
        Packet memory packet = packetOf(index);
        bytes memory proof =
            _prove(entry.source, ICS24.commitmentKey(packet.sourceClient, packet.sequence), entry.commitment);
        on(entry.dest).ledger.gateway.recvPackets(packet.destClient, only(packet), proof);
        observe();
    }

    function acknowledge(uint256 index) internal {
        acknowledgeWith(index, abi.decode(sent[index].acknowledgements, (bytes[])));
    }

    /// @dev Also what a lying ledger would have written.
    function acknowledgeWith(uint256 index, bytes[] memory acknowledgements) internal {
        Sent storage entry = sent[index];
        Packet memory packet = packetOf(index);
        bytes[][] memory batch = new bytes[][](1);
        batch[0] = acknowledgements;
        bytes memory proof = _prove(
            entry.dest,
            ICS24.acknowledgementKey(packet.destClient, packet.sequence),
            ICS24.acknowledgementCommitment(acknowledgements)
        );
        on(entry.source).ledger.gateway.ackPackets(packet.sourceClient, only(packet), batch, proof);
        observe();
    }

    /// @dev Waits until the packet has expired and proves that it was not received.
    function expire(uint256 index) internal {
        Sent storage entry = sent[index];
        Packet memory packet = packetOf(index);
        if (block.timestamp < packet.timeoutTimestamp) vm.warp(packet.timeoutTimestamp);
        bytes memory proof = proveAbsent(sites[entry.dest].ledger, only(packet));
        on(entry.source).ledger.gateway.timeoutPackets(packet.sourceClient, only(packet), proof);
        observe();
    }

    function one(bytes memory acknowledgement) internal pure returns (bytes[] memory acknowledgements) {
        acknowledgements = new bytes[](1);
        acknowledgements[0] = acknowledgement;
    }

    function packetOf(uint256 index) internal view returns (Packet memory) {
        return abi.decode(sent[index].packet, (Packet));
    }

    /// @dev Whether the destination has received the packet.
    function isAnswered(uint256 index) internal view returns (bool) {
        return sent[index].acknowledgements.length != 0;
    }

    /// @dev Whether the destination's application refused the packet.
    function isRefused(uint256 index) internal view returns (bool) {
        return keccak256(sent[index].acknowledgements) == keccak256(abi.encode(one(ICS24.UNIVERSAL_ERROR)));
    }

    /// @dev Whether the source has not ended the packet.
    function isOpen(uint256 index) internal view returns (bool) {
        Packet memory packet = packetOf(index);
        bytes32 key = ICS24.commitmentKey(packet.sourceClient, packet.sequence);
        return sites[sent[index].source].ledger.gateway.getCommitment(key) != 0;
    }

    function _prove(uint256 source, bytes32 key, bytes32 value) private returns (bytes memory) {
        bytes32[] memory keys = new bytes32[](1);
        bytes32[] memory values = new bytes32[](1);
        (keys[0], values[0]) = (key, value);
        return proveValues(sites[source].ledger, keys, values);
    }

    function _makeSite(uint256 i) private {
        Site storage site = sites[i];
        site.ledger = makeLedger(31337 + i);
        IGateway gateway = site.ledger.gateway;
        site.registry = new ModelRegistry(address(manager));
        site.bridge = new ModelBridge(gateway, site.registry, address(manager));
        site.market = new LicenceMarket(gateway, site.registry, address(manager));
        site.market.setRelayDeposit(0); // those that ask about it set it
        bytes4[] memory selectors = new bytes4[](2);
        selectors[0] = ModelRegistry.mintForeign.selector;
        selectors[1] = ModelRegistry.burnForeign.selector;
        manager.setTargetFunctionRole(address(site.registry), selectors, BRIDGE_ROLE);
        manager.grantRole(BRIDGE_ROLE, address(site.bridge), 0);
        gateway.addApplication(site.bridge.PORT(), site.bridge);
        gateway.addApplication(site.market.PORT(), site.market);
    }

    function _noteSent(uint256 source, bytes memory data) private {
        Packet memory packet = ProtoReader.packetOf(abi.decode(data, (bytes)));
        bytes32 clientHash = keccak256(bytes(packet.sourceClient));
        uint256 dest = 0;
        while (keccak256(bytes(routes[source][dest])) != clientHash) ++dest;
        bytes32 key = ICS24.commitmentKey(packet.sourceClient, packet.sequence);
        bytes32 commitment = sites[source].ledger.gateway.getCommitment(key);
        sent.push(Sent(source, dest, abi.encode(packet), commitment, ""));
        _indexPlusOne[clientHash][packet.sequence] = sent.length;
    }

    /// @dev The event names the destination's client; what was sent is known by the source's.
    function _noteAnswer(Vm.Log memory log) private {
        for (uint256 source = 0; source < SITES; ++source) {
            for (uint256 dest = 0; dest < SITES; ++dest) {
                if (source == dest || keccak256(bytes(routes[dest][source])) != log.topics[1]) continue;
                uint256 index =
                    _indexPlusOne[keccak256(bytes(routes[source][dest]))][uint64(uint256(log.topics[2]))] - 1;
                sent[index].acknowledgements =
                    abi.encode(ProtoReader.acknowledgementsOf(abi.decode(log.data, (bytes))));
            }
        }
    }
}
