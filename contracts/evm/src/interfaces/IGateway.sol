// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Packet, Payload} from "./IBCTypes.sol";
import {IIBCApp} from "./IIBCApp.sol";
import {ILightClient} from "./ILightClient.sol";

/// @notice IBC v2 router of one ledger: ICS-26 with ICS-24 commitments.
interface IGateway {
    /// @dev `packet` is the whole packet in ibc-go's protobuf encoding, so that a relayer needs nothing but logs.
    event PacketSent(bytes32 indexed clientHash, uint64 indexed sequence, bytes packet);
    /// @dev `acknowledgement` is in ibc-go's protobuf encoding; `clientHash` is of the packet's destination client.
    event AcknowledgementWritten(bytes32 indexed clientHash, uint64 indexed sequence, bytes acknowledgement);
    /// @dev The application took the packet and will answer by {writeAcknowledgement}.
    event AcknowledgementDeferred(bytes32 indexed clientHash, uint64 indexed sequence);
    event PacketAcknowledged(bytes32 indexed clientHash, uint64 indexed sequence);
    event PacketTimedOut(bytes32 indexed clientHash, uint64 indexed sequence);
    /// @dev An application reverted while receiving; the universal error acknowledgement was written.
    event ReceiveFailed(bytes32 indexed clientHash, uint64 indexed sequence, bytes reason);
    /// @dev A packet of a batch had nothing left to do (already done, expired on receipt, or too early for it).
    event PacketSkipped(bytes32 indexed clientHash, uint64 indexed sequence);
    /// @dev An application reverted on an acknowledgement or a timeout; the packet stays open, anyone may try again.
    event CallbackFailed(bytes32 indexed clientHash, uint64 indexed sequence, bytes reason);
    event ClientAdded(string clientId, address client, bytes counterpartyLedger);
    event CounterpartySet(string clientId, string counterpartyClientId);
    event ClientRecovered(string clientId, address client);
    /// @dev The client before proves things until `previousUntil`, in seconds.
    event ClientMigrated(string clientId, address client, uint64 previousUntil);
    event RoutePauseChanged(string clientId, bool paused);
    event ApplicationAdded(string port, address application);

    /// @notice Sends from the application registered at every payload's source port (the caller).
    function sendPacket(string calldata sourceClient, uint64 timeoutTimestamp, Payload[] calldata payloads)
        external
        returns (uint64 sequence);

    /// @notice Delivers packets proved by one proof; all are for `destClient`. Open to anyone.
    function recvPackets(string calldata destClient, Packet[] calldata packets, bytes calldata proof) external;

    /// @notice Answers a packet whose application returned nothing on receipt. That application only, once.
    function writeAcknowledgement(string calldata destClient, uint64 sequence, bytes calldata acknowledgement) external;

    /// @notice Ends packets this ledger sent, by proof of their acknowledgements. Open to anyone.
    function ackPackets(
        string calldata sourceClient,
        Packet[] calldata packets,
        bytes[][] calldata acknowledgements,
        bytes calldata proof
    ) external;

    /// @notice Ends packets this ledger sent, by proof that they were not received in time. Open to anyone.
    function timeoutPackets(string calldata sourceClient, Packet[] calldata packets, bytes calldata proof) external;

    /// @notice Registers a route; the gateway names it `caimi-<chain id>-<n>`, unique over all EVM ledgers.
    function addClient(ILightClient client, bytes calldata counterpartyLedger) external returns (string memory clientId);
    /// @notice Names the other side's client, once.
    function setCounterparty(string calldata clientId, string calldata counterpartyClientId) external;
    /// @notice Replaces a frozen light client, so that packets in flight can still end.
    function recoverClient(string calldata clientId, ILightClient substitute) external;
    /// @notice Replaces a light client that is not frozen. What it proves counts for as long as a packet can last.
    function migrateClient(string calldata clientId, ILightClient client) external;
    /// @notice Stops sending and receiving on a route; acknowledgements and timeouts go on. Guardians only.
    function pauseRoute(string calldata clientId) external;
    /// @notice Pauses the route of a frozen client, whose packets nobody could end. Open to anyone.
    function pauseFrozenRoute(string calldata clientId) external;
    function unpauseRoute(string calldata clientId) external;
    function addApplication(string calldata port, IIBCApp application) external;

    /// @param path keccak256 of the ICS-24 path
    function getCommitment(bytes32 path) external view returns (bytes32);
    /// @notice {getCommitment} of many paths, in their order: whoever relays reads thousands. A packet was received
    ///         when there is anything at its acknowledgement's path, as {hasReceipt} says.
    function getCommitments(bytes32[] calldata paths) external view returns (bytes32[] memory values);
    function hasReceipt(string calldata destClient, uint64 sequence) external view returns (bool);
    function nextSequenceSend(string calldata clientId) external view returns (uint64);
    /// @notice The first client added for a ledger, empty when there is none.
    function defaultClient(bytes calldata counterpartyLedger) external view returns (string memory clientId);
    function getApplication(string calldata port) external view returns (IIBCApp);
    function routePaused(string calldata clientId) external view returns (bool);
    /// @return client the light client of the route
    /// @return counterpartyClientId empty until set
    /// @return counterpartyLedger ERC-7930 interoperable address of the other ledger, without an account
    function getClient(string calldata clientId)
        external
        view
        returns (ILightClient client, string memory counterpartyClientId, bytes memory counterpartyLedger);
}
