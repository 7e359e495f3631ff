// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

/// @notice How much may pass over one route, per direction: token buckets by count and by amount, a cap per packet,
///         and a breaker that the delivery which empties a bucket opens.
/// @dev Invariants:
///      - routes share nothing: no packet of one route changes what another may carry;
///      - what is delivered over a route in any time t is at most capacity + rate * t packets, and at most
///        capacity + rate * t + maxAmount of value: the delivery that empties the bucket is still taken, since a
///        refusal reverts and could not open the breaker;
///      - an open breaker is closed by governance alone, never by time, and that of a dead route by nobody.
///
///      Restricted functions: {openBreaker} (guardians), {closeBreaker} and {setLimits} (governance).
abstract contract RouteLimits is AccessManaged {
    /// @notice Of one direction of a route: what the buckets hold, what a day refills, and the most one packet carries.
    struct Limits {
        uint32 count;
        uint32 countPerDay;
        uint104 maxAmount;
        uint104 amount;
        uint104 amountPerDay;
    }

    /// @dev What is used rather than what is left, so that a bucket never touched is a full one. Times the seconds of
    ///      a day, so that refilling rounds nothing away however often packets come.
    struct Bucket {
        uint64 countUsed;
        uint64 time;
        uint128 amountUsed;
    }

    struct Direction {
        Limits limits;
        Bucket bucket;
        bool configured;
    }

    struct Route {
        bool open;
        bool dead; // open for good
        Direction sending;
        Direction receiving;
    }

    event LimitsSet(string clientId, bool receiving, Limits limits);
    event BreakerOpened(bytes32 indexed clientHash);
    event BreakerClosed(bytes32 indexed clientHash);

    error BreakerOpen(bytes32 clientHash);
    error RouteDead(bytes32 clientHash);
    error RateExceeded(bytes32 clientHash, bool receiving);
    error AmountOverCap(bytes32 clientHash, uint256 amount, uint256 cap);
    error InvalidLimits();

    /// @dev Of a route that governance has set no limits for. Value is not limited there. All that an honest other side
    ///      can have sent in the day that a packet lasts fits into the bucket of what arrives: only one that breaks its
    ///      own limits opens a breaker, and nobody by sending much through it.
    uint32 internal constant DEFAULT_SENT = 1000;
    uint32 internal constant DEFAULT_SENT_PER_DAY = 10_000;
    uint32 internal constant DEFAULT_RECEIVED = 12_000;
    uint32 internal constant DEFAULT_RECEIVED_PER_DAY = 12_000;
    uint256 private constant DAY = 1 days;

    mapping(bytes32 clientHash => Route) private _routes;

    /// @notice Sets what may pass in one direction of a route. What was used stays used.
    function setLimits(string calldata clientId, bool receiving, Limits calldata limits) external restricted {
        require(limits.count != 0 && limits.maxAmount <= limits.amount, InvalidLimits());
        Direction storage direction = _direction(keccak256(bytes(clientId)), receiving);
        // Used under the old rates until now, under the new ones from here.
        (uint256 countUsed, uint256 amountUsed) = _used(direction, _limits(direction, receiving));
        direction.bucket = Bucket(uint64(countUsed), uint64(block.timestamp), uint128(amountUsed));
        direction.limits = limits;
        direction.configured = true;
        emit LimitsSet(clientId, receiving, limits);
    }

    /// @notice Stops a route in both directions. Acknowledgements and timeouts still end what is in flight.
    function openBreaker(string calldata clientId) external restricted {
        _open(keccak256(bytes(clientId)));
    }

    /// @notice Lets a route carry packets again, with full buckets.
    function closeBreaker(string calldata clientId) external restricted {
        bytes32 clientHash = keccak256(bytes(clientId));
        Route storage route = _routes[clientHash];
        require(!route.dead, RouteDead(clientHash));
        route.open = false;
        delete route.sending.bucket;
        delete route.receiving.bucket;
        emit BreakerClosed(clientHash);
    }

    function breakerOpen(string calldata clientId) external view returns (bool) {
        return _routes[keccak256(bytes(clientId))].open;
    }

    /// @notice How many packets, and how much value, a direction may carry now. A delivery may overdraw the value once.
    function available(string calldata clientId, bool receiving) external view returns (uint256 count, uint256 amount) {
        Direction storage direction = _direction(keccak256(bytes(clientId)), receiving);
        Limits memory limits = _limits(direction, receiving);
        (uint256 countUsed, uint256 amountUsed) = _used(direction, limits);
        return (_less(limits.count * DAY, countUsed) / DAY, _less(limits.amount * DAY, amountUsed) / DAY);
    }

    /// @dev Counts a packet that is sent; refused when the bucket does not hold it.
    function _limitSending(bytes32 clientHash, uint256 amount) internal {
        (Limits memory limits, uint256 countUsed, uint256 amountUsed) = _take(clientHash, false, amount);
        require(countUsed <= limits.count * DAY && amountUsed <= limits.amount * DAY, RateExceeded(clientHash, false));
    }

    /// @dev Counts a packet that arrived; the one that empties a bucket opens the route's breaker.
    function _limitReceiving(bytes32 clientHash, uint256 amount) internal {
        (Limits memory limits, uint256 countUsed, uint256 amountUsed) = _take(clientHash, true, amount);
        require(countUsed <= limits.count * DAY && _holds(amount, amountUsed, limits), RateExceeded(clientHash, true));
        bool emptied = amountUsed != 0 && amountUsed >= limits.amount * DAY;
        if (emptied || countUsed + DAY > limits.count * DAY) _open(clientHash);
    }

    function _take(bytes32 clientHash, bool receiving, uint256 amount)
        private
        returns (Limits memory limits, uint256 countUsed, uint256 amountUsed)
    {
        _requireClosed(clientHash);
        Direction storage direction = _direction(clientHash, receiving);
        limits = _limits(direction, receiving);
        (countUsed, amountUsed) = _used(direction, limits);
        countUsed += DAY;
        if (direction.configured) {
            require(amount <= limits.maxAmount, AmountOverCap(clientHash, amount, limits.maxAmount));
            amountUsed += amount * DAY;
        } else {
            amountUsed = 0;
        }
        // What is accepted fits: at most twice the largest amount, times the seconds of a day, is below 2 ** 122.
        direction.bucket =
            Bucket({countUsed: uint64(countUsed), time: uint64(block.timestamp), amountUsed: uint128(amountUsed)});
    }

    /// @dev Whether anything was left before a delivery of `amount`.
    function _holds(uint256 amount, uint256 amountUsed, Limits memory limits) private pure returns (bool) {
        // Nothing used, or nothing to use: exactly zero is meant.
        // slither-disable-next-line incorrect-equality
        return amountUsed == 0 || amount == 0 || amountUsed - amount * DAY < limits.amount * DAY;
    }

    /// @dev What its models were locked for is given back: were it to carry any more, a model could have two holders.
    function _openForGood(bytes32 clientHash) internal {
        if (_routes[clientHash].dead) return;
        _routes[clientHash].dead = true;
        _open(clientHash);
    }

    function _requireClosed(bytes32 clientHash) internal view {
        require(!_routes[clientHash].open, BreakerOpen(clientHash));
    }

    function _open(bytes32 clientHash) private {
        _routes[clientHash].open = true;
        emit BreakerOpened(clientHash);
    }

    /// @dev What of the bucket is used now, after what time has refilled.
    function _used(Direction storage direction, Limits memory limits)
        private
        view
        returns (uint256 countUsed, uint256 amountUsed)
    {
        Bucket memory bucket = direction.bucket;
        uint256 elapsed = block.timestamp - bucket.time;
        countUsed = _less(bucket.countUsed, elapsed * limits.countPerDay);
        amountUsed = _less(bucket.amountUsed, elapsed * limits.amountPerDay);
    }

    function _limits(Direction storage direction, bool receiving) private view returns (Limits memory limits) {
        if (direction.configured) return direction.limits;
        (limits.count, limits.countPerDay) =
            receiving ? (DEFAULT_RECEIVED, DEFAULT_RECEIVED_PER_DAY) : (DEFAULT_SENT, DEFAULT_SENT_PER_DAY);
    }

    function _direction(bytes32 clientHash, bool receiving) private view returns (Direction storage) {
        Route storage route = _routes[clientHash];
        if (receiving) return route.receiving;
        return route.sending;
    }

    function _less(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a - b : 0;
    }
}
