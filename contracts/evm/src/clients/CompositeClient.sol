// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ILightClient} from "../interfaces/ILightClient.sol";

/// @notice Light client that believes what k of its n members prove: any of them (k = 1), all of them (k = n).
/// @dev The proof is abi.encode(bytes[] proofs), one place for each member in the order of {members}, empty for a member
///      that is not asked, exactly k of them not empty. Invariants:
///      - every proof that is given must hold, each by another client, none of them frozen;
///      - a fact is as old as the oldest proof of it: the least height and the least time count;
///      - members and k never change: a route's owner who wants others adds another composite;
///      - a member stands before its composite does, so composites nest, and never in a circle.
contract CompositeClient is ILightClient {
    error InvalidThreshold(uint256 threshold, uint256 members);
    error InvalidMember(address member);
    error MalformedProof();
    error WrongProofCount(uint256 proofs, uint256 members);
    error WrongProofsGiven(uint256 given, uint256 threshold);
    error MemberFrozen(address member);

    uint256 public constant MAX_MEMBERS = 16;

    /// @notice How many members must prove a fact.
    uint256 public immutable threshold;
    ILightClient[] private _members;

    /// @param members_ clients of one and the same gateway; that they are is for the route's owner to see to
    constructor(uint256 threshold_, ILightClient[] memory members_) {
        uint256 count = members_.length;
        require(
            threshold_ > 0 && threshold_ <= count && count <= MAX_MEMBERS, InvalidThreshold(threshold_, count)
        );
        for (uint256 i = 0; i < count; ++i) {
            address member = address(members_[i]);
            require(member.code.length > 0, InvalidMember(member));
            for (uint256 j = 0; j < i; ++j) {
                require(address(members_[j]) != member, InvalidMember(member));
            }
        }
        threshold = threshold_;
        _members = members_;
    }

    /// @inheritdoc ILightClient
    function verifyMembership(bytes32[] calldata keys, bytes32[] calldata values, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time)
    {
        (ILightClient[] memory asked, bytes[] memory proofs) = _asked(proof);
        (height, time) = (type(uint64).max, type(uint64).max);
        for (uint256 i = 0; i < asked.length; ++i) {
            (uint64 h, uint64 t) = asked[i].verifyMembership(keys, values, proofs[i]);
            if (h < height) height = h;
            if (t < time) time = t;
        }
    }

    /// @inheritdoc ILightClient
    function verifyAbsence(bytes32[] calldata keys, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time)
    {
        (ILightClient[] memory asked, bytes[] memory proofs) = _asked(proof);
        (height, time) = (type(uint64).max, type(uint64).max);
        for (uint256 i = 0; i < asked.length; ++i) {
            (uint64 h, uint64 t) = asked[i].verifyAbsence(keys, proofs[i]);
            if (h < height) height = h;
            if (t < time) time = t;
        }
    }

    /// @inheritdoc ILightClient
    function clientType() external pure returns (string memory) {
        return "caimi-composite";
    }

    /// @inheritdoc ILightClient
    /// @dev When too few members are left to prove anything.
    function frozen() external view returns (bool) {
        uint256 left = 0;
        for (uint256 i = 0; i < _members.length; ++i) {
            if (!_members[i].frozen()) ++left;
        }
        return left < threshold;
    }

    /// @notice The clients it is made of, in the order of their proofs.
    function members() external view returns (ILightClient[] memory) {
        return _members;
    }

    /// @dev The members that are asked, with their proofs.
    function _asked(bytes calldata proof)
        private
        view
        returns (ILightClient[] memory asked, bytes[] memory proofs)
    {
        bytes[] memory places = _decode(proof);
        require(places.length == _members.length, WrongProofCount(places.length, _members.length));
        asked = new ILightClient[](threshold);
        proofs = new bytes[](threshold);
        uint256 given = 0;
        for (uint256 i = 0; i < places.length; ++i) {
            if (places[i].length == 0) continue;
            if (given < threshold) {
                require(!_members[i].frozen(), MemberFrozen(address(_members[i])));
                (asked[given], proofs[given]) = (_members[i], places[i]);
            }
            ++given;
        }
        require(given == threshold, WrongProofsGiven(given, threshold));
    }

    /// @dev abi.decode(proof, (bytes[])) of the one encoding that abi.encode gives: a proof with other offsets, with
    ///      padding that is not zero or with bytes behind it is refused, and so is one too short to be decoded.
    function _decode(bytes calldata proof) private pure returns (bytes[] memory places) {
        uint256 length = proof.length;
        require(length >= 64 && uint256(bytes32(proof[:32])) == 32, MalformedProof());
        uint256 count = uint256(bytes32(proof[32:64]));
        require(count <= MAX_MEMBERS && length >= 64 + 32 * count, MalformedProof());
        places = new bytes[](count);
        uint256 end = 32 * count; // of what was read, counted from behind the number of places
        for (uint256 i = 0; i < count; ++i) {
            uint256 head = 64 + 32 * i;
            require(uint256(bytes32(proof[head:head + 32])) == end, MalformedProof());
            uint256 start = 64 + end + 32;
            require(length >= start, MalformedProof());
            uint256 size = uint256(bytes32(proof[start - 32:start]));
            require(size <= length - start, MalformedProof());
            places[i] = proof[start:start + size];
            uint256 padded = (size + 31) & ~uint256(31);
            require(padded <= length - start, MalformedProof());
            for (uint256 j = start + size; j < start + padded; ++j) {
                require(proof[j] == 0, MalformedProof());
            }
            end += 32 + padded;
        }
        require(length == 64 + end, MalformedProof());
    }
}
