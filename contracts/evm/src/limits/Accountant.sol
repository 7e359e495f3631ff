// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

/// @notice What left over each route and has not come back, kept apart from how the application knows its tokens.
/// @dev Invariant: over a route no more comes back than left over it, whatever was signed; so a route whose every key
///      is stolen yields at most what is out over it, which {setSupplyCap} bounds.
///
///      This is the account of the route. That of the token is the application's: each model is out over one route at
///      a time, and comes back over that one only ({Passages}), so that the sum over the models that are locked towards
///      a route is what is out over it here. The two are kept apart so that one of them can be wrong.
///
///      Restricted function: {setSupplyCap} (governance).
abstract contract Accountant is AccessManaged {
    struct Account {
        uint128 out;
        uint128 cap;
        bool capped;
    }

    event SupplyCapSet(string clientId, uint128 cap);

    error SupplyCapReached(bytes32 clientHash, uint256 cap);
    error NotConserved(bytes32 clientHash, uint256 out, uint256 amount);

    mapping(bytes32 clientHash => Account) private _accounts;

    /// @notice Bounds how much may be out over a route at once. What is out already stays out.
    function setSupplyCap(string calldata clientId, uint128 cap) external restricted {
        Account storage account = _accounts[keccak256(bytes(clientId))];
        (account.cap, account.capped) = (cap, true);
        emit SupplyCapSet(clientId, cap);
    }

    /// @return out what left over the route and neither came back nor was refunded
    /// @return cap how much may; the largest number when governance has set none
    function outstanding(string calldata clientId) external view returns (uint128 out, uint128 cap) {
        Account storage account = _accounts[keccak256(bytes(clientId))];
        return (account.out, account.capped ? account.cap : type(uint128).max);
    }

    function _leave(bytes32 clientHash, uint128 amount) internal {
        Account storage account = _accounts[clientHash];
        account.out += amount;
        require(!account.capped || account.out <= account.cap, SupplyCapReached(clientHash, account.cap));
    }

    /// @dev By a delivery or by a refund.
    function _comeBack(bytes32 clientHash, uint128 amount) internal {
        Account storage account = _accounts[clientHash];
        require(amount <= account.out, NotConserved(clientHash, account.out, amount));
        account.out -= amount;
    }
}
