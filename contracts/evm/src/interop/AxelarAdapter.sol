// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {
    IBaseAmplifierGateway
} from "@axelar-network/axelar-gmp-sdk-solidity/contracts/interfaces/IBaseAmplifierGateway.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC7786GatewaySource, IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Interoperable} from "../models/Interoperable.sol";

/// @notice An ERC-7786 gateway over Axelar's: messages between any two accounts of EVM chains that Axelar joins.
/// @dev Invariants:
///      - a delivered message came through Axelar from the adapter registered for its sender's ledger;
///      - a recipient is called with receiveMessage and nothing else, and has confirmed it, or nothing happened: what
///        Axelar approved stays approved, and anyone may try again;
///      - a message is delivered once (Axelar's gateway takes an approval back when it is used).
///
///      Axelar's own fees are paid at Axelar's gas service, or its commands are carried by whoever has an interest. An
///      approval does not expire: applications that need an end on failure use packets ({MessageGateway}).
///
///      Restricted function: {register}.
contract AxelarAdapter is IERC7786GatewaySource, AccessManaged {
    struct Remote {
        string chain; // Axelar's name of it
        address adapter;
    }

    event RemoteRegistered(bytes ledger, string chain, address adapter);

    error InvalidRemote(bytes ledger, string chain, address adapter);
    error AlreadyRegistered(bytes ledger, string chain);
    error InvalidRecipient(bytes recipient);
    error UnreachableLedger(bytes ledger);
    error UnexpectedValue(uint256 value);
    error NotApproved(bytes32 commandId);
    error UnknownRemote(string chain, string adapter);
    error WrongSender(bytes sender, string chain);
    error NotConfirmed(address recipient);

    IBaseAmplifierGateway public immutable axelar;
    mapping(bytes32 ledgerHash => Remote) private _remotes;
    mapping(bytes32 chainHash => bytes ledger) private _ledgers;

    constructor(IBaseAmplifierGateway axelar_, address authority) AccessManaged(authority) {
        axelar = axelar_;
    }

    /// @notice Names the adapter on another ledger, once for each.
    /// @param ledger ERC-7930 interoperable address of an EVM chain, without an account
    /// @param chain what Axelar calls it
    function register(bytes calldata ledger, string calldata chain, address adapter) external restricted {
        require(
            Interoperable.isEvmLedger(ledger) && bytes(chain).length > 0 && adapter != address(0)
                && keccak256(ledger) != keccak256(Interoperable.thisLedger()),
            InvalidRemote(ledger, chain, adapter)
        );
        Remote storage remote = _remotes[keccak256(ledger)];
        bytes storage known = _ledgers[keccak256(bytes(chain))];
        require(remote.adapter == address(0) && known.length == 0, AlreadyRegistered(ledger, chain));
        (remote.chain, remote.adapter) = (chain, adapter);
        _ledgers[keccak256(bytes(chain))] = ledger;
        emit RemoteRegistered(ledger, chain, adapter);
    }

    /// @notice The adapter on another ledger, and Axelar's name of that; empty when there is none.
    function remoteOf(bytes calldata ledger) external view returns (string memory chain, address adapter) {
        Remote storage remote = _remotes[keccak256(ledger)];
        return (remote.chain, remote.adapter);
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
        Remote storage remote = _remotes[keccak256(ledger)];
        require(remote.adapter != address(0), UnreachableLedger(ledger));
        bytes memory sender = Interoperable.here(msg.sender);
        emit MessageSent(0, sender, recipient, payload, 0, attributes);
        axelar.callContract(
            remote.chain, Strings.toChecksumHexString(remote.adapter), abi.encode(sender, recipient, payload)
        );
        return 0;
    }

    /// @notice Delivers a message that Axelar has approved. Open to anyone (Axelar's IContractExecutor).
    function execute(
        bytes32 commandId,
        string calldata sourceChain,
        string calldata sourceAddress,
        bytes calldata envelope
    ) external {
        // The name is of IBaseAmplifierGateway's older callers; it takes the approval back.
        require(
            axelar.validateContractCall(commandId, sourceChain, sourceAddress, keccak256(envelope)),
            NotApproved(commandId)
        );
        bytes memory ledger = _ledgers[keccak256(bytes(sourceChain))];
        (bool valid, address adapter) = Strings.tryParseAddress(sourceAddress);
        require(
            ledger.length > 0 && valid && adapter == _remotes[keccak256(ledger)].adapter,
            UnknownRemote(sourceChain, sourceAddress)
        );
        (bytes memory sender, bytes memory interoperable, bytes memory payload) =
            abi.decode(envelope, (bytes, bytes, bytes));
        require(
            keccak256(Interoperable.ledgerOf(sender)) == keccak256(ledger), WrongSender(sender, sourceChain)
        );
        uint256 chainId;
        address recipient;
        (valid, chainId, recipient) = Interoperable.evmAccount(interoperable);
        require(
            valid && chainId == block.chainid && recipient != address(0) && recipient != address(axelar),
            InvalidRecipient(interoperable)
        );
        require(
            IERC7786Recipient(recipient).receiveMessage(commandId, sender, payload)
                == IERC7786Recipient.receiveMessage.selector,
            NotConfirmed(recipient)
        );
    }
}
