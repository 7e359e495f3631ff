// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {ICS24} from "../gateway/ICS24.sol";
import {Endorsement, EndorsedReadsProof, IEndorsedReadsClient} from "../interfaces/IEndorsedReadsClient.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {EndorsedReads} from "./EndorsedReads.sol";

/// @notice Light client of a ledger on a Hyperledger Fabric channel: believes what peers of enough of its organisations
///         signed when its chaincode was asked for commitments.
/// @dev A peer signs whatever its organisation's chaincode answers, at no cost and without a block; what it signs names
///      neither channel nor ledger, so the chaincode's answer does. Invariants:
///      - at least two organisations, and more than half of those that are known here, signed one payload: the
///        ledger's, the channel's and the chaincode's that this client is about;
///      - a signature is valid for one division into payload and endorser only, because a payload is read to its end in
///        one form, no beginning and no continuation of which is a payload;
///      - values are proved of packets and acknowledgements, which change no more until they end; absence is proved of
///        receipts, which never go, at the clock's time. An older statement therefore proves nothing that is no longer
///        so but this: that a packet is open which has ended since. It may be received until its timeout all the same,
///        and was not if it timed out. An old absence has an old time, and the gateway compares it with the timeout;
///      - a frozen client proves nothing, and nothing unfreezes it (the gateway's route gets another client).
///
///      The height is that of the newest block that wrote something of what was read: the state that was read is no
///      older. Keys and threshold never change: other keys are another client, to which a route migrates. Signatures are
///      checked by the precompile P256VERIFY (EIP-7951, RIP-7212), or in Solidity where there is none.
///
///      Restricted functions: {freeze}.
contract EndorsedReadsClient is IEndorsedReadsClient, AccessManaged {
    error ClientFrozen();
    error InvalidName(string name);
    error InvalidKey(uint256 index);
    error InvalidThreshold(uint16 threshold, uint256 organisations);
    error LengthMismatch(uint256 keys, uint256 others);
    error NonCanonicalProof();
    error PayloadTooLong(uint256 length);
    error EndorserTooLong(uint256 index);
    error UnknownKey(uint256 index);
    error OrganisationTwice(uint256 index);
    error InvalidSignature(uint256 index);
    error TooFewEndorsements(uint256 endorsements, uint16 threshold);
    error NoKeys();
    error WrongKey(uint256 index);
    error WrongKind(uint256 index);
    error WrongValue(uint256 index);
    error NoConflict();

    uint256 public constant MAX_KEYS = 64;
    uint256 public constant MAX_PAYLOAD_LENGTH = 131_072;
    uint256 public constant MAX_ENDORSER_LENGTH = 16_384;
    uint256 private constant MAX_NAME_LENGTH = 255;
    /// @dev Kinds of ICS-24 paths.
    uint8 private constant COMMITMENT = 1;
    uint8 private constant RECEIPT = 2;

    uint16 private immutable _threshold;
    bytes32 private immutable _chaincodeHash;
    bytes32 private immutable _head;
    uint256 private immutable _headLength;

    /// @inheritdoc ILightClient
    bool public frozen; // with the authority in one slot
    string private _ledger;
    string private _channel;
    string private _chaincode;
    bytes32[2][] private _keys;
    bytes private _organisations;
    /// @dev By keccak256 of a key: the byte of its organisation, plus one.
    mapping(bytes32 key => uint256) private _organisationOf;

    /// @param ledger what the chaincode was founded as, CAIP-2 ("fabric:" and half of the channel's first block's hash)
    /// @param keys public keys (x, y) of endorsing peers on P-256
    /// @param organisations one byte for each key: equal bytes, one organisation
    /// @param threshold of how many organisations a peer must have signed
    constructor(
        string memory ledger,
        string memory channel,
        string memory chaincode,
        uint16 threshold,
        bytes32[2][] memory keys,
        bytes memory organisations,
        address authority
    ) AccessManaged(authority) {
        _checkName(ledger);
        _checkName(channel);
        _checkName(chaincode);
        (_ledger, _channel, _chaincode) = (ledger, channel, chaincode);
        bytes memory head = EndorsedReads.headOf(ledger, channel);
        (_head, _headLength) = (keccak256(head), head.length);
        _chaincodeHash = keccak256(bytes(chaincode));
        require(organisations.length == keys.length, LengthMismatch(keys.length, organisations.length));
        uint256 seen = 0;
        uint256 count = 0;
        for (uint256 i = 0; i < keys.length; ++i) {
            (bytes32 x, bytes32 y) = (keys[i][0], keys[i][1]);
            bytes32 name = keccak256(abi.encode(x, y));
            require(i < MAX_KEYS && P256.isValidPublicKey(x, y) && _organisationOf[name] == 0, InvalidKey(i));
            uint256 organisation = uint8(organisations[i]);
            _organisationOf[name] = organisation + 1;
            _keys.push(keys[i]);
            if ((seen >> organisation) & 1 == 0) ++count;
            seen |= 1 << organisation;
        }
        require(
            threshold >= 2 && threshold <= count && 2 * uint256(threshold) > count,
            InvalidThreshold(threshold, count)
        );
        (_threshold, _organisations) = (threshold, organisations);
    }

    /// @inheritdoc ILightClient
    function clientType() external pure returns (string memory) {
        return "caimi-endorsed-reads";
    }

    // Proofs

    /// @inheritdoc ILightClient
    /// @dev Of packets and acknowledgements.
    function verifyMembership(bytes32[] calldata keys, bytes32[] calldata values, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time)
    {
        require(keys.length == values.length, LengthMismatch(keys.length, values.length));
        EndorsedReads.Read[] memory reads;
        (height, time, reads) = _reads(keys, proof);
        for (uint256 i = 0; i < keys.length; ++i) {
            require(reads[i].kind != RECEIPT, WrongKind(i));
            require(values[i] != 0 && reads[i].value == values[i], WrongValue(i));
        }
    }

    /// @inheritdoc ILightClient
    /// @dev Of receipts. Another path's absence says nothing of whether it was there before.
    function verifyAbsence(bytes32[] calldata keys, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time)
    {
        EndorsedReads.Read[] memory reads;
        (height, time, reads) = _reads(keys, proof);
        for (uint256 i = 0; i < keys.length; ++i) {
            require(reads[i].kind == RECEIPT, WrongKind(i));
            require(reads[i].value == 0, WrongValue(i));
        }
    }

    /// @dev What was read of just these keys.
    function _reads(bytes32[] calldata keys, bytes calldata proof)
        private
        view
        returns (uint64 height, uint64 time, EndorsedReads.Read[] memory reads)
    {
        require(keys.length > 0, NoKeys());
        (EndorsedReads.Statement memory statement, EndorsedReadsProof memory decoded) = _verified(proof);
        require(decoded.places.length == keys.length, LengthMismatch(keys.length, decoded.places.length));
        (height, time) = (statement.height, statement.time);
        reads = new EndorsedReads.Read[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            uint256 place = decoded.places[i];
            require(place < statement.reads.length && statement.reads[place].key == keys[i], WrongKey(i));
            reads[i] = statement.reads[place];
        }
    }

    // Misbehaviour

    /// @inheritdoc IEndorsedReadsClient
    /// @dev Of one path: a packet or an acknowledgement with two values (one that is pending has none yet), or what
    ///      was received, and at a later time was not.
    function reportConflict(bytes calldata first, uint256 placeA, bytes calldata second, uint256 placeB) external {
        (EndorsedReads.Statement memory a, EndorsedReadsProof memory proofA) = _verified(first);
        (EndorsedReads.Statement memory b, EndorsedReadsProof memory proofB) = _verified(second);
        require(placeA < a.reads.length && placeB < b.reads.length, NoConflict());
        EndorsedReads.Read memory there = a.reads[placeA];
        EndorsedReads.Read memory other = b.reads[placeB];
        require(there.key == other.key && there.value != 0, NoConflict());
        bool changed = other.value != 0 && other.value != there.value && other.value != ICS24.PENDING
            && there.value != ICS24.PENDING;
        bool gone = other.value == 0 && there.kind != COMMITMENT && a.time < b.time;
        require(changed || gone, NoConflict());
        _freeze(keccak256(proofA.payload), keccak256(proofB.payload));
    }

    /// @inheritdoc IEndorsedReadsClient
    function freeze() external restricted {
        require(!frozen, ClientFrozen());
        _freeze(0, 0);
    }

    function _freeze(bytes32 first, bytes32 second) private {
        frozen = true;
        emit Frozen(msg.sender, first, second);
    }

    // Reading

    /// @inheritdoc IEndorsedReadsClient
    function source()
        external
        view
        returns (string memory ledger, string memory channel, string memory chaincode)
    {
        return (_ledger, _channel, _chaincode);
    }

    /// @inheritdoc IEndorsedReadsClient
    function endorsers()
        external
        view
        returns (uint16 threshold, bytes32[2][] memory keys, bytes memory organisations)
    {
        return (_threshold, _keys, _organisations);
    }

    // Checks

    /// @dev What enough organisations signed. Of the proof the one encoding is taken that abi.encode gives.
    function _verified(bytes calldata proof)
        private
        view
        returns (EndorsedReads.Statement memory statement, EndorsedReadsProof memory decoded)
    {
        require(!frozen, ClientFrozen());
        decoded = abi.decode(proof, (EndorsedReadsProof));
        require(keccak256(abi.encode(decoded)) == keccak256(proof), NonCanonicalProof());
        uint256 length = decoded.payload.length;
        require(length <= MAX_PAYLOAD_LENGTH, PayloadTooLong(length));
        statement = EndorsedReads.read(
            decoded.payload, EndorsedReads.Source(_chaincodeHash, _head, _headLength)
        );
        _checkEndorsements(decoded.payload, decoded.endorsements);
    }

    /// @dev That every signature is of another organisation, and that they are enough.
    function _checkEndorsements(bytes memory payload, Endorsement[] memory endorsements) private view {
        uint256 count = endorsements.length;
        require(count >= _threshold, TooFewEndorsements(count, _threshold));
        uint256 seen = 0;
        for (uint256 i = 0; i < count; ++i) {
            Endorsement memory each = endorsements[i];
            uint256 organisation = _organisationOf[keccak256(abi.encode(each.x, each.y))];
            require(organisation != 0, UnknownKey(i));
            uint256 bit = 1 << (organisation - 1);
            require(seen & bit == 0, OrganisationTwice(i));
            seen |= bit;
            require(each.endorser.length <= MAX_ENDORSER_LENGTH, EndorserTooLong(i));
            bytes32 digest = sha256(bytes.concat(payload, each.endorser));
            require(P256.verify(digest, each.r, each.s, each.x, each.y), InvalidSignature(i));
        }
    }

    function _checkName(string memory name) private pure {
        require(bytes(name).length > 0 && bytes(name).length <= MAX_NAME_LENGTH, InvalidName(name));
    }
}
