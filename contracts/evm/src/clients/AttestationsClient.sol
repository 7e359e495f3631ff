// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ICS24} from "../gateway/ICS24.sol";
import {
    AttestationKind,
    AttestationProof,
    IAttestationsClient,
    PacketAttestation,
    PacketCompact,
    StateAttestation
} from "../interfaces/IAttestationsClient.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {CommitteeStatements} from "./CommitteeStatements.sol";
import {MemberList} from "./MemberList.sol";

/// @notice Light client of one Cosmos chain: believes what m of n attestors signed in the format of ibc-go's
///         `attestations` client.
/// @dev That format says neither which chain it is about nor who signs for it, so a key that attests to two chains
///      lets what is so on the one pass for the other. Here every attestor enrolled: it signed that its key attests to
///      this chain only, and as many double enrolments as signatures are needed freeze the client. Invariants:
///      - at least two signatures, and those of more than half of the members, stand behind every fact; no operator
///        runs as many members as are needed;
///      - packets are believed at heights only whose time is recorded, and the recorded time of a height never changes;
///      - a proof is of exactly the keys asked for, in their order;
///      - a frozen client proves nothing, and nothing unfreezes it (the gateway's route gets another client).
///
///      ibc-go takes any threshold and any set; it does not compare times of different heights, nor packets at all.
///      Members and threshold never change: another set is another client, to which a route migrates.
///
///      Restricted functions: {freeze}.
contract AttestationsClient is IAttestationsClient, AccessManaged {
    error ClientFrozen();
    error EmptyOrigin();
    error InvalidEnrolment(address member);
    error NonCanonicalProof();
    error InvalidState(uint64 height, uint64 time);
    error FutureTime(uint64 time, uint256 currentTime);
    error UnknownHeight(uint64 height);
    error InvalidPackets(uint256 packets, uint256 keys);
    error LengthMismatch(uint256 keys, uint256 values);
    error WrongPath(uint256 index);
    error WrongCommitment(uint256 index);
    error ZeroValue(uint256 index);
    error InvalidSignature(uint256 index);
    error HighS(uint256 index);
    error UnknownSigner(address signer);
    error DuplicateSigner(address signer);
    error TooFewSignatures(uint256 signatures, uint16 threshold);
    error SameOrigin();
    error NoConflict();

    /// @notice How far the clock of the source ledger may be ahead.
    uint64 public constant MAX_CLOCK_DRIFT = 10 minutes;
    uint256 private constant SIGNATURE_LENGTH = 65;
    /// @dev Of abi.encode(StateAttestation), and of abi.encode(PacketAttestation) without its packets of 64 bytes.
    uint256 private constant STATE_LENGTH = 64;
    uint256 private constant PACKETS_LENGTH = 128;
    /// @dev Of secp256k1's order. Of s and the order less s, only the lower one is taken (EIP-2).
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    bytes32 private constant ENROLMENT_TYPE = keccak256("AttestorEnrolment(bytes32 origin)");

    /// @inheritdoc IAttestationsClient
    bytes32 public immutable origin;
    bytes32 private immutable _domain;
    address private immutable _members; // see MemberList
    uint16 private immutable _threshold;

    /// @inheritdoc ILightClient
    bool public frozen; // with the height and the authority in one slot
    /// @inheritdoc IAttestationsClient
    uint64 public latestHeight;
    /// @inheritdoc IAttestationsClient
    mapping(uint64 height => uint64) public timeAt;

    /// @param originLedger the chain's name, by which attestors enrol: its CAIP-2 id ("cosmos:cosmoshub-4")
    /// @param members in ascending order
    /// @param operators one byte for each member: equal bytes, one operator
    /// @param enrolments each member's signature of {enrolmentDigest}, in their order
    constructor(
        bytes memory originLedger,
        uint16 threshold,
        address[] memory members,
        bytes memory operators,
        bytes[] memory enrolments,
        address authority
    ) AccessManaged(authority) {
        require(originLedger.length > 0, EmptyOrigin());
        MemberList.check(threshold, members, operators);
        origin = keccak256(originLedger);
        _domain = CommitteeStatements.domainSeparator();
        _threshold = threshold;
        require(enrolments.length == members.length, LengthMismatch(members.length, enrolments.length));
        bytes32 digest = enrolmentDigest(keccak256(originLedger));
        for (uint256 i = 0; i < members.length; ++i) {
            require(_recover(digest, enrolments[i], i) == members[i], InvalidEnrolment(members[i]));
        }
        _members = MemberList.store(members, operators);
    }

    /// @inheritdoc ILightClient
    /// @dev As ibc-go calls it.
    function clientType() external pure returns (string memory) {
        return "attestations";
    }

    // Times

    /// @inheritdoc IAttestationsClient
    /// @dev A height may come after higher ones. Only the highest is compared in time with the others here:
    ///      {reportTimes} takes any two.
    function updateClient(bytes calldata proof) external {
        require(!frozen, ClientFrozen());
        (StateAttestation memory state, bytes32 digest) = _state(proof);
        uint64 known = timeAt[state.height];
        if (known == state.timestamp) return;
        StateAttestation memory latest = StateAttestation(latestHeight, timeAt[latestHeight]);
        if (known != 0 || _contradict(latest, state)) {
            _freeze(digest, 0);
            return;
        }
        require(
            state.timestamp <= block.timestamp + MAX_CLOCK_DRIFT, FutureTime(state.timestamp, block.timestamp)
        );
        timeAt[state.height] = state.timestamp;
        if (state.height > latest.height) latestHeight = state.height;
        emit Updated(state.height, state.timestamp);
    }

    // Proofs

    /// @inheritdoc ILightClient
    function verifyMembership(bytes32[] calldata keys, bytes32[] calldata values, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time)
    {
        require(keys.length == values.length, LengthMismatch(keys.length, values.length));
        PacketCompact[] memory packets;
        (height, time, packets) = _packetsAt(keys, proof);
        for (uint256 i = 0; i < keys.length; ++i) {
            require(values[i] != 0, ZeroValue(i));
            require(packets[i].commitment == values[i], WrongCommitment(i));
        }
    }

    /// @inheritdoc ILightClient
    function verifyAbsence(bytes32[] calldata keys, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time)
    {
        PacketCompact[] memory packets;
        (height, time, packets) = _packetsAt(keys, proof);
        for (uint256 i = 0; i < keys.length; ++i) {
            require(packets[i].commitment == 0, WrongCommitment(i));
        }
    }

    /// @dev What is attested of just these keys, at a height whose time is recorded.
    function _packetsAt(bytes32[] calldata keys, bytes calldata proof)
        private
        view
        returns (uint64 height, uint64 time, PacketCompact[] memory packets)
    {
        require(!frozen, ClientFrozen());
        (PacketAttestation memory attestation,) = _packets(proof);
        height = attestation.height;
        time = timeAt[height];
        require(time != 0, UnknownHeight(height));
        packets = attestation.packets;
        require(packets.length == keys.length, InvalidPackets(packets.length, keys.length));
        for (uint256 i = 0; i < keys.length; ++i) {
            require(packets[i].path == keys[i], WrongPath(i));
        }
    }

    // Misbehaviour

    /// @inheritdoc IAttestationsClient
    function reportTimes(bytes calldata first, bytes calldata second) external {
        require(!frozen, ClientFrozen());
        (StateAttestation memory a, bytes32 digestA) = _state(first);
        (StateAttestation memory b, bytes32 digestB) = _state(second);
        require(_contradict(a, b), NoConflict());
        _freeze(digestA, digestB);
    }

    /// @inheritdoc IAttestationsClient
    function reportCommitments(bytes calldata first, uint256 indexA, bytes calldata second, uint256 indexB) external {
        require(!frozen, ClientFrozen());
        (PacketAttestation memory a, bytes32 digestA) = _packets(first);
        (PacketAttestation memory b, bytes32 digestB) = _packets(second);
        PacketCompact memory packetA = _at(a, indexA);
        PacketCompact memory packetB = _at(b, indexB);
        require(
            a.height == b.height && packetA.path == packetB.path && packetA.commitment != packetB.commitment,
            NoConflict()
        );
        _freeze(digestA, digestB);
    }

    /// @inheritdoc IAttestationsClient
    /// @dev ibc-go never deletes a receipt or an acknowledgement.
    function reportFalseAbsence(
        string calldata destClient,
        uint64 sequence,
        bytes calldata absence,
        uint256 indexA,
        bytes calldata presence,
        uint256 indexB
    ) external {
        require(!frozen, ClientFrozen());
        (PacketAttestation memory a, bytes32 digestA) = _packets(absence);
        (PacketAttestation memory b, bytes32 digestB) = _packets(presence);
        PacketCompact memory gone = _at(a, indexA);
        PacketCompact memory there = _at(b, indexB);
        bytes32 receipt = ICS24.receiptKey(destClient, sequence);
        require(
            b.height <= a.height && gone.path == receipt && gone.commitment == 0 && there.commitment != 0
                && (there.path == receipt || there.path == ICS24.acknowledgementKey(destClient, sequence)),
            NoConflict()
        );
        _freeze(digestA, digestB);
    }

    /// @inheritdoc IAttestationsClient
    /// @dev One member cannot do this alone: it would stop the route whenever it liked.
    function reportSharedKeys(bytes32 otherOrigin, bytes[] calldata signatures) external {
        require(!frozen, ClientFrozen());
        require(otherOrigin != origin, SameOrigin());
        bytes32 digest = enrolmentDigest(otherOrigin);
        _checkSignatures(digest, signatures);
        _freeze(enrolmentDigest(origin), digest);
    }

    /// @inheritdoc IAttestationsClient
    function freeze() external restricted {
        require(!frozen, ClientFrozen());
        _freeze(0, 0);
    }

    function _freeze(bytes32 first, bytes32 second) private {
        frozen = true;
        emit Frozen(msg.sender, first, second);
    }

    /// @dev Two times of one height, or a time that runs backwards. Nothing contradicts what is not recorded yet.
    function _contradict(StateAttestation memory a, StateAttestation memory b) private pure returns (bool) {
        if (a.height < b.height) return a.timestamp > b.timestamp;
        if (a.height > b.height) return a.timestamp < b.timestamp;
        return a.timestamp != b.timestamp;
    }

    // Reading

    /// @inheritdoc IAttestationsClient
    function attestors() external view returns (uint16 threshold, address[] memory members, bytes memory operators) {
        (members, operators) = MemberList.unpack(MemberList.load(_members));
        return (_threshold, members, operators);
    }

    /// @inheritdoc IAttestationsClient
    function enrolmentDigest(bytes32 origin_) public view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(_domain, keccak256(abi.encode(ENROLMENT_TYPE, origin_)));
    }

    // Checks

    function _state(bytes calldata proof) private view returns (StateAttestation memory state, bytes32 digest) {
        bytes memory data;
        (data, digest) = _signed(AttestationKind.State, proof);
        require(data.length == STATE_LENGTH, NonCanonicalProof());
        state = abi.decode(data, (StateAttestation));
        require(state.height != 0 && state.timestamp != 0, InvalidState(state.height, state.timestamp));
    }

    function _packets(bytes calldata proof)
        private
        view
        returns (PacketAttestation memory attestation, bytes32 digest)
    {
        bytes memory data;
        (data, digest) = _signed(AttestationKind.Packet, proof);
        attestation = abi.decode(data, (PacketAttestation));
        uint256 count = attestation.packets.length;
        require(count > 0, InvalidPackets(0, 0));
        require(data.length == PACKETS_LENGTH + 64 * count, NonCanonicalProof());
    }

    function _at(PacketAttestation memory attestation, uint256 index) private pure returns (PacketCompact memory) {
        require(index < attestation.packets.length, NoConflict());
        return attestation.packets[index];
    }

    /// @dev What enough attestors signed as one of `kind`. Of the proof the one encoding is taken that abi.encode gives.
    function _signed(AttestationKind kind, bytes calldata proof)
        private
        view
        returns (bytes memory data, bytes32 digest)
    {
        AttestationProof memory decoded = abi.decode(proof, (AttestationProof));
        require(keccak256(abi.encode(decoded)) == keccak256(proof), NonCanonicalProof());
        data = decoded.attestationData;
        digest = sha256(abi.encodePacked(uint8(kind), sha256(data)));
        _checkSignatures(digest, decoded.signatures);
    }

    /// @dev That every signature is of another member, and that they are enough.
    function _checkSignatures(bytes32 digest, bytes[] memory signatures) private view {
        bytes memory members = MemberList.load(_members);
        // Every bit is set before it is read.
        // slither-disable-next-line uninitialized-local
        uint256 seen;
        for (uint256 i = 0; i < signatures.length; ++i) {
            address signer = _recover(digest, signatures[i], i);
            uint256 place = 1 << _placeOf(members, signer);
            require(seen & place == 0, DuplicateSigner(signer));
            seen |= place;
        }
        require(signatures.length >= _threshold, TooFewSignatures(signatures.length, _threshold));
    }

    /// @dev Members ascend, so that halving finds one.
    function _placeOf(bytes memory members, address signer) private pure returns (uint256 low) {
        uint256 high = MemberList.count(members);
        while (low < high) {
            uint256 middle = (low + high) / 2;
            address member = MemberList.memberAt(members, middle);
            if (member == signer) return middle;
            if (member < signer) low = middle + 1;
            else high = middle;
        }
        revert UnknownSigner(signer);
    }

    /// @dev Of 65 bytes with v 27 or 28 and low s, as every EVM ledger of this format takes them. Never zero.
    function _recover(bytes32 digest, bytes memory signature, uint256 index) private pure returns (address signer) {
        require(signature.length == SIGNATURE_LENGTH, InvalidSignature(index));
        bytes32 r;
        bytes32 s;
        uint8 v;
        // The length was checked above.
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
        require(uint256(s) <= HALF_ORDER, HighS(index));
        signer = ecrecover(digest, v, r, s);
        require(signer != address(0), InvalidSignature(index));
    }
}
