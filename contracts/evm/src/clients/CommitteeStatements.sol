// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Checkpoint, StatementKind} from "../interfaces/ICommitteeClient.sol";

/// @notice The EIP-712 digests that validators sign, and the hash that names a committee.
/// @dev The domain has a name and a version only: a statement is about its origin and is meant for every ledger. What
///      ties it down is in the signed members, the origin (ledger and gateway) and the committee (epoch, threshold,
///      members and their operators).
library CommitteeStatements {
    bytes32 private constant CHECKPOINT_TYPE = keccak256(
        "Checkpoint(bytes32 origin,bytes32 committee,uint64 from,uint64 height,uint64 time,bytes32 root,uint32 size)"
    );
    bytes32 private constant ABSENCE_TYPE = keccak256(
        "Absence(bytes32 origin,bytes32 committee,uint64 from,uint64 height,uint64 time,bytes32 root,uint32 size)"
    );
    bytes32 private constant ROTATION_TYPE =
        keccak256("Rotation(bytes32 origin,bytes32 committee,uint64 epoch,uint16 threshold,address[] members,bytes operators)");
    bytes1 private constant NAME_AND_VERSION = 0x03;

    function domainSeparator() internal pure returns (bytes32) {
        return MessageHashUtils.toDomainSeparator(
            NAME_AND_VERSION, keccak256("CAIMI"), keccak256("1"), 0, address(0), 0
        );
    }

    /// @param domain what {domainSeparator} gives, which callers keep
    function digest(bytes32 domain, StatementKind kind, Checkpoint memory statement) internal pure returns (bytes32) {
        bytes32 typeHash = kind == StatementKind.Checkpoint ? CHECKPOINT_TYPE : ABSENCE_TYPE;
        return MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(typeHash, statement)));
    }

    /// @param committee the hash of the committee that hands over
    function rotationDigest(
        bytes32 domain,
        bytes32 origin,
        bytes32 committee,
        uint64 epoch,
        uint16 threshold,
        address[] memory members,
        bytes memory operators
    ) internal pure returns (bytes32) {
        bytes32 membersHash = keccak256(abi.encodePacked(members));
        bytes32 structHash = keccak256(
            abi.encode(ROTATION_TYPE, origin, committee, epoch, threshold, membersHash, keccak256(operators))
        );
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    function committeeHash(uint64 epoch, uint16 threshold, address[] memory members, bytes memory operators)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(epoch, threshold, members, operators));
    }

    /// @notice Whether no ledger can be as both statements of one origin say.
    /// @dev Two times of one height, a time that runs backwards, or two contents of one range of blocks.
    function contradict(StatementKind kindA, Checkpoint memory a, StatementKind kindB, Checkpoint memory b)
        internal
        pure
        returns (bool)
    {
        if (a.origin != b.origin) return false;
        if (a.height < b.height) return a.time > b.time;
        if (a.height > b.height) return a.time < b.time;
        if (a.time != b.time) return true;
        return kindA == StatementKind.Checkpoint && kindB == StatementKind.Checkpoint && a.from == b.from
            && (a.root != b.root || a.size != b.size);
    }
}
