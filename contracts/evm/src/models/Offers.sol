// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ILicenceMarket, Price} from "../interfaces/ILicenceMarket.sol";
import {Interoperable} from "./Interoperable.sol";
import {Licences} from "./Licences.sol";

/// @notice Prices of models: who is paid and where, in what, how much. They count while their setter owns the model.
/// @dev Whoever is paid on a ledger is named by an account of that ledger: that the owner holds accounts on several is
///      never told from their bytes.
abstract contract Offers is Licences {
    struct Terms {
        address setter;
        bool offered;
        bool toSetter; // the payee's bytes are the setter's own, and are not kept twice
        uint256 amount;
    }

    struct Offer {
        Terms terms;
        bytes payee; // as the paying ledger itself has it
    }

    error TooManyPrices(uint256 length);
    error InvalidPayee(bytes payee);
    error InvalidAsset(bytes asset);
    /// @dev `current` means nothing when the model is not `offered`.
    error PriceChanged(uint256 modelId, bool offered, uint256 current);

    uint256 public constant MAX_PRICES = 32;
    uint256 internal constant MAX_ASSET_LENGTH = 64;

    mapping(uint256 modelId => mapping(bytes32 ledgerHash => mapping(bytes32 assetHash => Offer))) private _offers;

    /// @inheritdoc ILicenceMarket
    function setPrices(uint256 modelId, Price[] calldata prices) external onlyHomeOwner(modelId) {
        require(prices.length <= MAX_PRICES, TooManyPrices(prices.length));
        for (uint256 i = 0; i < prices.length; ++i) {
            _setPrice(modelId, prices[i]);
        }
        emit PricesSet(modelId, msg.sender, prices);
    }

    /// @inheritdoc ILicenceMarket
    function price(uint256 modelId, bytes calldata ledger, bytes calldata asset)
        external
        view
        returns (bool offered, uint256 amount, bytes memory payee)
    {
        Offer storage offer = _offers[modelId][keccak256(ledger)][keccak256(asset)];
        offered = _counts(modelId, offer);
        if (offered) (amount, payee) = (offer.terms.amount, Interoperable.accountOn(ledger, _payee(offer)));
    }

    /// @dev Whom to pay, as `ledger` itself has it.
    function _requirePrice(uint256 modelId, bytes memory ledger, bytes memory asset, uint256 amount)
        internal
        view
        returns (bytes memory payee)
    {
        Offer storage offer = _offers[modelId][keccak256(ledger)][keccak256(asset)];
        bool offered = _counts(modelId, offer);
        uint256 current = offered ? offer.terms.amount : 0;
        require(offered && current == amount, PriceChanged(modelId, offered, current));
        return _payee(offer);
    }

    /// @dev Refuses what no ledger could credit, as far as it can be told from here: else it would be paid for nothing.
    function _setPrice(uint256 modelId, Price calldata entry) private {
        (bytes memory ledger, bytes memory payee, bool evm) = Interoperable.parts(entry.payee);
        require(ledger.length != 0 && !(evm && bytes20(payee) == 0), InvalidPayee(entry.payee));
        require(_isAsset(entry.asset, evm), InvalidAsset(entry.asset));
        Offer storage offer = _offers[modelId][keccak256(ledger)][keccak256(entry.asset)];
        bool toSetter = payee.length == 20 && address(bytes20(payee)) == msg.sender;
        offer.terms = Terms({setter: msg.sender, offered: entry.offered, toSetter: toSetter, amount: entry.amount});
        if (!toSetter) offer.payee = payee;
    }

    function _counts(uint256 modelId, Offer storage offer) private view returns (bool) {
        return offer.terms.offered && registry.ownerOf(modelId) == offer.terms.setter;
    }

    function _payee(Offer storage offer) private view returns (bytes memory) {
        if (offer.terms.toSetter) return abi.encodePacked(offer.terms.setter);
        return offer.payee;
    }

    function _isAsset(bytes calldata asset, bool evm) private pure returns (bool) {
        if (!evm) return asset.length <= MAX_ASSET_LENGTH;
        return asset.length == 0 || (asset.length == 20 && bytes20(asset) != 0);
    }
}
