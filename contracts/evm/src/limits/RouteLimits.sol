// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

/// @notice How much may pass over one route, per direction: token buckets by count and by amount, a cap per packet,
///         a share of what is sent for each account, and a breaker that the delivery which empties a bucket opens.
/// @dev Invariants:
///      - routes share nothing: no packet of one route changes what another may carry;
///      - what is in flight takes its place until it ends; what was refunded gives it back whole, and what was not
///        gives it back as time refills the bucket. So of what was sent over a route in any time t, at most
///        capacity + rate * t was delivered, and a packet that does not take effect costs nobody else anything;
///      - no account uses more than one part in SHARES of what may be sent, or one packet of the largest amount where
///        that is more: who would close a route for others needs SHARES accounts, and what each packet costs;
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
    struct Used {
        uint32 flying; // packets that were sent and have not ended, each one
        uint56 count;
        uint40 time;
        uint128 amount;
    }

    struct Bucket {
        Used used;
        uint128 amountFlying;
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
    error ShareExceeded(bytes32 clientHash, address account);
    error AmountOverCap(bytes32 clientHash, uint256 amount, uint256 cap);
    error InvalidLimits();

    /// @dev Of a route that governance has set no limits for. Value is not limited there. All that an honest other side
    ///      can have sent in the day that a packet lasts fits into the bucket of what arrives: only one that breaks its
    ///      own limits opens a breaker, and nobody by sending much through it.
    uint32 internal constant DEFAULT_SENT = 1000;
    uint32 internal constant DEFAULT_SENT_PER_DAY = 10_000;
    uint32 internal constant DEFAULT_RECEIVED = 12_000;
    uint32 internal constant DEFAULT_RECEIVED_PER_DAY = 12_000;
    /// @dev Of what may be sent over a route, one account uses one part in so many.
    uint256 private constant SHARES = 20;
    uint256 private constant DAY = 1 days;

    mapping(bytes32 clientHash => Route) private _routes;
    /// @dev As large as the route's, but each packet weighs as many times more as there are shares.
    mapping(bytes32 clientHash => mapping(address account => Bucket)) private _shares;

    /// @notice Sets what may pass in one direction of a route. What was used stays used.
    function setLimits(string calldata clientId, bool receiving, Limits calldata limits) external restricted {
        require(limits.count != 0 && limits.maxAmount <= limits.amount, InvalidLimits());
        Direction storage direction = _direction(keccak256(bytes(clientId)), receiving);
        // Used under the old rates until now, under the new ones from here.
        Bucket storage bucket = direction.bucket;
        (uint256 countUsed, uint256 amountUsed) = _used(bucket, _limits(direction, receiving));
        _write(bucket, bucket.used.flying, countUsed, amountUsed);
        direction.limits = limits;
        direction.configured = true;
        emit LimitsSet(clientId, receiving, limits);
    }

    /// @notice Stops a route in both directions. Acknowledgements and timeouts still end what is in flight.
    function openBreaker(string calldata clientId) external restricted {
        _open(keccak256(bytes(clientId)));
    }

    /// @notice Lets a route carry packets again, with full buckets but for what is in flight and for the accounts' shares.
    function closeBreaker(string calldata clientId) external restricted {
        bytes32 clientHash = keccak256(bytes(clientId));
        Route storage route = _routes[clientHash];
        require(!route.dead, RouteDead(clientHash));
        route.open = false;
        _write(route.sending.bucket, route.sending.bucket.used.flying, 0, 0);
        _write(route.receiving.bucket, 0, 0, 0);
        emit BreakerClosed(clientHash);
    }

    function breakerOpen(string calldata clientId) external view returns (bool) {
        return _routes[keccak256(bytes(clientId))].open;
    }

    /// @notice How many packets, and how much value, a direction may carry now. A delivery may overdraw the value once.
    function available(string calldata clientId, bool receiving) external view returns (uint256 count, uint256 amount) {
        Direction storage direction = _direction(keccak256(bytes(clientId)), receiving);
        Limits memory limits = _limits(direction, receiving);
        Bucket storage bucket = direction.bucket;
        (uint256 countUsed, uint256 amountUsed) = _used(bucket, limits);
        // What is used and in flight of a bucket is below 2 ** 128.
        unchecked {
            countUsed += bucket.used.flying * DAY;
            amountUsed += bucket.amountFlying * DAY;
            return (_less(limits.count * DAY, countUsed) / DAY, _less(limits.amount * DAY, amountUsed) / DAY);
        }
    }

    /// @dev Counts a packet that `account` sends; refused when the route's bucket or the account's share does not hold it.
    /// @return counted what {_limitEnded} must be told: `amount`, or zero where value is not limited
    function _limitSending(bytes32 clientHash, address account, uint256 amount) internal returns (uint256 counted) {
        _requireClosed(clientHash);
        Direction storage sending = _routes[clientHash].sending;
        Limits memory limits = _limits(sending, false);
        if (sending.configured) {
            require(amount <= limits.maxAmount, AmountOverCap(clientHash, amount, limits.maxAmount));
            counted = amount;
        }
        require(_fly(sending.bucket, limits, 1, 1, counted), RateExceeded(clientHash, false));
        (uint256 countWeight, uint256 amountWeight) = _weights(limits);
        require(
            _fly(_shares[clientHash][account], limits, countWeight, amountWeight, counted),
            ShareExceeded(clientHash, account)
        );
    }

    /// @dev A packet that {_limitSending} counted has ended. What it used is given back at once if it was `refunded`.
    function _limitEnded(bytes32 clientHash, address account, uint256 counted, bool refunded) internal {
        Direction storage sending = _routes[clientHash].sending;
        Limits memory limits = _limits(sending, false);
        _land(sending.bucket, limits, 1, 1, counted, refunded);
        (uint256 countWeight, uint256 amountWeight) = _weights(limits);
        _land(_shares[clientHash][account], limits, countWeight, amountWeight, counted, refunded);
    }

    /// @dev Counts a packet that arrived; the one that empties a bucket opens the route's breaker.
    function _limitReceiving(bytes32 clientHash, uint256 amount) internal {
        _requireClosed(clientHash);
        Direction storage receiving = _routes[clientHash].receiving;
        Limits memory limits = _limits(receiving, true);
        (uint256 countUsed, uint256 amountUsed) = _used(receiving.bucket, limits);
        countUsed += DAY;
        if (receiving.configured) {
            require(amount <= limits.maxAmount, AmountOverCap(clientHash, amount, limits.maxAmount));
            amountUsed += amount * DAY;
        } else {
            amountUsed = 0;
        }
        // What is accepted fits: at most twice the largest amount, times the seconds of a day, is below 2 ** 122.
        _write(receiving.bucket, 0, countUsed, amountUsed);
        require(countUsed <= limits.count * DAY && _holds(amount, amountUsed, limits), RateExceeded(clientHash, true));
        bool emptied = amountUsed != 0 && amountUsed >= limits.amount * DAY;
        if (emptied || countUsed + DAY > limits.count * DAY) _open(clientHash);
    }

    /// @dev One more packet in flight. Limits are below 2 ** 104, and so is what fits, however it is weighed.
    function _fly(Bucket storage bucket, Limits memory limits, uint256 countWeight, uint256 amountWeight, uint256 amount)
        private
        returns (bool fits)
    {
        (uint256 countUsed, uint256 amountUsed) = _used(bucket, limits);
        unchecked {
            uint256 flying = uint256(bucket.used.flying) + 1;
            fits = flying * countWeight * DAY + countUsed <= limits.count * DAY;
            _write(bucket, flying, countUsed, amountUsed);
            if (amount == 0) return fits;
            flying = bucket.amountFlying + amount;
            bucket.amountFlying = uint128(flying);
            return fits && flying * amountWeight * DAY + amountUsed <= limits.amount * DAY;
        }
    }

    /// @dev One packet less in flight: it was counted, so that there is one.
    function _land(
        Bucket storage bucket,
        Limits memory limits,
        uint256 countWeight,
        uint256 amountWeight,
        uint256 amount,
        bool refunded
    ) private {
        (uint256 countUsed, uint256 amountUsed) = _used(bucket, limits);
        unchecked {
            if (amount != 0) bucket.amountFlying -= uint128(amount);
            if (!refunded) {
                countUsed += countWeight * DAY;
                amountUsed += amount * amountWeight * DAY;
            }
            _write(bucket, bucket.used.flying - 1, countUsed, amountUsed);
        }
    }

    function _write(Bucket storage bucket, uint256 flying, uint256 countUsed, uint256 amountUsed) private {
        bucket.used = Used(uint32(flying), uint56(countUsed), uint40(block.timestamp), uint128(amountUsed));
    }

    /// @dev How many times more a packet weighs in an account's share than in the route's bucket: SHARES, or as many as
    ///      leave room for one packet, and for one of the largest amount.
    function _weights(Limits memory limits) private pure returns (uint256 countWeight, uint256 amountWeight) {
        countWeight = limits.count < SHARES ? limits.count : SHARES;
        amountWeight = limits.maxAmount == 0 ? SHARES : limits.amount / limits.maxAmount;
        if (amountWeight > SHARES) amountWeight = SHARES;
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

    /// @dev What of the bucket is used now beside what is in flight, after what time has refilled.
    function _used(Bucket storage bucket, Limits memory limits)
        private
        view
        returns (uint256 countUsed, uint256 amountUsed)
    {
        Used storage used = bucket.used;
        // Seconds times a rate below 2 ** 104.
        unchecked {
            uint256 elapsed = block.timestamp - used.time;
            countUsed = _less(used.count, elapsed * limits.countPerDay);
            amountUsed = _less(used.amount, elapsed * limits.amountPerDay);
        }
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
