// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {IIBCApp, PacketContext} from "../interfaces/IIBCApp.sol";
import {ILicenceMarket, Licence, Price, Purchase, PurchaseState} from "../interfaces/ILicenceMarket.sol";
import {Version} from "../interfaces/IModelRegistry.sol";
import {RouteLimits} from "../limits/RouteLimits.sol";
import {Interoperable} from "./Interoperable.sol";
import {ModelNames} from "./ModelNames.sol";
import {ModelRegistry} from "./ModelRegistry.sol";
import {PacketApp} from "./PacketApp.sol";

/// @notice Sells licences to versions of models; the home ledger decides, any ledger pays. Port "licence".
/// @dev Invariants:
///      - for each currency, value in = value out + {held} + the sum of {owed}: money is taken into `held` or `owed`,
///        moves from `held` to `owed` once, when its packet ends, and leaves only by {withdraw} of what is owed;
///      - what is credited is what came in, and what leaves is what was owed, or the token is refused;
///      - a purchase ends once: completed and owed to the seller, or refunded and owed to the buyer;
///      - a licence is granted only by the model's owner, or at the price that the present owner set;
///      - while a model is abroad its licences stand: the bridge owns it here then, and the bridge revokes nothing.
///
///      The seller is paid on the ledger where the buyer paid, at the same address. An owner that is a contract
///      should offer prices only on ledgers where it controls that address.
///      Over a route as much is paid, and as many licences are bought, as its limits allow ({RouteLimits}): sending
///      refuses what is over them or over the buyer's share, and what arrives over them is refunded. Acknowledgements,
///      timeouts and withdrawals are never limited. Each purchase from another ledger also pays {relayDeposit}, in the
///      ledger's coin, to whoever brings its end: a packet that achieves nothing costs who sent it, and pays who
///      carried it. A model that costs nothing is better granted. Restricted functions: those of {RouteLimits},
///      {setRelayDeposit} (governance) and {refundDead} (the emergency exit).
///
///      Tokens that take a fee are refused when they are paid in, and when they are paid out, until they take none;
///      where balances shrink by themselves, who withdraws that token last goes short.
contract LicenceMarket is ILicenceMarket, PacketApp, RouteLimits, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Offer {
        address setter;
        bool offered;
        uint256 amount;
    }

    struct LicenceRecord {
        uint256 modelId;
        uint64 grantedAt;
        bool revoked;
    }

    /// @dev In one slot.
    struct Tally {
        uint64 live;
        bytes24 digest;
    }

    /// @dev The payload's value, abi.encode(TAG, modelId, version, consumer, currency, amount).
    struct Order {
        uint256 modelId;
        string version;
        bytes consumer;
        address currency;
        uint256 amount;
    }

    error NotModelOwner(uint256 modelId, address account);
    error NotHome(uint256 modelId);
    error TooManyPrices(uint256 length);
    error InvalidLedger(bytes ledger);
    error InvalidConsumer(bytes consumer);
    error ConsumerNotBehindClient(bytes consumer, string clientId);
    error InvalidVersion(string version);
    error UnknownVersion(uint256 modelId, bytes32 versionId);
    error VersionIsDeprecated(uint256 modelId, bytes32 versionId);
    /// @dev `current` means nothing when the model is not `offered`.
    error PriceChanged(uint256 modelId, bool offered, uint256 current);
    error AlreadyLicensed(bytes32 licenceId);
    error UnknownLicence(bytes32 licenceId);
    error AlreadyRevoked(bytes32 licenceId);
    error AlreadyPurchased(bytes32 purchaseId);
    error WrongValue(uint256 expected, uint256 actual);
    error PaymentMismatch(address currency, uint256 expected, uint256 received);
    error NothingOwed(address account, address currency);
    error InvalidRecipient(address to);
    error NotPending(bytes32 purchaseId);

    string public constant PORT = "licence";
    string public constant VERSION = "caimi-licence-1";
    uint8 private constant TAG = 2;
    uint256 public constant MAX_PRICES = 32;
    uint80 private constant DEFAULT_RELAY_DEPOSIT = 0.0001 ether;

    ModelRegistry public immutable registry;
    /// @inheritdoc ILicenceMarket
    uint80 public relayDeposit = DEFAULT_RELAY_DEPOSIT;
    mapping(uint256 modelId => mapping(bytes32 ledgerHash => mapping(address currency => Offer))) private _offers;
    mapping(bytes32 licenceId => LicenceRecord) private _licences;
    mapping(uint256 modelId => Tally) private _tallies;
    mapping(bytes32 purchaseId => Purchase) private _purchases;
    mapping(bytes32 purchaseKey => bytes32 purchaseId) private _purchaseOf;
    mapping(address account => mapping(address currency => uint256)) private _owed;
    mapping(address currency => uint256) private _held;

    constructor(IGateway gateway_, ModelRegistry registry_, address authority)
        PacketApp(gateway_, PORT, VERSION)
        AccessManaged(authority)
    {
        registry = registry_;
    }

    modifier onlyHomeOwner(uint256 modelId) {
        _requireHomeOwner(modelId, msg.sender);
        _;
    }

    /// @inheritdoc ILicenceMarket
    function setPrices(uint256 modelId, Price[] calldata prices) external onlyHomeOwner(modelId) {
        require(prices.length <= MAX_PRICES, TooManyPrices(prices.length));
        for (uint256 i = 0; i < prices.length; ++i) {
            Price calldata entry = prices[i];
            require(Interoperable.isLedger(entry.ledger), InvalidLedger(entry.ledger));
            _offers[modelId][keccak256(entry.ledger)][entry.currency] =
                Offer({setter: msg.sender, offered: entry.offered, amount: entry.amount});
        }
        emit PricesSet(modelId, msg.sender, prices);
    }

    /// @inheritdoc ILicenceMarket
    function grant(uint256 modelId, string calldata version, bytes calldata consumer)
        external
        onlyHomeOwner(modelId)
        returns (bytes32 licenceId)
    {
        require(Interoperable.ledgerOf(consumer).length != 0, InvalidConsumer(consumer));
        return _grant(modelId, version, consumer, address(0));
    }

    /// @inheritdoc ILicenceMarket
    function revoke(bytes32 licenceId) external {
        LicenceRecord storage record = _licences[licenceId];
        require(record.grantedAt != 0, UnknownLicence(licenceId));
        _requireHomeOwner(record.modelId, msg.sender);
        require(!record.revoked, AlreadyRevoked(licenceId));
        record.revoked = true;
        _count(record.modelId, licenceId, false);
        emit LicenceRevoked(licenceId);
    }

    /// @inheritdoc ILicenceMarket
    function buy(uint256 modelId, string calldata version, address currency, uint256 amount)
        external
        payable
        nonReentrant
        returns (bytes32 licenceId)
    {
        address seller = _requirePrice(modelId, Interoperable.thisLedger(), currency, amount);
        licenceId = _grant(modelId, version, Interoperable.here(msg.sender), seller);
        _owed[seller][currency] += amount;
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
        uint64 timeoutTimestamp
    ) external payable nonReentrant returns (bytes32 purchaseId) {
        require(ModelNames.isVersion(version), InvalidVersion(version));
        bytes32 versionId = keccak256(bytes(version));
        bytes32 key = _purchaseKey(clientId, modelId, versionId, msg.sender);
        require(_purchaseOf[key] == 0, AlreadyPurchased(_purchaseOf[key]));
        bool counted = _limitPaying(clientId, currency, amount);

        uint80 deposit = relayDeposit;
        _held[currency] += amount;
        _held[address(0)] += deposit;
        _collect(currency, amount, deposit);
        uint64 sequence = _sendPayload(
            clientId,
            timeoutTimestamp,
            PORT,
            VERSION,
            abi.encode(TAG, modelId, version, Interoperable.here(msg.sender), currency, amount)
        );

        purchaseId = _purchaseId(clientId, sequence);
        _purchaseOf[key] = purchaseId;
        _purchases[purchaseId] = Purchase({
            buyer: msg.sender,
            state: PurchaseState.Pending,
            counted: counted,
            deposit: deposit,
            modelId: modelId,
            versionId: versionId,
            currency: currency,
            amount: amount
        });
        emit PurchaseOpened(purchaseId, msg.sender, modelId, version, clientId, sequence, currency, amount);
    }

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
    function refundDead(string calldata clientId, uint64 sequence) external restricted {
        bytes32 purchaseId = _purchaseId(clientId, sequence);
        Purchase storage entry = _purchases[purchaseId];
        require(entry.state == PurchaseState.Pending, NotPending(purchaseId));
        _openForGood(keccak256(bytes(clientId)));
        _owed[entry.buyer][address(0)] += _releaseDeposit(entry);
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
            keccak256(Interoperable.ledgerOf(order.consumer)) == keccak256(ledger),
            ConsumerNotBehindClient(order.consumer, context.destClient)
        );
        address seller = _requirePrice(order.modelId, ledger, order.currency, order.amount);
        bytes32 licenceId = _grant(order.modelId, order.version, order.consumer, seller);
        return abi.encode(TAG, licenceId, abi.encodePacked(seller));
    }

    /// @inheritdoc IIBCApp
    /// @dev Of a purchase that an emergency exit gave back nothing is left to do, whatever the ledger says that woke up.
    ///      Else this credits the seller whom the home ledger names. An acknowledgement that is neither an error nor exactly
    ///      what our own kind answers refunds the buyer: nobody knows whom to pay, holding the money for ever would
    ///      punish a buyer who did nothing wrong, and only the seller's own ledger can have written it, so that the
    ///      loss, a licence given away at worst, falls on the side that caused it.
    function onAcknowledgementPacket(PacketContext calldata context, bytes calldata acknowledgement)
        external
        onlyGateway
    {
        (bytes32 purchaseId, Purchase storage entry, bool pending) = _sent(context);
        if (!pending) return;
        _payRelayer(entry, context.relayer);
        (bool valid, bytes32 licenceId, address payee) = _readAcknowledgement(entry, acknowledgement);
        if (!valid) {
            _refund(context.sourceClient, purchaseId, entry);
            return;
        }
        entry.state = PurchaseState.Completed;
        _limitPaid(context.sourceClient, entry, false);
        _held[entry.currency] -= entry.amount;
        _owed[payee][entry.currency] += entry.amount;
        emit PurchaseCompleted(purchaseId, licenceId, payee);
    }

    /// @inheritdoc IIBCApp
    function onTimeoutPacket(PacketContext calldata context) external onlyGateway {
        (bytes32 purchaseId, Purchase storage entry, bool pending) = _sent(context);
        if (!pending) return;
        _payRelayer(entry, context.relayer);
        _refund(context.sourceClient, purchaseId, entry);
    }

    /// @inheritdoc ILicenceMarket
    function price(uint256 modelId, bytes memory ledger, address currency)
        public
        view
        returns (bool offered, uint256 amount)
    {
        (offered, amount,) = _price(modelId, ledger, currency);
    }

    /// @inheritdoc ILicenceMarket
    function licenceIdOf(uint256 modelId, bytes32 versionId, bytes memory consumer) public pure returns (bytes32) {
        return keccak256(abi.encode(modelId, versionId, keccak256(consumer)));
    }

    /// @inheritdoc ILicenceMarket
    function tally(uint256 modelId) external view returns (uint64 live, bytes24 digest) {
        Tally storage entry = _tallies[modelId];
        return (entry.live, entry.digest);
    }

    /// @inheritdoc ILicenceMarket
    function licence(bytes32 licenceId) external view returns (Licence memory) {
        LicenceRecord storage record = _licences[licenceId];
        return Licence({grantedAt: record.grantedAt, revoked: record.revoked});
    }

    /// @inheritdoc ILicenceMarket
    function purchase(bytes32 purchaseId) external view returns (Purchase memory) {
        return _purchases[purchaseId];
    }

    /// @inheritdoc ILicenceMarket
    function purchaseOf(string calldata clientId, uint256 modelId, bytes32 versionId, address buyer)
        external
        view
        returns (bytes32 purchaseId)
    {
        return _purchaseOf[_purchaseKey(clientId, modelId, versionId, buyer)];
    }

    /// @inheritdoc ILicenceMarket
    function owed(address account, address currency) external view returns (uint256) {
        return _owed[account][currency];
    }

    /// @inheritdoc ILicenceMarket
    function held(address currency) external view returns (uint256) {
        return _held[currency];
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
    function _limitPaid(string calldata clientId, Purchase storage entry, bool refunded) private {
        uint256 paid = entry.counted ? entry.amount : 0;
        bool native = entry.currency == address(0);
        _limitEnded(keccak256(bytes(clientId)), entry.buyer, native ? paid : 0, refunded);
        if (!native) _limitEnded(_lane(clientId, entry.currency), entry.buyer, paid, refunded);
    }

    function _lane(string calldata clientId, address currency) private pure returns (bytes32) {
        return keccak256(bytes.concat(bytes(clientId), "/", bytes(Strings.toHexString(currency))));
    }

    /// @dev Takes exactly `amount`, and `deposit` in the ledger's coin, from the caller, or reverts.
    function _collect(address currency, uint256 amount, uint256 deposit) private {
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

    function _grant(uint256 modelId, string memory version, bytes memory consumer, address payee)
        private
        returns (bytes32 licenceId)
    {
        bytes32 versionId = keccak256(bytes(version));
        Version memory published = registry.getVersion(modelId, versionId);
        require(published.publishedAt != 0, UnknownVersion(modelId, versionId));
        require(!published.deprecated, VersionIsDeprecated(modelId, versionId));
        licenceId = licenceIdOf(modelId, versionId, consumer);
        LicenceRecord storage record = _licences[licenceId];
        require(record.grantedAt == 0 || record.revoked, AlreadyLicensed(licenceId));
        record.modelId = modelId;
        record.grantedAt = uint64(block.timestamp);
        record.revoked = false;
        _count(modelId, licenceId, true);
        emit LicenceGranted(licenceId, modelId, versionId, consumer, payee, version);
    }

    function _count(uint256 modelId, bytes32 licenceId, bool granted) private {
        Tally storage entry = _tallies[modelId];
        entry.live = granted ? entry.live + 1 : entry.live - 1;
        entry.digest = bytes24(keccak256(abi.encodePacked(entry.digest, licenceId, granted)));
    }

    function _refund(string calldata clientId, bytes32 purchaseId, Purchase storage entry) private {
        entry.state = PurchaseState.Refunded;
        delete _purchaseOf[_purchaseKey(clientId, entry.modelId, entry.versionId, entry.buyer)];
        _limitPaid(clientId, entry, true);
        _held[entry.currency] -= entry.amount;
        _owed[entry.buyer][entry.currency] += entry.amount;
        emit PurchaseRefunded(purchaseId, entry.buyer);
    }

    function _payRelayer(Purchase storage entry, address relayer) private {
        _owed[relayer][address(0)] += _releaseDeposit(entry);
    }

    function _releaseDeposit(Purchase storage entry) private returns (uint256 deposit) {
        deposit = entry.deposit;
        _held[address(0)] -= deposit;
    }

    /// @dev The gateway ends a packet once, so that one which is refunded already was so by the emergency exit.
    function _sent(PacketContext calldata context)
        private
        view
        returns (bytes32 purchaseId, Purchase storage entry, bool pending)
    {
        purchaseId = _purchaseId(context.sourceClient, context.sequence);
        entry = _purchases[purchaseId];
        pending = entry.state == PurchaseState.Pending;
        require(
            pending || entry.state == PurchaseState.Refunded,
            UnknownPacket(keccak256(bytes(context.sourceClient)), context.sequence)
        );
    }

    /// @dev Valid only when it is byte for byte what {onRecvPacket} answers for this purchase.
    function _readAcknowledgement(Purchase storage entry, bytes calldata acknowledgement)
        private
        view
        returns (bool valid, bytes32 licenceId, address payee)
    {
        licenceId = licenceIdOf(entry.modelId, entry.versionId, Interoperable.here(entry.buyer));
        // abi.encode(uint8, bytes32, bytes): three words of head, then the length of the payee and the payee.
        if (acknowledgement.length == 160) payee = address(bytes20(acknowledgement[128:148]));
        bytes memory canonical = abi.encode(TAG, licenceId, abi.encodePacked(payee));
        valid = payee != address(0) && keccak256(canonical) == keccak256(acknowledgement);
    }

    function _price(uint256 modelId, bytes memory ledger, address currency)
        private
        view
        returns (bool offered, uint256 amount, address seller)
    {
        Offer storage offer = _offers[modelId][keccak256(ledger)][currency];
        seller = offer.setter;
        offered = offer.offered && registry.ownerOf(modelId) == seller;
        amount = offered ? offer.amount : 0;
    }

    function _requirePrice(uint256 modelId, bytes memory ledger, address currency, uint256 amount)
        private
        view
        returns (address seller)
    {
        bool offered;
        uint256 current;
        (offered, current, seller) = _price(modelId, ledger, currency);
        require(offered && current == amount, PriceChanged(modelId, offered, current));
    }

    function _requireHomeOwner(uint256 modelId, address account) private view {
        require(registry.isHome(modelId), NotHome(modelId));
        require(registry.ownerOf(modelId) == account, NotModelOwner(modelId, account));
    }

    /// @dev Strict: a value has one encoding.
    function _decode(bytes calldata value) private pure returns (Order memory order) {
        uint8 tag;
        (tag, order.modelId, order.version, order.consumer, order.currency, order.amount) =
            abi.decode(value, (uint8, uint256, string, bytes, address, uint256));
        bytes memory canonical =
            abi.encode(TAG, order.modelId, order.version, order.consumer, order.currency, order.amount);
        require(tag == TAG && keccak256(canonical) == keccak256(value), InvalidPayload());
    }

    function _purchaseId(string calldata clientId, uint64 sequence) private pure returns (bytes32) {
        return keccak256(abi.encode(clientId, sequence));
    }

    function _purchaseKey(string calldata clientId, uint256 modelId, bytes32 versionId, address buyer)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(clientId, modelId, versionId, buyer));
    }
}
