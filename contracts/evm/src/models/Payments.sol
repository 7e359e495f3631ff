// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ILicenceMarket} from "../interfaces/ILicenceMarket.sol";

/// @notice The money of a market: what it holds for purchases on their way, and what it owes to whom.
/// @dev Invariants:
///      - for each currency, value in = value out + {held} + the sum of {owed}: money is taken into `held` or `owed`,
///        moves from `held` to `owed` once, when its packet ends, and leaves only by {withdraw} of what is owed;
///      - what is credited is what came in, and what leaves is what was owed, or the token is refused.
///
///      Tokens that take a fee are refused when they are paid in, and when they are paid out, until they take none;
///      where balances shrink by themselves, who withdraws that token last goes short.
abstract contract Payments is ILicenceMarket, AccessManaged, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    error WrongValue(uint256 expected, uint256 actual);
    error PaymentMismatch(address currency, uint256 expected, uint256 received);
    error NothingOwed(address account, address currency);
    error InvalidRecipient(address to);

    uint80 private constant DEFAULT_RELAY_DEPOSIT = 0.0001 ether;

    /// @inheritdoc ILicenceMarket
    uint80 public relayDeposit = DEFAULT_RELAY_DEPOSIT;
    mapping(address account => mapping(address currency => uint256)) private _owed;
    mapping(address currency => uint256) private _held;

    /// @inheritdoc ILicenceMarket
    function withdraw(address currency, address to) external nonReentrant returns (uint256 amount) {
        require(to != address(0) && to != address(this), InvalidRecipient(to));
        amount = _owed[msg.sender][currency];
        require(amount != 0, NothingOwed(msg.sender, currency));
        _owed[msg.sender][currency] = 0;
        emit Withdrawn(msg.sender, currency, amount, to);
        if (currency == address(0)) {
            Address.sendValue(payable(to), amount);
            return amount;
        }
        IERC20 token = IERC20(currency);
        uint256 before = token.balanceOf(address(this));
        token.safeTransfer(to, amount);
        _requireMoved(currency, amount, before, token.balanceOf(address(this)));
    }

    /// @notice Sets what each purchase from here pays to whoever brings its end. Those on their way keep theirs.
    function setRelayDeposit(uint80 amount) external restricted {
        relayDeposit = amount;
        emit RelayDepositSet(amount);
    }

    /// @inheritdoc ILicenceMarket
    function owed(address account, address currency) external view returns (uint256) {
        return _owed[account][currency];
    }

    /// @inheritdoc ILicenceMarket
    function held(address currency) external view returns (uint256) {
        return _held[currency];
    }

    /// @dev What is held is collected in the same call.
    function _hold(address currency, uint256 amount) internal {
        _held[currency] += amount;
    }

    /// @dev What is owed is collected in the same call.
    function _owe(address account, address currency, uint256 amount) internal {
        _owed[account][currency] += amount;
    }

    /// @dev Owes what was held.
    function _release(address account, address currency, uint256 amount) internal {
        _held[currency] -= amount;
        _owe(account, currency, amount);
    }

    /// @dev Takes exactly `amount`, and `deposit` in the ledger's coin, from the caller, or reverts.
    function _collect(address currency, uint256 amount, uint256 deposit) internal {
        uint256 expectedValue = currency == address(0) ? amount + deposit : deposit;
        require(msg.value == expectedValue, WrongValue(expectedValue, msg.value));
        if (currency == address(0) || amount == 0) return;
        IERC20 token = IERC20(currency);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        _requireMoved(currency, amount, token.balanceOf(address(this)), before);
    }

    /// @dev Exactly: more or less means that the token's transfers are not what they say.
    function _requireMoved(address currency, uint256 amount, uint256 more, uint256 less) private pure {
        uint256 moved = more > less ? more - less : 0;
        // slither-disable-next-line incorrect-equality
        require(moved == amount, PaymentMismatch(currency, amount, moved));
    }
}
