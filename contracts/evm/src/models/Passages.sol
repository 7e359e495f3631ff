// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice Where each model is, as one ledger knows it: by which route it came, and by which it left.
/// @dev The account of each token. A token that left is towards one client, and only a packet over that client, or the
///      end of the packet that took it away, brings it back; so no route gives what left over another, whatever the
///      number that {Accountant} holds of each.
///
///      A home model is Nowhere, Leaving, Away and Nowhere again. A foreign one is Visiting; sent on, it is Leaving,
///      Away and Visiting again; sent back, it is Returning, and then Nowhere.
abstract contract Passages {
    enum Whereabouts {
        Nowhere, // the bridge has no part in it
        Visiting, // foreign, live here
        Leaving, // locked here, not acknowledged
        Away, // locked here, acknowledged
        Returning // foreign, burnt, not acknowledged
    }

    struct Passage {
        string cameBy; // empty for home models
        string leftBy; // while it is locked
        address sender;
        uint64 sequence;
        Whereabouts whereabouts;
    }

    mapping(uint256 tokenId => Passage) private _passages;

    /// @dev It came by `clientId`, for the first time or again.
    function _arrive(uint256 tokenId, string calldata clientId) internal {
        delete _passages[tokenId];
        _passages[tokenId].cameBy = clientId;
        _passages[tokenId].whereabouts = Whereabouts.Visiting;
    }

    /// @dev It goes back by the client it came by.
    function _depart(uint256 tokenId, address sender) internal {
        Passage storage passage = _passages[tokenId];
        passage.sender = sender;
        passage.whereabouts = Whereabouts.Returning;
    }

    /// @dev It goes away from its home, or on from here, by `clientId`.
    function _lock(uint256 tokenId, string calldata clientId, address sender) internal {
        Passage storage passage = _passages[tokenId];
        passage.leftBy = clientId;
        passage.sender = sender;
        passage.whereabouts = Whereabouts.Leaving;
    }

    /// @dev The packet that takes it away is known only after it was sent.
    function _number(uint256 tokenId, uint64 sequence) internal {
        _passages[tokenId].sequence = sequence;
    }

    /// @dev The other side has taken it.
    function _confirm(uint256 tokenId) internal {
        if (_passages[tokenId].whereabouts == Whereabouts.Leaving) _passages[tokenId].whereabouts = Whereabouts.Away;
        else delete _passages[tokenId];
    }

    /// @dev It is live here again.
    function _restore(uint256 tokenId) internal {
        Passage storage passage = _passages[tokenId];
        delete passage.leftBy;
        delete passage.sender;
        delete passage.sequence;
        passage.whereabouts = bytes(passage.cameBy).length == 0 ? Whereabouts.Nowhere : Whereabouts.Visiting;
    }

    function _passage(uint256 tokenId) internal view returns (Passage storage) {
        return _passages[tokenId];
    }

    function _isLocked(uint256 tokenId) internal view returns (bool) {
        Whereabouts whereabouts = _passages[tokenId].whereabouts;
        return whereabouts == Whereabouts.Leaving || whereabouts == Whereabouts.Away;
    }

    function _isLockedTowards(uint256 tokenId, bytes32 clientHash) internal view returns (bool) {
        return _isLocked(tokenId) && keccak256(bytes(_passages[tokenId].leftBy)) == clientHash;
    }

    function _isVisitingBy(uint256 tokenId, bytes32 clientHash) internal view returns (bool) {
        Passage storage passage = _passages[tokenId];
        return passage.whereabouts == Whereabouts.Visiting && keccak256(bytes(passage.cameBy)) == clientHash;
    }

    /// @dev Whether the token is still where this packet of ours put it.
    function _isMovedBy(uint256 tokenId, bytes32 clientHash, uint64 sequence) internal view returns (bool) {
        Passage storage passage = _passages[tokenId];
        if (passage.sequence != sequence) return false;
        if (passage.whereabouts == Whereabouts.Leaving) return keccak256(bytes(passage.leftBy)) == clientHash;
        return passage.whereabouts == Whereabouts.Returning && keccak256(bytes(passage.cameBy)) == clientHash;
    }
}
