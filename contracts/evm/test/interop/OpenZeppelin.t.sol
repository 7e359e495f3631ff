// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {CrosschainLinked} from "@openzeppelin/contracts/crosschain/CrosschainLinked.sol";
import {CrosschainRemoteExecutor} from "@openzeppelin/contracts/crosschain/CrosschainRemoteExecutor.sol";
import {BridgeERC20} from "@openzeppelin/contracts/crosschain/bridges/BridgeERC20.sol";
import {BridgeERC721} from "@openzeppelin/contracts/crosschain/bridges/BridgeERC721.sol";
import {ERC7786Recipient} from "@openzeppelin/contracts/crosschain/ERC7786Recipient.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {MessagePort} from "../../src/gateway/MessagePort.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {Packet} from "../../src/interfaces/IBCTypes.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {Network} from "../Network.sol";
import {ProtoReader} from "../ProtoReader.sol";
import {Vm} from "../Vm.sol";

contract Paintings is ERC721("Paintings", "P") {
    function mint(address to, uint256 tokenId) external {
        _mint(to, tokenId);
    }
}

contract Coins is ERC20("Coins", "C") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice OpenZeppelin's bridges with nothing of ours but the link, set once.
contract PaintingBridge is BridgeERC721 {
    constructor(Paintings paintings) BridgeERC721(paintings) CrosschainLinked(new Link[](0)) {}

    function link(address gateway, bytes calldata counterpart) external {
        _setLink(gateway, counterpart, false);
    }
}

contract CoinBridge is BridgeERC20 {
    constructor(Coins coins) BridgeERC20(coins) CrosschainLinked(new Link[](0)) {}

    function link(address gateway, bytes calldata counterpart) external {
        _setLink(gateway, counterpart, false);
    }
}

/// @notice What a remote governor commands.
contract Valve {
    address public immutable owner;
    uint256 public setting;

    constructor(address owner_) {
        owner = owner_;
    }

    function set(uint256 value) external {
        require(msg.sender == owner, "not the owner");
        setting = value;
    }
}

/// @notice OpenZeppelin's cross-chain contracts, unchanged, over our gateway's ERC-7786 face and real committee proofs.
contract OpenZeppelinTest is Network {
    Ledger internal one;
    Ledger internal two;
    End internal a;
    End internal b;
    MessagePort internal portA;
    MessagePort internal portB;
    address internal alice = address(0xa11ce);
    address internal bob = address(0xb0b);

    function setUp() public {
        one = makeLedger(31337);
        two = makeLedger(31338);
        (a, b) = connect(one, two);
        portA = new MessagePort(one.gateway);
        portB = new MessagePort(two.gateway);
        addApplication(one, "erc7786", portA);
        addApplication(two, "erc7786", portB);
        vm.recordLogs();
    }

    // BridgeERC721

    function test_a_token_goes_over_and_comes_home() public {
        (Paintings paintings, Paintings copies, PaintingBridge home, PaintingBridge away) = paintingBridges();
        enter(one);
        paintings.mint(alice, 7);
        vm.startPrank(alice);
        paintings.approve(address(home), 7);
        home.crosschainTransferFrom(alice, on(two, bob), 7);
        vm.stopPrank();
        assertEq(paintings.ownerOf(7), address(home));
        deliver(a, b);
        assertEq(copies.ownerOf(7), bob);

        enter(two);
        vm.startPrank(bob);
        copies.approve(address(away), 7);
        away.crosschainTransferFrom(bob, on(one, bob), 7);
        vm.stopPrank();
        assertEq(copies.ownerOf(7), address(away));
        deliver(b, a);
        assertEq(paintings.ownerOf(7), bob);
    }

    /// @dev What a bridge of ERC-7786 cannot learn from its gateway: the token stays locked, and the gateway says why.
    function test_a_token_that_cannot_be_given_out_is_told_to_have_failed() public {
        (Paintings paintings,, PaintingBridge home,) = paintingBridges();
        enter(one);
        paintings.mint(alice, 8); // of which the other side holds no copy
        vm.startPrank(alice);
        paintings.approve(address(home), 8);
        home.crosschainTransferFrom(alice, on(two, bob), 8);
        vm.stopPrank();
        Packet memory packet = deliver(a, b);
        assertEq(
            two.gateway.getCommitment(ICS24.acknowledgementKey(b.clientId, packet.sequence)),
            ICS24.acknowledgementCommitment(listOf(ICS24.UNIVERSAL_ERROR))
        );
        bytes[][] memory acks = new bytes[][](1);
        acks[0] = listOf(ICS24.UNIVERSAL_ERROR);
        bytes memory proof = proveAcknowledged(two, only(packet));
        enter(one);
        vm.expectEmit(address(portA));
        emit MessagePort.MessageFailed(a.clientId, packet.sequence);
        one.gateway.ackPackets(a.clientId, only(packet), acks, proof);
        assertEq(paintings.ownerOf(8), address(home));
    }

    // BridgeERC20

    function test_coins_go_over_and_come_home() public {
        Coins coins = new Coins();
        Coins copies = new Coins();
        CoinBridge home = new CoinBridge(coins);
        CoinBridge away = new CoinBridge(copies);
        enter(one);
        home.link(address(portA), on(two, address(away)));
        enter(two);
        away.link(address(portB), on(one, address(home)));
        copies.mint(address(away), 100);

        enter(one);
        coins.mint(alice, 100);
        vm.startPrank(alice);
        coins.approve(address(home), 60);
        home.crosschainTransfer(on(two, bob), 60);
        vm.stopPrank();
        deliver(a, b);
        assertEq(copies.balanceOf(bob), 60);
        assertEq(coins.balanceOf(address(home)), 60);

        enter(two);
        vm.startPrank(bob);
        copies.approve(address(away), 25);
        away.crosschainTransfer(on(one, alice), 25);
        vm.stopPrank();
        deliver(b, a);
        assertEq(coins.balanceOf(alice), 65);
        assertEq(copies.balanceOf(address(away)), 65);
    }

    // CrosschainLinked

    function test_a_bridge_takes_messages_of_its_counterpart_only() public {
        (, Paintings copies,, PaintingBridge away) = paintingBridges();
        enter(one);
        vm.prank(alice);
        portA.sendMessage(on(two, address(away)), abi.encode(on(one, alice), abi.encodePacked(bob), 7), new bytes[](0));
        Packet memory packet = deliver(a, b);
        assertEq(copies.ownerOf(7), address(away));
        assertEq(
            two.gateway.getCommitment(ICS24.acknowledgementKey(b.clientId, packet.sequence)),
            ICS24.acknowledgementCommitment(listOf(ICS24.UNIVERSAL_ERROR))
        );
    }

    function test_a_link_wants_an_erc7786_gateway() public {
        PaintingBridge bridge = new PaintingBridge(new Paintings());
        vm.expectRevert();
        bridge.link(alice, on(two, alice));
        bridge.link(address(portA), on(two, alice));
        vm.expectRevert(
            abi.encodeWithSelector(CrosschainLinked.LinkAlreadyRegistered.selector, ledgerBytes(two))
        );
        bridge.link(address(portA), on(two, bob));
    }

    // CrosschainRemoteExecutor

    function test_a_controller_commands_its_remote_executor() public {
        enter(two);
        CrosschainRemoteExecutor executor = new CrosschainRemoteExecutor(address(portB), on(one, alice));
        Valve valve = new Valve(address(executor));
        enter(one);
        vm.prank(alice);
        portA.sendMessage(on(two, address(executor)), command(address(valve), 42), new bytes[](0));
        deliver(a, b);
        assertEq(valve.setting(), 42);
    }

    function test_nobody_else_commands_it() public {
        enter(two);
        CrosschainRemoteExecutor executor = new CrosschainRemoteExecutor(address(portB), on(one, alice));
        Valve valve = new Valve(address(executor));
        enter(one);
        vm.prank(bob);
        portA.sendMessage(on(two, address(executor)), command(address(valve), 13), new bytes[](0));
        deliver(a, b);
        assertEq(valve.setting(), 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                ERC7786Recipient.ERC7786RecipientUnauthorizedGateway.selector, alice, on(one, alice)
            )
        );
        vm.prank(alice);
        executor.receiveMessage(0, on(one, alice), command(address(valve), 13));
    }

    // Short forms

    function paintingBridges()
        private
        returns (Paintings paintings, Paintings copies, PaintingBridge home, PaintingBridge away)
    {
        paintings = new Paintings();
        copies = new Paintings();
        home = new PaintingBridge(paintings);
        away = new PaintingBridge(copies);
        enter(one);
        home.link(address(portA), on(two, address(away)));
        enter(two);
        away.link(address(portB), on(one, address(home)));
        copies.mint(address(away), 7); // custody on both sides
    }

    /// @dev ERC-7579: a single call that reverts when it fails.
    function command(address target, uint256 value) private pure returns (bytes memory) {
        return abi.encodePacked(
            bytes32(0), abi.encodePacked(target, uint256(0), abi.encodeCall(Valve.set, (value)))
        );
    }

    function on(Ledger memory ledger, address account) private pure returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(ledger.chainId, account);
    }

    function listOf(bytes memory item) private pure returns (bytes[] memory list) {
        list = new bytes[](1);
        list[0] = item;
    }

    /// @dev Carries the packet sent last, with a proof that the committee signed.
    function deliver(End memory from, End memory to) private returns (Packet memory packet) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(from.ledger.gateway) && logs[i].topics[0] == IGateway.PacketSent.selector) {
                packet = ProtoReader.packetOf(abi.decode(logs[i].data, (bytes)));
            }
        }
        bytes memory proof = proveSent(from.ledger, only(packet));
        enter(to.ledger);
        to.ledger.gateway.recvPackets(to.clientId, only(packet), proof);
    }
}
