// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Packet} from "../interfaces/IBCTypes.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {ICS24} from "./ICS24.sol";

/// @notice Escrow of what a relayer quoted for carrying a packet, at the ledger that sends it, in its native coin.
/// @dev Anyone may escrow for an open packet, naming the relayer that quoted. That relayer is owed the fee once the
///      packet's acknowledgement is proved to be written, whoever delivered it and whoever brings the proof: to copy
///      somebody's delivery out of the mempool earns nothing. Invariants:
///      - what came in is what is held for packets, plus what is owed, plus what was withdrawn;
///      - each fee ends once: to the named relayer on proof of the acknowledgement, or back to its payer on proof that
///        nothing was received at the packet's timeout, or when neither proof came for ABANDONED_AFTER;
///      - the proofs are those of the packet's own route, so a fee is as safe as the packet.
///
///      Nobody is sent coins but by {withdraw}, so that no receiver can hold up a batch of others.
contract RelayFees {
    /// @notice Names one fee of a route.
    struct FeeId {
        uint64 sequence;
        address relayer;
        address payer;
    }

    struct Fee {
        uint128 amount;
        uint64 timeout; // the packet's, in seconds
    }

    event FeeEscrowed(
        address indexed relayer,
        bytes32 indexed clientHash,
        uint64 indexed sequence,
        address payer,
        uint128 amount,
        uint64 timeout
    );
    event FeeEarned(address indexed relayer, bytes32 indexed clientHash, uint64 indexed sequence, uint128 amount);
    event FeeRefunded(address indexed payer, bytes32 indexed clientHash, uint64 indexed sequence, uint128 amount);
    event Withdrawn(address indexed account, uint256 amount, address to);

    error NotOpen(string clientId, uint64 sequence);
    error NoRelayer();
    error NoFee();
    error LengthMismatch();
    error TimeoutNotReached(uint64 sequence, uint64 timeoutTimestamp, uint64 provedTime);
    error NotAbandoned(uint64 sequence, uint256 abandonedAt);
    error NothingOwed(address account);
    error NotAcknowledged(uint64 sequence);
    error InvalidRecipient(address to);

    /// @notice When a fee that nobody proved anything about goes back, in seconds after the packet's timeout.
    uint64 public constant ABANDONED_AFTER = 30 days;

    IGateway public immutable gateway;
    /// @notice What an account can withdraw.
    mapping(address account => uint256) public owed;
    /// @notice What is held for packets that have not ended.
    uint256 public held;
    mapping(bytes32 id => Fee) private _fees;

    constructor(IGateway gateway_) {
        gateway = gateway_;
    }

    /// @notice Escrows the coins that are sent along for an open packet, or adds them to what the caller has escrowed.
    /// @dev The whole packet is asked for because its commitment vouches for its timeout.
    function escrow(Packet calldata packet, address relayer) external payable {
        require(relayer != address(0), NoRelayer());
        require(msg.value > 0 && msg.value <= type(uint128).max, NoFee());
        bytes32 committed = gateway.getCommitment(ICS24.commitmentKey(packet.sourceClient, packet.sequence));
        require(
            committed == ICS24.packetCommitment(packet.destClient, packet.timeoutTimestamp, packet.payloads),
            NotOpen(packet.sourceClient, packet.sequence)
        );
        bytes32 clientHash = keccak256(bytes(packet.sourceClient));
        Fee storage fee = _fees[_key(clientHash, FeeId(packet.sequence, relayer, msg.sender))];
        fee.amount += uint128(msg.value);
        fee.timeout = packet.timeoutTimestamp;
        held += msg.value;
        emit FeeEscrowed(
            relayer, clientHash, packet.sequence, msg.sender, uint128(msg.value), packet.timeoutTimestamp
        );
    }

    /// @notice Gives fees to the relayers they name, on proof that the packets' acknowledgements are written.
    /// @dev A fee that has ended is passed over: anyone may claim for anyone, and a batch must not fail for it.
    /// @param acknowledgements the commitments of the acknowledgements, as `proof` proves them
    function claim(
        string calldata clientId,
        FeeId[] calldata ids,
        bytes32[] calldata acknowledgements,
        bytes calldata proof
    ) external {
        require(ids.length == acknowledgements.length, LengthMismatch());
        // Which ledger it is does not matter here.
        // slither-disable-next-line unused-return
        (ILightClient client, string memory destClient,) = gateway.getClient(clientId);
        bytes32[] memory keys = new bytes32[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            // Received, and not answered yet: the slot says so until its application answers.
            require(acknowledgements[i] != ICS24.PENDING, NotAcknowledged(ids[i].sequence));
            keys[i] = ICS24.acknowledgementKey(destClient, ids[i].sequence);
        }
        // An acknowledgement stays written: when does not matter.
        // slither-disable-next-line unused-return
        client.verifyMembership(keys, acknowledgements, proof);

        bytes32 clientHash = keccak256(bytes(clientId));
        for (uint256 i = 0; i < ids.length; ++i) {
            FeeId calldata id = ids[i];
            uint128 amount = _end(_key(clientHash, id));
            if (amount == 0) continue;
            owed[id.relayer] += amount;
            emit FeeEarned(id.relayer, clientHash, id.sequence, amount);
        }
    }

    /// @notice Gives fees back to their payers, on proof that the packets were not received by their timeouts.
    function refund(string calldata clientId, FeeId[] calldata ids, bytes calldata proof) external {
        // Which ledger it is does not matter here.
        // slither-disable-next-line unused-return
        (ILightClient client, string memory destClient,) = gateway.getClient(clientId);
        bytes32[] memory keys = new bytes32[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            keys[i] = ICS24.receiptKey(destClient, ids[i].sequence);
        }
        // The height at which nothing was there says no more than its time does.
        // slither-disable-next-line unused-return
        (, uint64 time) = client.verifyAbsence(keys, proof);

        bytes32 clientHash = keccak256(bytes(clientId));
        for (uint256 i = 0; i < ids.length; ++i) {
            uint64 timeout = _fees[_key(clientHash, ids[i])].timeout;
            require(time >= timeout, TimeoutNotReached(ids[i].sequence, timeout, time));
            _refund(clientHash, ids[i]);
        }
    }

    /// @notice Gives a fee back to its payer when nobody has proved anything for ABANDONED_AFTER: a dead route keeps none.
    function reclaim(string calldata clientId, FeeId calldata id) external {
        bytes32 clientHash = keccak256(bytes(clientId));
        uint256 abandonedAt = uint256(_fees[_key(clientHash, id)].timeout) + ABANDONED_AFTER;
        require(block.timestamp >= abandonedAt, NotAbandoned(id.sequence, abandonedAt));
        _refund(clientHash, id);
    }

    /// @notice Pays out to `to` what the caller is owed.
    function withdraw(address payable to) external {
        require(to != address(0), InvalidRecipient(to));
        uint256 amount = owed[msg.sender];
        require(amount > 0, NothingOwed(msg.sender));
        owed[msg.sender] = 0;
        emit Withdrawn(msg.sender, amount, to);
        Address.sendValue(to, amount);
    }

    /// @notice What is held for a packet under a fee's name; zero when it has ended.
    function feeOf(string calldata clientId, FeeId calldata id) external view returns (uint128 amount) {
        return _fees[_key(keccak256(bytes(clientId)), id)].amount;
    }

    function _refund(bytes32 clientHash, FeeId calldata id) private {
        uint128 amount = _end(_key(clientHash, id));
        if (amount == 0) return;
        owed[id.payer] += amount;
        emit FeeRefunded(id.payer, clientHash, id.sequence, amount);
    }

    function _end(bytes32 key) private returns (uint128 amount) {
        amount = _fees[key].amount;
        delete _fees[key];
        held -= amount;
    }

    function _key(bytes32 clientHash, FeeId memory id) private pure returns (bytes32) {
        return keccak256(abi.encode(clientHash, id.sequence, id.relayer, id.payer));
    }
}
