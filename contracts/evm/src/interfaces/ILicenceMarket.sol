// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IIBCApp} from "./IIBCApp.sol";

/// @notice One price of a model: who is paid and where, in what, how much.
struct Price {
    bytes payee; // ERC-7930 interoperable address of the account that is paid, on the ledger where this counts
    bytes asset; // what that ledger itself has for it: empty for its coin, 20 bytes for a token of an EVM chain
    uint256 amount;
    bool offered; // false withdraws the offer
}

enum PurchaseState {
    None,
    Pending,
    Completed,
    Refunded
}

/// @notice A purchase from here. The licence is its reader's; what comes back is its buyer's. currency 0 is the coin.
struct Purchase {
    address buyer;
    address reader;
    PurchaseState state;
    bool counted; // against a limit of value over its route
    uint80 deposit; // in the ledger's coin, for whoever brings its end
    uint256 modelId;
    bytes32 versionId;
    address currency;
    uint256 amount;
}

struct Licence {
    uint64 grantedAt; // seconds; 0 when there is none
    bool revoked;
}

/// @notice Sells licences to versions; the home ledger decides, any ledger pays. Port "licence".
/// @dev Consumers are ERC-7930 interoperable addresses (bytes). Invariant: value in = value out + value held.
///      A currency is an asset of this ledger: address zero for its coin, else a token's contract.
///      Payload value: abi.encode(uint8 tag = 2, uint256 modelId, string version, bytes consumer, bytes asset, uint256 amount).
///      Success acknowledgement: abi.encode(uint8 tag = 2, bytes32 licenceId, bytes payee), the payee being an
///      interoperable address on the paying ledger.
interface ILicenceMarket is IIBCApp {
    event PricesSet(uint256 indexed modelId, address indexed seller, Price[] prices);
    event PurchaseOpened(
        bytes32 indexed purchaseId, address indexed buyer, uint256 indexed modelId, address reader, string version,
        string clientId, uint64 sequence, address currency, uint256 amount
    );
    event PurchaseCompleted(bytes32 indexed purchaseId, bytes32 indexed licenceId, address payee);
    event PurchaseRefunded(bytes32 indexed purchaseId, address indexed buyer);
    event LicenceGranted(
        bytes32 indexed licenceId, uint256 indexed modelId, bytes32 indexed versionId, bytes consumer, bytes payee,
        string version
    );
    event LicenceRevoked(bytes32 indexed licenceId);
    event Withdrawn(address indexed account, address indexed currency, uint256 amount, address to);
    event RelayDepositSet(uint80 amount);

    /// @notice Home ledger, model owner only. Prices count only while the setter still owns the model. What is paid is
    ///         the payee's, an account that the setter names for each ledger; nobody here can tell whether anybody
    ///         holds its key.
    function setPrices(uint256 modelId, Price[] calldata prices) external;
    /// @notice Home ledger, model owner only: a licence without payment.
    function grant(uint256 modelId, string calldata version, bytes calldata consumer) external returns (bytes32 licenceId);
    /// @notice Home ledger, model owner only: custodians honour it no more. Nothing is refunded.
    function revoke(bytes32 licenceId) external;

    /// @notice Buys where the model lives. `amount` must be the current price; native coin comes as value.
    /// @param reader whose licence it is; zero for the caller's own
    function buy(uint256 modelId, string calldata version, address currency, uint256 amount, address reader)
        external
        payable
        returns (bytes32 licenceId);
    /// @notice Buys from here a licence of a model that lives behind `clientId`; the money is held until acknowledged.
    /// @dev As value come the amount, if it is in native coin, and {relayDeposit}; no more and no less.
    /// @param reader whose licence it is; zero for the caller's own
    function buyRemote(
        string calldata clientId,
        uint256 modelId,
        string calldata version,
        address currency,
        uint256 amount,
        uint64 timeoutTimestamp,
        address reader
    ) external payable returns (bytes32 purchaseId);
    /// @notice Pays out to `to` what the market owes the caller.
    function withdraw(address currency, address to) external returns (uint256 amount);
    /// @notice Gives a purchase that is on its way to a ledger which died back to its buyer, deposit and all, and closes
    ///         the route for good. For the emergency exit only.
    function refundDead(string calldata clientId, uint64 sequence) external;
    /// @notice What each purchase from here pays, in the ledger's coin, to whoever brings its end.
    function relayDeposit() external view returns (uint80);

    /// @return offered whether it is for sale now; else the amount is 0 and the payee empty
    function price(uint256 modelId, bytes calldata ledger, bytes calldata asset)
        external
        view
        returns (bool offered, uint256 amount, bytes memory payee);
    /// @dev keccak256(abi.encode(modelId, versionId, keccak256(consumer)))
    function licenceIdOf(uint256 modelId, bytes32 versionId, bytes calldata consumer) external pure returns (bytes32);
    /// @notice The licences of a model of this ledger, for whoever buys the model elsewhere.
    /// @return live how many are granted and not revoked
    /// @return digest over all that was granted and revoked, in order: digest = bytes24(keccak256(abi.encodePacked(
    ///         digest before, licenceId, bool granted))), from zero
    function tally(uint256 modelId) external view returns (uint64 live, bytes24 digest);
    function licence(bytes32 licenceId) external view returns (Licence memory);
    /// @dev keccak256(abi.encode(clientId, sequence))
    function purchase(bytes32 purchaseId) external view returns (Purchase memory);
    /// @notice The open or completed purchase of this version by this buyer for this reader, 0 when none.
    function purchaseOf(string calldata clientId, uint256 modelId, bytes32 versionId, address buyer, address reader)
        external
        view
        returns (bytes32 purchaseId);
    function owed(address account, address currency) external view returns (uint256);
    function held(address currency) external view returns (uint256);
}
