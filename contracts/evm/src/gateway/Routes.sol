// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {Interoperable} from "../models/Interoperable.sol";
import {ICS24} from "./ICS24.sol";

/// @notice The ways of a gateway to other ledgers, each with its light client.
/// @dev Invariants:
///      - a route names its counterparty once, and its ledger for ever;
///      - a pause stops sending and receiving on one route, never the end of a packet that was sent;
///      - what a client proved while it was the route's counts for MAX_TIMEOUT after another took its place, so that
///        no packet in flight is stranded.
///
///      Restricted functions: {addClient}, {setCounterparty}, {recoverClient}, {migrateClient}, {unpauseRoute} and, for
///      guardians, {pauseRoute}.
abstract contract Routes is IGateway, AccessManaged {
    /// @dev What sending reads and writes, in one slot.
    struct Head {
        uint64 nextSequenceSend; // 0 when there is no such route
        bool paused;
        bool migrated; // `previous` is set
        uint8 length; // of the counterparty's id, 0 until it is set
        bytes21 counterparty; // what fits of it
    }

    /// @dev One way to one other ledger.
    struct Route {
        Head head;
        ILightClient client;
        string counterparty; // when it is longer than the head's part
        bytes ledger;
        ILightClient previous;
        uint64 previousUntil; // seconds
    }

    error UnknownClient(string clientId);
    error NoCounterparty(string clientId);
    error CounterpartyAlreadySet(string clientId);
    error InvalidClientId(string clientId);
    error RoutePaused(string clientId);
    error RouteNotPaused(string clientId);
    error ClientNotFrozen(string clientId);
    error InvalidLightClient(address client);
    error InvalidLedger(bytes ledger);

    uint64 public constant MAX_TIMEOUT = 24 hours;
    uint256 private constant SHORT_ID_LENGTH = 21;
    // Where the members of a {Head} begin in its word; the sequence is first.
    uint256 private constant PAUSED_BITS = 64;
    uint256 private constant MIGRATED_BITS = 72;
    uint256 private constant LENGTH_BITS = 80;
    uint256 private constant COUNTERPARTY_BITS = 88;

    mapping(bytes32 clientHash => Route) private _routes;
    mapping(bytes32 ledgerHash => string clientId) private _defaultClients;
    uint256 private _routeCount;

    /// @inheritdoc IGateway
    function addClient(ILightClient client, bytes calldata counterpartyLedger)
        external
        restricted
        returns (string memory clientId)
    {
        require(address(client).code.length > 0, InvalidLightClient(address(client)));
        require(Interoperable.isLedger(counterpartyLedger), InvalidLedger(counterpartyLedger));
        clientId = string.concat("caimi-", Strings.toString(block.chainid), "-", Strings.toString(_routeCount++));
        Route storage route = _routes[keccak256(bytes(clientId))];
        route.client = client;
        route.head.nextSequenceSend = 1;
        route.ledger = counterpartyLedger;
        bytes32 ledgerHash = keccak256(counterpartyLedger);
        if (bytes(_defaultClients[ledgerHash]).length == 0) _defaultClients[ledgerHash] = clientId;
        emit ClientAdded(clientId, address(client), counterpartyLedger);
    }

    /// @inheritdoc IGateway
    function setCounterparty(string calldata clientId, string calldata counterpartyClientId) external restricted {
        Route storage route = _existing(clientId);
        require(route.head.length == 0, CounterpartyAlreadySet(clientId));
        require(ICS24.isClientId(counterpartyClientId), InvalidClientId(counterpartyClientId));
        bytes calldata id = bytes(counterpartyClientId);
        route.head.length = uint8(id.length);
        if (id.length <= SHORT_ID_LENGTH) route.head.counterparty = bytes21(id);
        else route.counterparty = counterpartyClientId;
        emit CounterpartySet(clientId, counterpartyClientId);
    }

    /// @inheritdoc IGateway
    function recoverClient(string calldata clientId, ILightClient substitute) external restricted {
        Route storage route = _existing(clientId);
        require(route.client.frozen(), ClientNotFrozen(clientId));
        require(
            address(substitute).code.length > 0 && !substitute.frozen(), InvalidLightClient(address(substitute))
        );
        route.client = substitute;
        emit ClientRecovered(clientId, address(substitute));
    }

    /// @inheritdoc IGateway
    function migrateClient(string calldata clientId, ILightClient client) external restricted {
        Route storage route = _existing(clientId);
        require(address(client).code.length > 0 && !client.frozen(), InvalidLightClient(address(client)));
        route.previous = route.client;
        route.previousUntil = uint64(block.timestamp) + MAX_TIMEOUT;
        route.head.migrated = true;
        route.client = client;
        emit ClientMigrated(clientId, address(client), route.previousUntil);
    }

    /// @inheritdoc IGateway
    function pauseRoute(string calldata clientId) external restricted {
        _pause(clientId);
    }

    /// @inheritdoc IGateway
    function pauseFrozenRoute(string calldata clientId) external {
        require(_existing(clientId).client.frozen(), ClientNotFrozen(clientId));
        _pause(clientId);
    }

    function _pause(string calldata clientId) private {
        Route storage route = _existing(clientId);
        require(!route.head.paused, RoutePaused(clientId));
        route.head.paused = true;
        emit RoutePauseChanged(clientId, true);
    }

    /// @inheritdoc IGateway
    function unpauseRoute(string calldata clientId) external restricted {
        Route storage route = _existing(clientId);
        require(route.head.paused, RouteNotPaused(clientId));
        route.head.paused = false;
        emit RoutePauseChanged(clientId, false);
    }

    /// @inheritdoc IGateway
    function nextSequenceSend(string calldata clientId) external view returns (uint64) {
        return _existing(clientId).head.nextSequenceSend;
    }

    /// @inheritdoc IGateway
    function routePaused(string calldata clientId) external view returns (bool) {
        return _existing(clientId).head.paused;
    }

    /// @inheritdoc IGateway
    function getClient(string calldata clientId)
        external
        view
        returns (ILightClient client, string memory counterpartyClientId, bytes memory counterpartyLedger)
    {
        Route storage route = _existing(clientId);
        return (route.client, _counterparty(route, _word(route)), route.ledger);
    }

    /// @inheritdoc IGateway
    function defaultClient(bytes calldata counterpartyLedger) external view returns (string memory clientId) {
        return _defaultClients[keccak256(counterpartyLedger)];
    }

    function _existing(string calldata clientId) private view returns (Route storage route) {
        route = _routes[keccak256(bytes(clientId))];
        require(route.head.nextSequenceSend != 0, UnknownClient(clientId));
    }

    function _route(string memory clientId)
        internal
        view
        returns (Route storage route, bytes32 clientHash, string memory counterparty, uint256 head)
    {
        clientHash = keccak256(bytes(clientId));
        route = _routes[clientHash];
        head = _word(route);
        require(head != 0, UnknownClient(clientId));
        require(uint8(head >> LENGTH_BITS) != 0, NoCounterparty(clientId));
        counterparty = _counterparty(route, head);
    }

    /// @dev The route's {Head} in one read.
    function _word(Route storage route) private view returns (uint256 head) {
        assembly ("memory-safe") {
            head := sload(route.slot)
        }
    }

    function _setWord(Route storage route, uint256 head) internal {
        assembly ("memory-safe") {
            sstore(route.slot, head)
        }
    }

    function _counterparty(Route storage route, uint256 head) private view returns (string memory id) {
        uint256 length = uint8(head >> LENGTH_BITS);
        if (length > SHORT_ID_LENGTH) return route.counterparty;
        uint256 content = head >> COUNTERPARTY_BITS << COUNTERPARTY_BITS;
        assembly ("memory-safe") {
            id := mload(0x40)
            mstore(id, length)
            mstore(add(id, 0x20), content)
            mstore(0x40, add(id, 0x40))
        }
    }

    function _openRoute(string memory clientId)
        internal
        view
        returns (Route storage route, bytes32 clientHash, string memory counterparty, uint256 head)
    {
        (route, clientHash, counterparty, head) = _route(clientId);
        require(uint8(head >> PAUSED_BITS) == 0, RoutePaused(clientId));
    }

    /// @dev What the route's client proves; for some time after a migration, also what the one before it does.
    function _verifyMembership(
        Route storage route,
        uint256 head,
        bytes32[] memory keys,
        bytes32[] memory values,
        bytes calldata proof
    ) internal view returns (uint64 height) {
        // The time is of no use here.
        // slither-disable-start unused-return
        if (!_hasPrevious(route, head)) {
            (height,) = route.client.verifyMembership(keys, values, proof);
        } else {
            try route.client.verifyMembership(keys, values, proof) returns (uint64 height_, uint64) {
                height = height_;
            } catch {
                (height,) = route.previous.verifyMembership(keys, values, proof);
            }
        }
        // slither-disable-end unused-return
    }

    /// @dev As {_verifyMembership}.
    function _verifyAbsence(Route storage route, uint256 head, bytes32[] memory keys, bytes calldata proof)
        internal
        view
        returns (uint64 time)
    {
        // The height says no more than its time does.
        // slither-disable-start unused-return
        if (!_hasPrevious(route, head)) {
            (, time) = route.client.verifyAbsence(keys, proof);
        } else {
            try route.client.verifyAbsence(keys, proof) returns (uint64, uint64 time_) {
                time = time_;
            } catch {
                (, time) = route.previous.verifyAbsence(keys, proof);
            }
        }
        // slither-disable-end unused-return
    }

    function _hasPrevious(Route storage route, uint256 head) private view returns (bool) {
        return uint8(head >> MIGRATED_BITS) != 0 && block.timestamp < route.previousUntil;
    }
}
