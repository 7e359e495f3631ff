// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {IIBCApp, PacketContext} from "../interfaces/IIBCApp.sol";
import {ILicenceMarket, Purchase, PurchaseState} from "../interfaces/ILicenceMarket.sol";
import {RouteLimits} from "../limits/RouteLimits.sol";
import {Interoperable} from "./Interoperable.sol";
import {Licences} from "./Licences.sol";
import {ModelNames} from "./ModelNames.sol";
import {ModelRegistry} from "./ModelRegistry.sol";
import {Offers} from "./Offers.sol";
import {PacketApp} from "./PacketApp.sol";
import {Payments} from "./Payments.sol";

/// @notice Sells licences to versions of models; the home ledger decides, any ledger pays. Port "licence".
/// @dev Invariants, beside those of {Licences}, {Offers} and {Payments}:
///      - a purchase ends once: completed and owed to the payee, or refunded and owed to the buyer;
///      - who buys for another reader can only give: the reader owes nothing, gets a licence that the buyer paid for, and
///        can buy as if nobody else had.
///
///      The payee of a purchase from elsewhere is an account of the ledger that pays, or the buyer is refunded.
///      Over a route as much is paid, and as many licences are bought, as its limits allow ({RouteLimits}): sending
///      refuses what is over them or over the buyer's share, and what arrives over them is refunded. Acknowledgements,
///      timeouts and withdrawals are never limited. Each purchase from another ledger also pays {relayDeposit}, in the
///      ledger's coin, to whoever brings its end: a packet that achieves nothing costs who sent it, and pays who
///      carried it. A model that costs nothing is better granted. Restricted functions: those of {RouteLimits},
///      {setRelayDeposit} (governance) and {refundDead} (the emergency exit).
contract LicenceMarket is Offers, Payments, PacketApp, RouteLimits {
    /// @dev The reader of a purchase for another is in `_readers`, so that buying for oneself writes no slot more.
    struct PurchaseRecord {
        address buyer;
        PurchaseState state;
        bool counted; // against a limit of value over its route
        uint80 deposit;
        uint256 modelId;
        bytes32 versionId;
        address currency;
        bool forAnother;
        uint256 amount;
    }

    /// @dev The payload's value, abi.encode(TAG, modelId, version, consumer, asset, amount).
    struct Order {
        uint256 modelId;
        string version;
        bytes consumer;
        bytes asset;
        uint256 amount;
    }

    error ConsumerNotBehindClient(bytes consumer, string clientId);
    error InvalidVersion(string version);
    error AlreadyPurchased(bytes32 purchaseId);
    error NotPending(bytes32 purchaseId);

    string public constant PORT = "licence";
    string public constant VERSION = "caimi-licence-2";
    uint8 private constant TAG = 2;

    mapping(bytes32 purchaseId => PurchaseRecord) private _purchases;
    mapping(bytes32 purchaseId => address) private _readers;
    mapping(bytes32 purchaseKey => bytes32 purchaseId) private _purchaseOf;

    constructor(IGateway gateway_, ModelRegistry registry_, address authority)
        Licences(registry_)
        PacketApp(gateway_, PORT, VERSION)
        AccessManaged(authority)
    {}

    /// @inheritdoc ILicenceMarket
    function buy(uint256 modelId, string calldata version, address currency, uint256 amount, address reader)
        external
        payable
        nonReentrant
        returns (bytes32 licenceId)
    {
        address payee =
            address(bytes20(_requirePrice(modelId, Interoperable.thisLedger(), _assetOf(currency), amount)));
        licenceId = _grant(modelId, version, Interoperable.here(_orCaller(reader)), Interoperable.here(payee));
        _owe(payee, currency, amount);
        _collect(currency, amount, 0);
    }

    /// @inheritdoc ILicenceMarket
    /// @dev The sequence is known, and the purchase written, only after the gateway has sent, which hands control to
    ///      nobody; while the token has control nothing is sent yet, and all that takes or pays money is locked.
    // slither-disable-next-line reentrancy-no-eth
    function buyRemote(
        string calldata clientId,
        uint256 modelId,
        string calldata version,
        address currency,
        uint256 amount,
        uint64 timeoutTimestamp,
        address reader
    ) external payable nonReentrant returns (bytes32 purchaseId) {
        require(ModelNames.isVersion(version), InvalidVersion(version));
        bytes32 versionId = keccak256(bytes(version));
        reader = _orCaller(reader);
        bytes32 key = _purchaseKey(clientId, modelId, versionId, msg.sender, reader);
        require(_purchaseOf[key] == 0, AlreadyPurchased(_purchaseOf[key]));
        bool counted = _limitPaying(clientId, currency, amount);

        uint80 deposit = relayDeposit;
        _hold(currency, amount);
        _hold(address(0), deposit);
        _collect(currency, amount, deposit);
        uint64 sequence = _sendPayload(
            clientId,
            timeoutTimestamp,
            PORT,
            VERSION,
            abi.encode(TAG, modelId, version, Interoperable.here(reader), _assetOf(currency), amount)
        );

        purchaseId = _purchaseId(clientId, sequence);
        _purchaseOf[key] = purchaseId;
        bool forAnother = reader != msg.sender;
        if (forAnother) _readers[purchaseId] = reader;
        _purchases[purchaseId] = PurchaseRecord({
            buyer: msg.sender,
            state: PurchaseState.Pending,
            counted: counted,
            deposit: deposit,
            modelId: modelId,
            versionId: versionId,
            currency: currency,
            forAnother: forAnother,
            amount: amount
        });
        emit PurchaseOpened(purchaseId, msg.sender, modelId, reader, version, clientId, sequence, currency, amount);
    }

    /// @inheritdoc ILicenceMarket
    function refundDead(string calldata clientId, uint64 sequence) external restricted {
        bytes32 purchaseId = _purchaseId(clientId, sequence);
        PurchaseRecord storage entry = _purchases[purchaseId];
        require(entry.state == PurchaseState.Pending, NotPending(purchaseId));
        _openForGood(keccak256(bytes(clientId)));
        _release(entry.buyer, address(0), entry.deposit);
        _refund(clientId, purchaseId, entry);
    }

    /// @inheritdoc IIBCApp
    /// @dev On the home ledger: grants the licence at the seller's present price, or reverts, which refunds the buyer.
    function onRecvPacket(PacketContext calldata context) external onlyGateway returns (bytes memory acknowledgement) {
        _checkEnvelope(context.payload);
        _limitReceiving(keccak256(bytes(context.destClient)), 0);
        Order memory order = _decode(context.payload.value);
        bytes memory ledger = _ledgerBehind(context.destClient);
        require(
            keccak256(_ledgerOf(order.consumer)) == keccak256(ledger),
            ConsumerNotBehindClient(order.consumer, context.destClient)
        );
        bytes memory payee =
            Interoperable.accountOn(ledger, _requirePrice(order.modelId, ledger, order.asset, order.amount));
        bytes32 licenceId = _grant(order.modelId, order.version, order.consumer, payee);
        return abi.encode(TAG, licenceId, payee);
    }

    /// @inheritdoc IIBCApp
    /// @dev Of a purchase that an emergency exit gave back nothing is left to do, whatever the ledger says that woke up.
    ///      Else this credits the payee whom the home ledger names. An acknowledgement that is neither an error nor exactly
    ///      what our own kind answers, with an account of this ledger, refunds the buyer: nobody knows whom to pay,
    ///      holding the money for ever would punish a buyer who did nothing wrong, and only the seller's own ledger can
    ///      have written it, so that the loss, a licence given away at worst, falls on the side that caused it.
    function onAcknowledgementPacket(PacketContext calldata context, bytes calldata acknowledgement)
        external
        onlyGateway
    {
        (bytes32 purchaseId, PurchaseRecord storage entry, bool pending) = _sent(context);
        if (!pending) return;
        _release(context.relayer, address(0), entry.deposit);
        (bool valid, bytes32 licenceId, address payee) = _readAcknowledgement(purchaseId, entry, acknowledgement);
        if (!valid) {
            _refund(context.sourceClient, purchaseId, entry);
            return;
        }
        entry.state = PurchaseState.Completed;
        _limitPaid(context.sourceClient, entry, false);
        _release(payee, entry.currency, entry.amount);
        emit PurchaseCompleted(purchaseId, licenceId, payee);
    }

    /// @inheritdoc IIBCApp
    function onTimeoutPacket(PacketContext calldata context) external onlyGateway {
        (bytes32 purchaseId, PurchaseRecord storage entry, bool pending) = _sent(context);
        if (!pending) return;
        _release(context.relayer, address(0), entry.deposit);
        _refund(context.sourceClient, purchaseId, entry);
    }

    /// @inheritdoc ILicenceMarket
    function purchase(bytes32 purchaseId) external view returns (Purchase memory) {
        PurchaseRecord storage entry = _purchases[purchaseId];
        return Purchase({
            buyer: entry.buyer,
            reader: _readerOf(purchaseId, entry),
            state: entry.state,
            counted: entry.counted,
            deposit: entry.deposit,
            modelId: entry.modelId,
            versionId: entry.versionId,
            currency: entry.currency,
            amount: entry.amount
        });
    }

    /// @inheritdoc ILicenceMarket
    function purchaseOf(string calldata clientId, uint256 modelId, bytes32 versionId, address buyer, address reader)
        external
        view
        returns (bytes32 purchaseId)
    {
        return _purchaseOf[_purchaseKey(clientId, modelId, versionId, buyer, reader)];
    }

    /// @dev Each currency has limits of its own over a route: the ledger's coin those of the route's name, a token those
    ///      of that name with a slash and its address behind. The route's own count and breaker are for all of them, or
    ///      whoever makes tokens would send more than the other side takes.
    function _limitPaying(string calldata clientId, address currency, uint256 amount) private returns (bool counted) {
        bytes32 clientHash = keccak256(bytes(clientId));
        uint256 paid = _limitSending(clientHash, msg.sender, currency == address(0) ? amount : 0);
        if (currency != address(0)) paid = _limitSending(_lane(clientId, currency), msg.sender, amount);
        return paid != 0;
    }

    /// @dev A purchase has ended, one way or the other.
    function _limitPaid(string calldata clientId, PurchaseRecord storage entry, bool refunded) private {
        uint256 paid = entry.counted ? entry.amount : 0;
        bool native = entry.currency == address(0);
        _limitEnded(keccak256(bytes(clientId)), entry.buyer, native ? paid : 0, refunded);
        if (!native) _limitEnded(_lane(clientId, entry.currency), entry.buyer, paid, refunded);
    }

    function _refund(string calldata clientId, bytes32 purchaseId, PurchaseRecord storage entry) private {
        entry.state = PurchaseState.Refunded;
        address reader = _readerOf(purchaseId, entry);
        delete _purchaseOf[_purchaseKey(clientId, entry.modelId, entry.versionId, entry.buyer, reader)];
        _limitPaid(clientId, entry, true);
        _release(entry.buyer, entry.currency, entry.amount);
        emit PurchaseRefunded(purchaseId, entry.buyer);
    }

    /// @dev The gateway ends a packet once, so that one which is refunded already was so by the emergency exit.
    function _sent(PacketContext calldata context)
        private
        view
        returns (bytes32 purchaseId, PurchaseRecord storage entry, bool pending)
    {
        purchaseId = _purchaseId(context.sourceClient, context.sequence);
        entry = _purchases[purchaseId];
        pending = entry.state == PurchaseState.Pending;
        require(
            pending || entry.state == PurchaseState.Refunded,
            UnknownPacket(keccak256(bytes(context.sourceClient)), context.sequence)
        );
    }

    /// @dev Valid only when it is byte for byte what {onRecvPacket} answers for this purchase, with a payee of this ledger.
    function _readAcknowledgement(bytes32 purchaseId, PurchaseRecord storage entry, bytes calldata acknowledgement)
        private
        view
        returns (bool valid, bytes32 licenceId, address payee)
    {
        bytes memory consumer = Interoperable.here(_readerOf(purchaseId, entry));
        licenceId = licenceIdOf(entry.modelId, entry.versionId, consumer);
        // abi.encode(uint8, bytes32, bytes): three words of head, then the payee's length and the payee, which is as long
        // as every account of this ledger and ends in its address.
        uint256 end = 128 + consumer.length;
        if (acknowledgement.length >= end) payee = address(bytes20(acknowledgement[end - 20:end]));
        bytes memory canonical = abi.encode(TAG, licenceId, Interoperable.here(payee));
        valid = payee != address(0) && keccak256(canonical) == keccak256(acknowledgement);
    }

    function _readerOf(bytes32 purchaseId, PurchaseRecord storage entry) private view returns (address) {
        return entry.forAnother ? _readers[purchaseId] : entry.buyer;
    }

    function _orCaller(address reader) private view returns (address) {
        return reader == address(0) ? msg.sender : reader;
    }

    /// @dev A currency as payloads have it.
    function _assetOf(address currency) private pure returns (bytes memory) {
        return currency == address(0) ? bytes("") : abi.encodePacked(currency);
    }

    function _lane(string calldata clientId, address currency) private pure returns (bytes32) {
        return keccak256(bytes.concat(bytes(clientId), "/", bytes(Strings.toHexString(currency))));
    }

    /// @dev Strict: a value has one encoding.
    function _decode(bytes calldata value) private pure returns (Order memory order) {
        uint8 tag;
        (tag, order.modelId, order.version, order.consumer, order.asset, order.amount) =
            abi.decode(value, (uint8, uint256, string, bytes, bytes, uint256));
        bytes memory canonical =
            abi.encode(TAG, order.modelId, order.version, order.consumer, order.asset, order.amount);
        require(
            tag == TAG && order.asset.length <= MAX_ASSET_LENGTH && keccak256(canonical) == keccak256(value),
            InvalidPayload()
        );
    }

    function _purchaseId(string calldata clientId, uint64 sequence) private pure returns (bytes32) {
        return keccak256(abi.encode(clientId, sequence));
    }

    function _purchaseKey(string calldata clientId, uint256 modelId, bytes32 versionId, address buyer, address reader)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(clientId, modelId, versionId, buyer, reader));
    }
}
