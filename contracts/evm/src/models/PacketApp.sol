// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IIBCApp} from "../interfaces/IIBCApp.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {Payload} from "../interfaces/IBCTypes.sol";

/// @notice An application that speaks one version of one protocol, in ABI tuples, with its own kind on other ledgers.
/// @dev The callbacks carry no re-entrancy lock on purpose: anyone may make the gateway deliver, so whoever holds the
///      lock (by way of a token that calls back) could turn other people's packets into error acknowledgements. They
///      are safe because they call nothing that hands control away.
abstract contract PacketApp is IIBCApp {
    error OnlyGateway(address caller);
    error UnexpectedPort(string port);
    error UnexpectedVersion(string version);
    error UnexpectedEncoding(string encoding);
    error PayloadTooLarge(uint256 length);
    error InvalidPayload();
    error UnknownPacket(bytes32 clientHash, uint64 sequence);

    string internal constant ENCODING = "application/x-solidity-abi";
    uint256 internal constant MAX_VALUE_LENGTH = 2048;
    bytes32 private constant ENCODING_HASH = keccak256("application/x-solidity-abi");

    IGateway public immutable gateway;
    bytes32 private immutable _portHash;
    bytes32 private immutable _versionHash;

    constructor(IGateway gateway_, string memory port, string memory version) {
        gateway = gateway_;
        _portHash = keccak256(bytes(port));
        _versionHash = keccak256(bytes(version));
    }

    modifier onlyGateway() {
        require(msg.sender == address(gateway), OnlyGateway(msg.sender));
        _;
    }

    /// @dev Everything around the value of a received payload must be as our own kind sends it.
    function _checkEnvelope(Payload calldata payload) internal view {
        require(keccak256(bytes(payload.sourcePort)) == _portHash, UnexpectedPort(payload.sourcePort));
        require(keccak256(bytes(payload.version)) == _versionHash, UnexpectedVersion(payload.version));
        require(keccak256(bytes(payload.encoding)) == ENCODING_HASH, UnexpectedEncoding(payload.encoding));
        require(payload.value.length <= MAX_VALUE_LENGTH, PayloadTooLarge(payload.value.length));
    }

    /// @dev The ledger behind one of the gateway's clients.
    function _ledgerBehind(string calldata clientId) internal view returns (bytes memory ledger) {
        // Which light client and counterparty it is does not matter here.
        // slither-disable-next-line unused-return
        (,, ledger) = gateway.getClient(clientId);
    }

    function _sendPayload(
        string calldata clientId,
        uint64 timeoutTimestamp,
        string memory port,
        string memory version,
        bytes memory value
    ) internal returns (uint64 sequence) {
        require(value.length <= MAX_VALUE_LENGTH, PayloadTooLarge(value.length));
        Payload[] memory payloads = new Payload[](1);
        payloads[0] = Payload({sourcePort: port, destPort: port, version: version, encoding: ENCODING, value: value});
        return gateway.sendPacket(clientId, timeoutTimestamp, payloads);
    }
}
