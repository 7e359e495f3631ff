// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A token for tests, whose maker can give it another symbol and other decimals.
contract TestToken is ERC20 {
    string private _symbol;
    uint8 private _decimals;

    constructor(string memory symbol_, uint8 decimals_) ERC20("Token", "") {
        rename(symbol_, decimals_);
    }

    function rename(string memory symbol_, uint8 decimals_) public {
        (_symbol, _decimals) = (symbol_, decimals_);
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function symbol() public view override returns (string memory) {
        return _symbol;
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }
}

/// @notice As Tether's: it answers nothing, and lets nobody change an allowance but by way of zero.
contract TetherLikeToken {
    string public constant symbol = "USDX";
    uint8 public constant decimals = 6;
    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        require(amount == 0 || allowance[msg.sender][spender] == 0);
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

/// @notice Moves nothing to or from whom its issuer has blocked.
contract BlockingToken is TestToken("BLKX", 2) {
    mapping(address account => bool) public blocked;

    function setBlocked(address account, bool on) external {
        blocked[account] = on;
    }

    function _update(address from, address to, uint256 value) internal override {
        require(!blocked[from] && !blocked[to]);
        super._update(from, to, value);
    }
}

/// @notice Takes every allowance without a word, and keeps none.
contract ForgetfulToken is TestToken("FGTX", 2) {
    function approve(address, uint256) public pure override returns (bool) {
        return true;
    }
}
