// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {
    AxelarAmplifierGateway
} from "@axelar-network/axelar-gmp-sdk-solidity/contracts/gateway/AxelarAmplifierGateway.sol";
import {
    AxelarAmplifierGatewayProxy
} from "@axelar-network/axelar-gmp-sdk-solidity/contracts/gateway/AxelarAmplifierGatewayProxy.sol";
import {
    IBaseAmplifierGateway
} from "@axelar-network/axelar-gmp-sdk-solidity/contracts/interfaces/IBaseAmplifierGateway.sol";
import {CommandType, Message} from "@axelar-network/axelar-gmp-sdk-solidity/contracts/types/AmplifierGatewayTypes.sol";
import {
    Proof,
    WeightedSigner,
    WeightedSigners
} from "@axelar-network/axelar-gmp-sdk-solidity/contracts/types/WeightedMultisigTypes.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet, Payload} from "../../src/interfaces/IBCTypes.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {AxelarAdapter} from "../../src/interop/AxelarAdapter.sol";
import {MessageGateway} from "../../src/interop/MessageGateway.sol";
import {ModelBridge} from "../../src/models/ModelBridge.sol";
import {ModelNames} from "../../src/models/ModelNames.sol";
import {ModelRegistry} from "../../src/models/ModelRegistry.sol";
import {Committee} from "../Committee.sol";
import {Vm} from "../Vm.sol";
import {PuppetApp} from "../gateway/PuppetApp.sol";

/// @notice Our bridge over Axelar: the published Amplifier gateways with signers of their own, our adapter, and packets
///         as messages. Two ledgers in one machine, told apart by their chain ids.
contract AxelarTest is Committee {
    bytes32 private constant CONTRACT_CALL = keccak256("ContractCall(address,string,string,bytes32,bytes)");

    struct Site {
        uint256 chainId;
        string name;
        AxelarAmplifierGateway axelar;
        AxelarAdapter adapter;
        MessageGateway gateway;
        ModelRegistry registry;
        ModelBridge bridge;
        string clientId;
    }

    /// @dev What Axelar's verifiers saw sent and nobody has delivered.
    struct Call {
        uint256 from;
        string sourceAddress;
        address target;
        bytes payload;
    }

    AccessManager internal manager;
    Keys internal verifiers;
    Site[2] internal sites;
    Call[] internal calls;
    uint256 internal messageCount;
    address internal alice = address(0xa11ce);
    address internal bob = address(0xb0b);
    uint256 internal modelId;

    function setUp() public {
        vm.warp(1_700_000_000);
        manager = new AccessManager(address(this));
        verifiers = makeKeys(0, 3, 5, 77);
        _makeSite(0, 31337, "ethereum");
        _makeSite(1, 31338, "polygon");
        for (uint256 i = 0; i < 2; ++i) {
            Site storage here = _on(i);
            Site storage there = sites[1 - i];
            here.adapter.register(
                InteroperableAddress.formatEvmV1(there.chainId), there.name, address(there.adapter)
            );
            here.gateway.connect(
                here.clientId,
                there.clientId,
                InteroperableAddress.formatEvmV1(there.chainId, address(there.gateway))
            );
        }
        _on(0);
        vm.prank(alice);
        sites[0].registry.publish("m", "1.0.0", bytes32(uint256(1)));
        bytes memory home = InteroperableAddress.formatEvmV1(31337, address(sites[0].registry));
        modelId = ModelNames.modelId(home, abi.encodePacked(alice), "m");
        vm.recordLogs();
    }

    function test_a_model_goes_over_axelar_and_comes_home() public {
        uint64 sequence = _sendModel(0, alice, bob);
        assertEq(sites[0].registry.ownerOf(modelId), address(sites[0].bridge));
        _carry(); // the packet
        assertEq(sites[1].registry.ownerOf(modelId), bob);
        (,, bool completed) = sites[0].bridge.locked(modelId);
        assertFalse(completed);
        _carry(); // its acknowledgement
        (,, completed) = sites[0].bridge.locked(modelId);
        assertTrue(completed);
        assertFalse(sites[0].gateway.isOpen(sites[0].clientId, sequence));

        _sendModel(1, bob, bob);
        _carry();
        assertEq(sites[0].registry.ownerOf(modelId), bob);
        _carry();
    }

    function test_a_refused_model_comes_back_to_its_sender() public {
        sites[1].bridge.pause();
        _sendModel(0, alice, bob);
        _carry();
        _carry();
        assertEq(sites[0].registry.ownerOf(modelId), alice);
    }

    function test_a_model_that_came_too_late_is_refunded_on_the_other_sides_word() public {
        uint64 sequence = _sendModel(0, alice, bob);
        Packet memory packet = _packet(sequence);
        _on(1);
        vm.expectRevert(
            abi.encodeWithSelector(MessageGateway.NotExpired.selector, packet.timeoutTimestamp, block.timestamp)
        );
        sites[1].gateway.expire(packet);
        vm.warp(packet.timeoutTimestamp);
        // Late: the delivery is undone, and the approval stays.
        Call memory late = calls[0];
        bytes32 commandId = _approve(late);
        vm.expectRevert(
            abi.encodeWithSelector(
                MessageGateway.InvalidTimeout.selector, packet.timeoutTimestamp, block.timestamp
            )
        );
        _execute(late, commandId);
        _clear();

        sites[1].gateway.expire(packet);
        _note();
        _carry();
        assertEq(sites[0].registry.ownerOf(modelId), alice);
        assertFalse(sites[0].gateway.isOpen(sites[0].clientId, sequence));
    }

    function test_nobody_expires_a_packet_that_arrived_or_was_sent_otherwise() public {
        uint64 sequence = _sendModel(0, alice, bob);
        Packet memory packet = _packet(sequence);
        packet.timeoutTimestamp = uint64(block.timestamp); // not what was sent
        _on(1);
        sites[1].gateway.expire(packet);
        _note();
        Call memory lie = calls[1];
        bytes32 commandId = _approve(lie);
        vm.expectRevert(
            abi.encodeWithSelector(
                MessageGateway.NotOpen.selector, keccak256(bytes(sites[0].clientId)), sequence
            )
        );
        _execute(lie, commandId);

        calls.pop();
        packet = _packet(sequence);
        _carry();
        vm.warp(packet.timeoutTimestamp);
        _on(1);
        vm.expectRevert(
            abi.encodeWithSelector(
                MessageGateway.AlreadyReceived.selector, keccak256(bytes(sites[1].clientId)), sequence
            )
        );
        sites[1].gateway.expire(packet);
    }

    function test_a_message_is_delivered_once() public {
        _sendModel(0, alice, bob);
        Call memory call = calls[0];
        bytes32 commandId = _approve(call);
        _execute(call, commandId);
        vm.expectRevert(abi.encodeWithSelector(AxelarAdapter.NotApproved.selector, commandId));
        _execute(call, commandId);
        // Approved a second time under another id, by verifiers who lie: the packet is known.
        commandId = _approve(call);
        vm.expectRevert(
            abi.encodeWithSelector(
                MessageGateway.AlreadyReceived.selector, keccak256(bytes(sites[1].clientId)), uint64(1)
            )
        );
        _execute(call, commandId);
    }

    function test_a_lost_answer_is_said_again() public {
        uint64 sequence = _sendModel(0, alice, bob);
        _carry();
        _clear(); // the answer is lost
        _on(1);
        vm.expectRevert(
            abi.encodeWithSelector(
                MessageGateway.NotReceived.selector, keccak256(bytes(sites[1].clientId)), uint64(9)
            )
        );
        sites[1].gateway.answer(sites[1].clientId, 9);
        sites[1].gateway.answer(sites[1].clientId, sequence);
        sites[1].gateway.answer(sites[1].clientId, sequence);
        _note();
        Call memory second = calls[1];
        calls.pop();
        _carry();
        (,, bool completed) = sites[0].bridge.locked(modelId);
        assertTrue(completed);
        bytes32 commandId = _approve(second);
        vm.expectRevert(
            abi.encodeWithSelector(
                MessageGateway.NotOpen.selector, keccak256(bytes(sites[0].clientId)), sequence
            )
        );
        _execute(second, commandId);
    }

    function test_without_axelars_approval_nothing_arrives() public {
        _sendModel(0, alice, bob);
        Call memory call = calls[0];
        vm.expectRevert(abi.encodeWithSelector(AxelarAdapter.NotApproved.selector, bytes32(uint256(5))));
        _execute(call, bytes32(uint256(5)));
    }

    function test_a_strangers_adapter_is_not_believed() public {
        _sendModel(0, alice, bob);
        Call memory call = calls[0];
        call.sourceAddress = Strings.toChecksumHexString(address(0xbad));
        bytes32 commandId = _approve(call);
        vm.expectRevert(
            abi.encodeWithSelector(AxelarAdapter.UnknownRemote.selector, "ethereum", call.sourceAddress)
        );
        _execute(call, commandId);
    }

    function test_a_strangers_message_is_not_believed() public {
        _on(0);
        bytes memory recipient = InteroperableAddress.formatEvmV1(31338, address(sites[1].gateway));
        vm.prank(alice);
        sites[0].adapter.sendMessage(recipient, hex"1234", new bytes[](0));
        _note();
        Call memory call = calls[0];
        bytes32 commandId = _approve(call);
        vm.expectRevert(
            abi.encodeWithSelector(
                MessageGateway.UnknownPeer.selector, InteroperableAddress.formatEvmV1(31337, alice)
            )
        );
        _execute(call, commandId);
        vm.expectRevert(abi.encodeWithSelector(MessageGateway.OnlyMessages.selector, address(this)));
        sites[1].gateway.receiveMessage(0, recipient, hex"1234");
    }

    function test_an_adapter_speaks_for_its_own_ledger_only() public {
        _sendModel(0, alice, bob);
        Call memory call = calls[0];
        (, bytes memory recipient, bytes memory payload) = abi.decode(call.payload, (bytes, bytes, bytes));
        bytes memory sender = InteroperableAddress.formatEvmV1(1, address(sites[0].gateway));
        call.payload = abi.encode(sender, recipient, payload);
        bytes32 commandId = _approve(call);
        vm.expectRevert(abi.encodeWithSelector(AxelarAdapter.WrongSender.selector, sender, "ethereum"));
        _execute(call, commandId);
    }

    function test_remotes_and_routes_are_named_once_and_by_administrators() public {
        bytes memory ledger = InteroperableAddress.formatEvmV1(31338);
        vm.expectRevert(abi.encodeWithSelector(AxelarAdapter.AlreadyRegistered.selector, ledger, "avalanche"));
        sites[0].adapter.register(ledger, "avalanche", address(1));
        vm.expectRevert(
            abi.encodeWithSelector(
                AxelarAdapter.AlreadyRegistered.selector, InteroperableAddress.formatEvmV1(99), "polygon"
            )
        );
        sites[0].adapter.register(InteroperableAddress.formatEvmV1(99), "polygon", address(1));
        vm.expectRevert(
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(0xbad))
        );
        vm.prank(address(0xbad));
        sites[0].adapter.register(InteroperableAddress.formatEvmV1(99), "avalanche", address(1));

        bytes memory peer = InteroperableAddress.formatEvmV1(31338, address(sites[1].gateway));
        vm.expectRevert(abi.encodeWithSelector(MessageGateway.AlreadyConnected.selector, "caimi-other"));
        sites[0].gateway.connect("caimi-other", "caimi-other", peer);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(0xbad))
        );
        vm.prank(address(0xbad));
        sites[0].gateway.connect("caimi-other", "caimi-other", peer);
        vm.expectRevert(abi.encodeWithSelector(MessageGateway.OnlySelf.selector));
        sites[0].gateway.deliver(address(sites[0].bridge), "");
    }

    function test_attributes_value_and_unreachable_ledgers_are_refused() public {
        _on(0);
        bytes memory nowhere = InteroperableAddress.formatEvmV1(99, alice);
        vm.expectRevert(
            abi.encodeWithSelector(
                AxelarAdapter.UnreachableLedger.selector, InteroperableAddress.formatEvmV1(99)
            )
        );
        sites[0].adapter.sendMessage(nowhere, "", new bytes[](0));
        bytes[] memory attributes = new bytes[](1);
        attributes[0] = hex"12345678";
        vm.expectRevert();
        sites[0].adapter.sendMessage(nowhere, "", attributes);
        vm.expectRevert(abi.encodeWithSelector(AxelarAdapter.UnexpectedValue.selector, 1));
        sites[0].adapter.sendMessage{value: 1}(nowhere, "", new bytes[](0));
        vm.expectRevert(abi.encodeWithSelector(AxelarAdapter.InvalidRecipient.selector, hex"00"));
        sites[0].adapter.sendMessage(hex"00", "", new bytes[](0));
    }

    function test_an_application_that_misbehaves_yields_an_error_acknowledgement() public {
        string[6] memory orders = ["refuse", "burn", "blob", "nothing", "garbage", "overlong"];
        PuppetApp[2] memory puppets = [new PuppetApp(), new PuppetApp()];
        sites[0].gateway.addApplication("port", puppets[0]);
        sites[1].gateway.addApplication("port", puppets[1]);
        for (uint256 i = 0; i < orders.length; ++i) {
            Site storage site = _on(0);
            Payload[] memory payloads = new Payload[](1);
            payloads[0] = Payload("port", "port", "test-1", "raw", bytes(orders[i]));
            vm.prank(address(puppets[0]));
            site.gateway.sendPacket(site.clientId, uint64(block.timestamp + 1 hours), payloads);
            _note();
            _carry();
            _carry();
            assertEq(puppets[0].lastAcknowledgement(), ICS24.UNIVERSAL_ERROR);
        }
        assertEq(puppets[0].acknowledged(), orders.length);
        assertEq(puppets[1].received(), 0); // nothing of it stayed
    }

    // The world

    function _makeSite(uint256 i, uint256 chainId, string memory name) private {
        Site storage site = sites[i];
        (site.chainId, site.name) = (chainId, name);
        vm.chainId(chainId);
        site.clientId = string.concat("axelar-to-", i == 0 ? "polygon" : "ethereum");
        WeightedSigners[] memory sets = new WeightedSigners[](1);
        sets[0] = _signers();
        address logic = address(new AxelarAmplifierGateway(15, keccak256(bytes(name)), 1 days));
        site.axelar = AxelarAmplifierGateway(
            address(new AxelarAmplifierGatewayProxy(logic, address(this), abi.encode(address(0), sets)))
        );
        site.adapter = new AxelarAdapter(IBaseAmplifierGateway(address(site.axelar)), address(manager));
        site.gateway = new MessageGateway(site.adapter, address(manager));
        site.registry = new ModelRegistry(address(manager));
        site.bridge = new ModelBridge(IGateway(address(site.gateway)), site.registry, address(manager));
        site.gateway.addApplication("model", site.bridge);
        bytes4[] memory selectors = new bytes4[](2);
        selectors[0] = ModelRegistry.mintForeign.selector;
        selectors[1] = ModelRegistry.burnForeign.selector;
        manager.setTargetFunctionRole(address(site.registry), selectors, 1);
        manager.grantRole(1, address(site.bridge), 0);
    }

    function _on(uint256 i) private returns (Site storage site) {
        site = sites[i];
        vm.chainId(site.chainId);
    }

    function _sendModel(uint256 from, address sender, address recipient) private returns (uint64 sequence) {
        Site storage site = _on(from);
        vm.startPrank(sender);
        site.registry.approve(address(site.bridge), modelId);
        sequence = site.bridge.send(
            site.clientId, modelId, abi.encodePacked(recipient), uint64(block.timestamp + 1 hours), 0
        );
        vm.stopPrank();
        _note();
    }

    /// @dev The packet in the message sent first.
    function _packet(uint64 sequence) private view returns (Packet memory packet) {
        (,, bytes memory message) = abi.decode(calls[0].payload, (bytes, bytes, bytes));
        (, bytes memory content) = abi.decode(message, (MessageGateway.Kind, bytes));
        packet = abi.decode(content, (Packet));
        require(packet.sequence == sequence, "another packet");
    }

    /// @dev Takes note of what was sent, as Axelar's verifiers do.
    function _note() private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 n = 0; n < logs.length; ++n) {
            if (logs[n].topics[0] != CONTRACT_CALL) continue;
            uint256 from = logs[n].emitter == address(sites[0].axelar) ? 0 : 1;
            (, string memory target, bytes memory payload) = abi.decode(logs[n].data, (string, string, bytes));
            address sender = address(uint160(uint256(logs[n].topics[1])));
            calls.push(Call(from, Strings.toChecksumHexString(sender), Strings.parseAddress(target), payload));
        }
    }

    /// @dev Approves and executes all that was sent so far; what that sends is left for the next time.
    function _carry() private {
        uint256 count = calls.length;
        require(count > 0, "nothing to carry");
        Call[] memory now_ = calls;
        _clear();
        for (uint256 i = 0; i < count; ++i) {
            _execute(now_[i], _approve(now_[i]));
        }
        _note();
    }

    function _clear() private {
        vm.getRecordedLogs();
        delete calls;
    }

    function _approve(Call memory call) private returns (bytes32 commandId) {
        Site storage target = _on(1 - call.from);
        string memory id = string.concat("0x", Strings.toString(++messageCount));
        Message[] memory messages = new Message[](1);
        messages[0] =
            Message(sites[call.from].name, id, call.sourceAddress, call.target, keccak256(call.payload));
        WeightedSigners memory signers = _signers();
        bytes32 digest = target.axelar.messageHashToSign(
            keccak256(abi.encode(signers)), keccak256(abi.encode(CommandType.ApproveMessages, messages))
        );
        bytes[] memory signatures = new bytes[](verifiers.threshold);
        for (uint256 i = 0; i < signatures.length; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(verifiers.privateKeys[i], digest);
            signatures[i] = abi.encodePacked(r, s, v);
        }
        target.axelar.approveMessages(messages, Proof(signers, signatures));
        return target.axelar.messageToCommandId(sites[call.from].name, id);
    }

    function _execute(Call memory call, bytes32 commandId) private {
        Site storage target = sites[1 - call.from];
        vm.chainId(target.chainId);
        AxelarAdapter(call.target).execute(commandId, sites[call.from].name, call.sourceAddress, call.payload);
    }

    function _signers() private view returns (WeightedSigners memory set) {
        set.signers = new WeightedSigner[](verifiers.members.length);
        for (uint256 i = 0; i < set.signers.length; ++i) {
            set.signers[i] = WeightedSigner(verifiers.members[i], 1);
        }
        set.threshold = verifiers.threshold;
        set.nonce = keccak256("first");
    }
}
