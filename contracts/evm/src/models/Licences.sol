// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ILicenceMarket, Licence} from "../interfaces/ILicenceMarket.sol";
import {Version} from "../interfaces/IModelRegistry.sol";
import {Interoperable} from "./Interoperable.sol";
import {ModelRegistry} from "./ModelRegistry.sol";

/// @notice Licences of versions, on the home ledger of their models: granted, revoked and counted.
/// @dev Invariants:
///      - a licence is granted only by the model's owner, or at the price that the present owner set;
///      - while a model is abroad its licences stand: the bridge owns it here then, and the bridge revokes nothing.
abstract contract Licences is ILicenceMarket {
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

    error NotModelOwner(uint256 modelId, address account);
    error NotHome(uint256 modelId);
    error InvalidConsumer(bytes consumer);
    error UnknownVersion(uint256 modelId, bytes32 versionId);
    error VersionIsDeprecated(uint256 modelId, bytes32 versionId);
    error AlreadyLicensed(bytes32 licenceId);
    error UnknownLicence(bytes32 licenceId);
    error AlreadyRevoked(bytes32 licenceId);

    ModelRegistry public immutable registry;
    mapping(bytes32 licenceId => LicenceRecord) private _licences;
    mapping(uint256 modelId => Tally) private _tallies;

    constructor(ModelRegistry registry_) {
        registry = registry_;
    }

    modifier onlyHomeOwner(uint256 modelId) {
        _requireHomeOwner(modelId, msg.sender);
        _;
    }

    /// @inheritdoc ILicenceMarket
    function grant(uint256 modelId, string calldata version, bytes calldata consumer)
        external
        onlyHomeOwner(modelId)
        returns (bytes32 licenceId)
    {
        require(_ledgerOf(consumer).length != 0, InvalidConsumer(consumer));
        return _grant(modelId, version, consumer, "");
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

    /// @dev `payee` is an interoperable address, empty where nothing is paid.
    function _grant(uint256 modelId, string memory version, bytes memory consumer, bytes memory payee)
        internal
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

    /// @dev As {Interoperable.ledgerOf}, by what {Offers} needs as well: a contract has room for one of them.
    function _ledgerOf(bytes memory account) internal pure returns (bytes memory ledger) {
        // slither-disable-next-line unused-return
        (ledger,,) = Interoperable.parts(account);
    }

    function _count(uint256 modelId, bytes32 licenceId, bool granted) private {
        Tally storage entry = _tallies[modelId];
        entry.live = granted ? entry.live + 1 : entry.live - 1;
        entry.digest = bytes24(keccak256(abi.encodePacked(entry.digest, licenceId, granted)));
    }

    function _requireHomeOwner(uint256 modelId, address account) private view {
        require(registry.isHome(modelId), NotHome(modelId));
        require(registry.ownerOf(modelId) == account, NotModelOwner(modelId, account));
    }
}
