// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC7786GatewaySource, IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Payload} from "../interfaces/IBCTypes.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {IIBCApp, PacketContext} from "../interfaces/IIBCApp.sol";
import {Interoperable} from "../models/Interoperable.sol";
import {ICS24} from "./ICS24.sol";

/// @notice The gateway's ERC-7786 face: messages between any two accounts of connected ledgers. Port "erc7786".
/// @dev An application of the gateway like any other, so that the accounts which messages reach are called by this
///      contract and never by the gateway. Invariants:
///      - a delivered message's sender is an account of the ledger behind the client that it came through;
///      - a recipient is called with receiveMessage and nothing else, and has confirmed it, or the message was refused:
///        whatever it reverts with is carried inside a revert of this contract's, since the gateway takes some reverts
///        of its applications for more than a refusal ({IIBCApp-NotYet}).
///
///      A message goes through the first client added for its recipient's ledger and must arrive within TIMEOUT. There
///      are no attributes. Nothing is left to do for the sender, so {sendMessage} returns zero; {MessageCommitted} tells
///      the packet. A message that was refused or came too late is told by {MessageFailed}.
///
///      Payload value: abi.encode(uint8 tag = 3, bytes sender, bytes recipient, bytes payload), the accounts as ERC-7930
///      interoperable addresses. Success acknowledgement: 0x01.
contract MessagePort is IERC7786GatewaySource, IIBCApp {
    event MessageCommitted(string clientId, uint64 indexed sequence);
    event MessageDelivered(bytes32 indexed receiveId, address indexed recipient);
    event MessageFailed(string clientId, uint64 indexed sequence);

    error OnlyGateway(address caller);
    error InvalidRecipient(bytes recipient);
    error UnreachableLedger(bytes ledger);
    error UnexpectedValue(uint256 value);
    error UnexpectedPayload();
    error WrongSender(bytes sender, string clientId);
    error NotConfirmed(address recipient);
    error RecipientFailed(address recipient, bytes reason);

    string public constant PORT = "erc7786";
    string public constant VERSION = "caimi-message-1";
    uint64 public constant TIMEOUT = 12 hours;
    string private constant ENCODING = "application/x-solidity-abi";
    uint8 private constant TAG = 3;
    bytes private constant SUCCESS = hex"01";

    IGateway public immutable gateway;

    constructor(IGateway gateway_) {
        gateway = gateway_;
    }

    modifier onlyGateway() {
        require(msg.sender == address(gateway), OnlyGateway(msg.sender));
        _;
    }

    /// @inheritdoc IERC7786GatewaySource
    function supportsAttribute(bytes4) external pure returns (bool) {
        return false;
    }

    /// @inheritdoc IERC7786GatewaySource
    function sendMessage(bytes calldata recipient, bytes calldata payload, bytes[] calldata attributes)
        external
        payable
        returns (bytes32 sendId)
    {
        require(msg.value == 0, UnexpectedValue(msg.value));
        if (attributes.length > 0) revert UnsupportedAttribute(bytes4(attributes[0]));
        bytes memory ledger = Interoperable.ledgerOf(recipient);
        require(ledger.length > 0, InvalidRecipient(recipient));
        string memory clientId = gateway.defaultClient(ledger);
        require(bytes(clientId).length > 0, UnreachableLedger(ledger));

        bytes memory sender = Interoperable.here(msg.sender);
        Payload[] memory payloads = new Payload[](1);
        payloads[0] = Payload(PORT, PORT, VERSION, ENCODING, abi.encode(TAG, sender, recipient, payload));
        // The gateway calls nobody back while it sends.
        // slither-disable-next-line reentrancy-events
        uint64 sequence = gateway.sendPacket(clientId, uint64(block.timestamp) + TIMEOUT, payloads);
        emit MessageCommitted(clientId, sequence);
        emit MessageSent(0, sender, recipient, payload, 0, attributes);
        return 0;
    }

    /// @inheritdoc IIBCApp
    function onRecvPacket(PacketContext calldata context) external onlyGateway returns (bytes memory) {
        Payload calldata envelope = context.payload;
        require(
            Strings.equal(envelope.sourcePort, PORT) && Strings.equal(envelope.version, VERSION)
                && Strings.equal(envelope.encoding, ENCODING),
            UnexpectedPayload()
        );
        (uint8 tag, bytes memory sender, bytes memory interoperable, bytes memory payload) =
            abi.decode(envelope.value, (uint8, bytes, bytes, bytes));
        require(tag == TAG, UnexpectedPayload());
        // Of the route only the ledger matters here.
        // slither-disable-next-line unused-return
        (,, bytes memory ledger) = gateway.getClient(context.destClient);
        require(
            keccak256(Interoperable.ledgerOf(sender)) == keccak256(ledger), WrongSender(sender, context.destClient)
        );
        (bool valid, uint256 chainId, address recipient) = Interoperable.evmAccount(interoperable);
        require(valid && chainId == block.chainid && recipient != address(0), InvalidRecipient(interoperable));

        bytes32 receiveId = keccak256(abi.encode(context.destClient, context.sequence));
        emit MessageDelivered(receiveId, recipient);
        try IERC7786Recipient(recipient).receiveMessage(receiveId, sender, payload) returns (bytes4 confirmed) {
            require(confirmed == IERC7786Recipient.receiveMessage.selector, NotConfirmed(recipient));
        } catch (bytes memory reason) {
            revert RecipientFailed(recipient, reason);
        }
        return SUCCESS;
    }

    /// @inheritdoc IIBCApp
    function onAcknowledgementPacket(PacketContext calldata context, bytes calldata acknowledgement)
        external
        onlyGateway
    {
        if (ICS24.isUniversalError(acknowledgement)) emit MessageFailed(context.sourceClient, context.sequence);
    }

    /// @inheritdoc IIBCApp
    function onTimeoutPacket(PacketContext calldata context) external onlyGateway {
        emit MessageFailed(context.sourceClient, context.sequence);
    }
}
