// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ILicenceMarket} from "../../src/interfaces/ILicenceMarket.sol";

contract Coin is ERC20 {
    constructor() ERC20("Coin", "COIN") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice Takes one in a hundred of every transfer.
contract TaxedCoin is Coin {
    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0)) super._update(to, address(0xFEE), value / 100);
    }
}

/// @notice Says no instead of reverting, and moves nothing.
contract RefusingCoin is Coin {
    function transfer(address, uint256) public pure override returns (bool) {
        return false;
    }

    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}

/// @notice Says yes and moves nothing.
contract LyingCoin is Coin {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return true;
    }
}

/// @notice As the first tokens were made, and the most used one is: its functions return nothing at all.
contract SilentCoin {
    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice Moves nothing from or to whom its issuer has blocked.
contract BlockingCoin is Coin {
    mapping(address account => bool) public blocked;

    error Blocked(address account);

    function setBlocked(address account, bool on) external {
        blocked[account] = on;
    }

    function _update(address from, address to, uint256 value) internal override {
        require(!blocked[from], Blocked(from));
        require(!blocked[to], Blocked(to));
        super._update(from, to, value);
    }
}

/// @notice Begins, when its issuer likes, to take one in a hundred on top, from whoever pays.
contract SurchargingCoin is Coin {
    bool public charging;

    function charge() external {
        charging = true;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (charging && from != address(0)) super._update(from, address(0xFEE), value / 100);
    }
}

/// @notice Balances halve by themselves.
contract ShrinkingCoin is Coin {
    uint256 private _parts = 1;

    function halve() external {
        _parts *= 2;
    }

    function balanceOf(address account) public view override returns (uint256) {
        return super.balanceOf(account) / _parts;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value * _parts);
    }
}

/// @notice Makes one call of its deployer's choice in the middle of every transfer, and tells whether it went through.
contract CallingCoin is Coin {
    address private _target;
    bytes private _call;
    bool public went;
    bytes public answer;

    function onTransfer(address target, bytes calldata data) external {
        _target = target;
        _call = data;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_target != address(0)) (went, answer) = _target.call(_call);
    }
}

/// @notice A token that buys too, and in the middle of every transfer asks the market that makes it for its own money.
contract ReenteringCoin is Coin {
    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (msg.sender.code.length == 0) return;
        try ILicenceMarket(msg.sender).withdraw(address(this), address(this)) {} catch {}
    }

    receive() external payable {}
}

/// @notice A creditor who, when it is paid in native coin, asks for its money again.
contract GreedyCreditor {
    ILicenceMarket private immutable _market;
    bool public caught;

    constructor(ILicenceMarket market) {
        _market = market;
    }

    function buyRemote(string calldata clientId, uint256 modelId, string calldata version, uint64 timeout)
        external
        payable
    {
        _market.buyRemote{value: msg.value}(clientId, modelId, version, address(0), msg.value, timeout, address(0));
    }

    function withdraw() external {
        _market.withdraw(address(0), address(this));
    }

    receive() external payable {
        try _market.withdraw(address(0), address(this)) {}
        catch {
            caught = true;
        }
    }
}
