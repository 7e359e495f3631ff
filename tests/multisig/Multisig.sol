// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice An account of which some owners together say what it does, with signatures that they collect elsewhere.
contract Multisig {
    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    error SignaturesMissing();
    error SignaturesNotInOrder(address signer);
    error NotAnOwner(address signer);

    mapping(address account => bool) public isOwner;
    uint256 public immutable threshold;
    uint256 public nonce;

    constructor(address[] memory owners, uint256 threshold_) {
        for (uint256 i = 0; i < owners.length; i++) {
            isOwner[owners[i]] = true;
        }
        threshold = threshold_;
    }

    /// @notice What owners sign: these calls, once, of this account, on this chain.
    function digest(Call[] calldata calls) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), nonce, calls));
    }

    /// @notice Make calls, all or none; `signatures` are r || s || v, in ascending order of their accounts.
    function execute(Call[] calldata calls, bytes[] calldata signatures) external {
        require(signatures.length >= threshold, SignaturesMissing());
        bytes32 signed = digest(calls);
        nonce++;
        address last = address(0);
        for (uint256 i = 0; i < signatures.length; i++) {
            bytes calldata each = signatures[i];
            address signer = ecrecover(signed, uint8(each[64]), bytes32(each[:32]), bytes32(each[32:64]));
            require(isOwner[signer], NotAnOwner(signer));
            require(signer > last, SignaturesNotInOrder(signer));
            last = signer;
        }
        for (uint256 i = 0; i < calls.length; i++) {
            (bool done, bytes memory said) = calls[i].to.call{value: calls[i].value}(calls[i].data);
            if (!done) {
                assembly ("memory-safe") {
                    revert(add(said, 0x20), mload(said))
                }
            }
        }
    }

    receive() external payable {}
}
