// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {AuthorityUtils} from "@openzeppelin/contracts/access/manager/AuthorityUtils.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {ForeignModel, IModelRegistry, Publication, Statement, Version} from "../interfaces/IModelRegistry.sol";
import {Interoperable} from "./Interoperable.sol";
import {ModelNames} from "./ModelNames.sol";
import {Paths} from "./Paths.sol";
import {PublicationStatements} from "./PublicationStatements.sol";

/// @notice Ownership, versions and aliases of models; the token of a model is the right to publish under its name.
/// @dev Invariants:
///      - a published version keeps its manifest and its time for ever; the lists of versions and of what an alias
///        meant only grow; deprecation is final;
///      - only the present owner adds to a model, and only on the model's home ledger;
///      - a model id commits to its home (ledger, registry), publisher and name, and a token id also to the ledgers that
///        the model came over, so that no other ledger can mint it under another history, and a copy of this registry on
///        a fork with another chain id can send nothing away. The home is a ledger of any kind.
///
///      Restricted functions (for the bridge alone): {mintForeign}, {burnForeign}.
///
///      A signature for {publishFromBatch} has no expiry: it holds while its signer owns the model, and can take
///      effect once. Whoever sells a model and buys it back revives signatures that were never used.
contract ModelRegistry is IModelRegistry, ERC721, AccessManaged {
    struct ModelRecord {
        bytes publisher; // as the home ledger writes the account
        string name;
        bytes home; // empty for a model of this registry
        string[] versions;
    }

    /// @dev Of a foreign model.
    struct Voyage {
        bytes[] path;
        Statement stated;
    }

    struct VersionRecord {
        bytes32 manifest;
        uint64 publishedAt;
        bool deprecated;
        uint32 index;
    }

    struct AliasEntry {
        uint64 time;
        uint32 version;
    }

    struct Batch {
        bytes32 root;
        address anchorer;
        uint64 anchoredAt;
        uint32 count;
    }

    error InvalidName(string name);
    error InvalidVersion(string version);
    error InvalidAlias(string name);
    error ZeroManifest();
    error ReasonTooLong(uint256 length);
    error NotModelOwner(uint256 modelId, address account);
    error UnknownModel(uint256 modelId);
    error ModelIsForeign(uint256 modelId);
    error ModelIsNotForeign(uint256 modelId);
    error VersionExists(uint256 modelId, bytes32 versionId);
    error UnknownVersion(uint256 modelId, bytes32 versionId);
    error VersionIsDeprecated(uint256 modelId, bytes32 versionId);
    error UnknownAlias(uint256 modelId, string name);
    error IndexOutOfBounds(uint256 index, uint256 length);
    error ZeroRoot();
    error EmptyBatch();
    error UnknownBatch(uint256 batchId);
    error NotInBatch(uint256 batchId, uint256 modelId, bytes32 versionId);
    error InvalidSignature(address publisher);
    error InvalidHome(bytes home);
    error InvalidPublisher(bytes publisher);
    error WrongModelId(uint256 modelId);
    error NotBySending(address to, uint256 modelId);

    uint256 private constant MAX_REASON_LENGTH = 256;

    mapping(uint256 modelId => ModelRecord) private _models;
    mapping(uint256 modelId => mapping(bytes32 versionId => VersionRecord)) private _versions;
    mapping(uint256 modelId => mapping(bytes32 aliasId => AliasEntry[])) private _aliases;
    mapping(uint256 tokenId => Voyage) private _voyages;
    mapping(uint256 batchId => Batch) private _batches;
    uint256 private _batchCount;

    constructor(address authority) ERC721("CAIMI Models", "CAIMI") AccessManaged(authority) {}

    /// @dev Most model functions belong to the owner, on the home ledger.
    modifier onlyHomeOwner(uint256 modelId) {
        _requireHomeOwner(modelId, _msgSender());
        _;
    }

    /// @inheritdoc IModelRegistry
    function publish(string calldata name_, string calldata version, bytes32 manifest)
        external
        returns (uint256 modelId)
    {
        modelId = modelIdOf(_msgSender(), name_);
        _publishAs(_msgSender(), modelId, name_, version, manifest);
    }

    /// @inheritdoc IModelRegistry
    function publishVersion(uint256 modelId, string calldata version, bytes32 manifest)
        external
        onlyHomeOwner(modelId)
    {
        _addVersion(modelId, _msgSender(), version, manifest);
    }

    /// @inheritdoc IModelRegistry
    /// @dev Batch ids start at 1.
    function anchorBatch(bytes32 root, uint32 count) external returns (uint256 batchId) {
        require(root != bytes32(0), ZeroRoot());
        require(count != 0, EmptyBatch());
        batchId = ++_batchCount;
        _batches[batchId] =
            Batch({root: root, anchorer: _msgSender(), anchoredAt: uint64(block.timestamp), count: count});
        emit BatchAnchored(batchId, _msgSender(), root, count);
    }

    /// @inheritdoc IModelRegistry
    /// @dev Open to anyone: the proof and the signature say all. A replay finds the version published and reverts.
    function publishFromBatch(
        uint256 batchId,
        Publication calldata publication,
        bytes32[] calldata proof,
        bytes calldata signature
    ) external returns (uint256 modelId) {
        address publisher = publication.publisher;
        modelId = modelIdOf(publisher, publication.name);
        require(
            _isAnchored(batchId, modelId, publication, proof),
            NotInBatch(batchId, modelId, keccak256(bytes(publication.version)))
        );
        bytes32 digest =
            PublicationStatements.digest(modelId, publication.name, publication.version, publication.manifest);
        require(
            SignatureChecker.isValidSignatureNowCalldata(publisher, digest, signature), InvalidSignature(publisher)
        );
        _publishAs(publisher, modelId, publication.name, publication.version, publication.manifest);
    }

    /// @inheritdoc IModelRegistry
    function setAlias(uint256 modelId, string calldata name_, string calldata version) external onlyHomeOwner(modelId) {
        require(ModelNames.isAlias(name_), InvalidAlias(name_));
        VersionRecord storage record = _requireVersion(modelId, keccak256(bytes(version)));
        require(!record.deprecated, VersionIsDeprecated(modelId, keccak256(bytes(version))));
        bytes32 aliasId = keccak256(bytes(name_));
        _aliases[modelId][aliasId].push(AliasEntry({time: uint64(block.timestamp), version: record.index}));
        emit AliasSet(modelId, aliasId, name_, version);
    }

    /// @inheritdoc IModelRegistry
    /// @dev Aliases that mean this version keep meaning it until they are set anew.
    function deprecate(uint256 modelId, string calldata version, string calldata reason)
        external
        onlyHomeOwner(modelId)
    {
        require(bytes(reason).length <= MAX_REASON_LENGTH, ReasonTooLong(bytes(reason).length));
        bytes32 versionId = keccak256(bytes(version));
        VersionRecord storage record = _requireVersion(modelId, versionId);
        require(!record.deprecated, VersionIsDeprecated(modelId, versionId));
        record.deprecated = true;
        emit VersionDeprecated(modelId, versionId, version, reason);
    }

    /// @inheritdoc IModelRegistry
    /// @dev Which ledgers make a path is for the bridge to say.
    function mintForeign(uint256 tokenId, address to, ForeignModel calldata foreignModel) external restricted {
        bytes calldata home = foreignModel.home;
        string calldata name_ = foreignModel.name;
        require(ModelNames.isName(name_), InvalidName(name_));
        bytes memory ledger = Interoperable.ledgerOf(home);
        require(
            ledger.length != 0 && keccak256(ledger) != keccak256(Interoperable.thisLedger()), InvalidHome(home)
        );
        bytes calldata publisher = foreignModel.publisher;
        require(ModelNames.isPublisher(ledger, publisher), InvalidPublisher(publisher));
        uint256 modelId = ModelNames.modelId(home, publisher, name_);
        require(tokenId == Paths.tokenId(modelId, foreignModel.path), WrongModelId(tokenId));
        Statement calldata stated = foreignModel.stated;
        require(ModelNames.isVersion(stated.version), InvalidVersion(stated.version));
        require(stated.manifest != bytes32(0), ZeroManifest());

        ModelRecord storage record = _models[tokenId];
        if (record.home.length == 0) {
            record.publisher = publisher;
            record.name = name_;
            record.home = home;
            _voyages[tokenId].path = foreignModel.path;
        }
        _voyages[tokenId].stated = stated;
        _mint(to, tokenId);
        emit ForeignModelMinted(tokenId, home, to);
    }

    /// @inheritdoc IModelRegistry
    /// @dev The caller must hold the token. What is known of the model stays, so that it can come again.
    function burnForeign(uint256 modelId) external restricted {
        require(!isHome(modelId), ModelIsNotForeign(modelId));
        require(_ownerOf(modelId) == _msgSender(), NotModelOwner(modelId, _msgSender()));
        _burn(modelId);
        emit ForeignModelBurned(modelId);
    }

    /// @notice As ERC-721 says, but not to this registry, nor to the bridge unless the bridge itself takes the token.
    /// @dev Neither could ever give it back: the bridge takes models by {IModelBridge-send}, which notes who sent them.
    function transferFrom(address from, address to, uint256 modelId) public override {
        require(to != address(this) && (to == _msgSender() || !_isBridge(to)), NotBySending(to, modelId));
        super.transferFrom(from, to, modelId);
    }

    /// @inheritdoc IModelRegistry
    function modelIdOf(address publisher, string calldata name_) public view returns (uint256) {
        return ModelNames.modelId(Interoperable.here(address(this)), abi.encodePacked(publisher), name_);
    }

    /// @notice Whether this registry is the model's home: where versions are published and prices set.
    function isHome(uint256 modelId) public view returns (bool) {
        ModelRecord storage record = _requireModel(modelId);
        return record.home.length == 0;
    }

    /// @inheritdoc IModelRegistry
    function batch(uint256 batchId)
        external
        view
        returns (bytes32 root, uint64 anchoredAt, uint32 count, address anchorer)
    {
        Batch storage entry = _batches[batchId];
        require(entry.root != bytes32(0), UnknownBatch(batchId));
        return (entry.root, entry.anchoredAt, entry.count, entry.anchorer);
    }

    /// @inheritdoc IModelRegistry
    function isAnchored(uint256 batchId, Publication calldata publication, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        return _isAnchored(batchId, modelIdOf(publication.publisher, publication.name), publication, proof);
    }

    /// @inheritdoc IModelRegistry
    /// @dev Also answers for a foreign model that has left again.
    function model(uint256 modelId)
        external
        view
        returns (bytes memory publisher, string memory name_, bytes memory home, uint256 versionCount)
    {
        ModelRecord storage record = _requireModel(modelId);
        home = record.home.length == 0 ? Interoperable.here(address(this)) : record.home;
        return (record.publisher, record.name, home, record.versions.length);
    }

    /// @inheritdoc IModelRegistry
    function foreign(uint256 tokenId) external view returns (ForeignModel memory) {
        require(!isHome(tokenId), ModelIsNotForeign(tokenId));
        ModelRecord storage record = _models[tokenId];
        Voyage storage voyage = _voyages[tokenId];
        return ForeignModel({
            home: record.home,
            publisher: record.publisher,
            name: record.name,
            path: voyage.path,
            stated: voyage.stated
        });
    }

    /// @inheritdoc IModelRegistry
    function versionAt(uint256 modelId, uint256 index) external view returns (string memory) {
        string[] storage versions = _requireModel(modelId).versions;
        require(index < versions.length, IndexOutOfBounds(index, versions.length));
        return versions[index];
    }

    /// @inheritdoc IModelRegistry
    /// @dev All zero when the version is unknown.
    function getVersion(uint256 modelId, bytes32 versionId) external view returns (Version memory) {
        VersionRecord storage record = _versions[modelId][versionId];
        return Version({manifest: record.manifest, publishedAt: record.publishedAt, deprecated: record.deprecated});
    }

    /// @inheritdoc IModelRegistry
    function getAlias(uint256 modelId, string calldata name_) external view returns (string memory version) {
        AliasEntry[] storage entries = _aliases[modelId][keccak256(bytes(name_))];
        require(entries.length != 0, UnknownAlias(modelId, name_));
        return _models[modelId].versions[entries[entries.length - 1].version];
    }

    /// @inheritdoc IModelRegistry
    function aliasHistoryLength(uint256 modelId, string calldata name_) external view returns (uint256) {
        return _aliases[modelId][keccak256(bytes(name_))].length;
    }

    /// @inheritdoc IModelRegistry
    function aliasHistoryAt(uint256 modelId, string calldata name_, uint256 index)
        external
        view
        returns (string memory version, uint64 time)
    {
        AliasEntry[] storage entries = _aliases[modelId][keccak256(bytes(name_))];
        require(index < entries.length, IndexOutOfBounds(index, entries.length));
        return (_models[modelId].versions[entries[index].version], entries[index].time);
    }

    /// @notice The model's URI, `caimi:eip155:<home chain id>:0x<model id, 64 digits>`, or, with a home on a ledger of
    ///         another kind, `caimi:0x<ERC-7930 ledger>:0x<model id>`; after it, for a model that came over other
    ///         ledgers, `?via=0x<ERC-7930 ledger>` for each, so that it reads as nothing but what it is.
    function tokenURI(uint256 tokenId) public view override returns (string memory uri) {
        _requireOwned(tokenId);
        bytes memory home = Interoperable.here(address(this));
        uint256 modelId = tokenId;
        ModelRecord storage record = _models[tokenId];
        bytes[] storage path = _voyages[tokenId].path;
        if (record.home.length != 0) {
            home = record.home;
            modelId = ModelNames.modelId(home, record.publisher, record.name);
        }
        uri = string.concat("caimi:", _ledgerText(home), ":", Strings.toHexString(modelId, 32));
        for (uint256 i = 0; i < path.length; ++i) {
            uri = string.concat(uri, i == 0 ? "?via=" : "&via=", Strings.toHexString(path[i]));
        }
    }

    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IModelRegistry).interfaceId || super.supportsInterface(interfaceId);
    }

    /// @dev `modelId` is the one that follows from `publisher` and `name_`.
    function _publishAs(
        address publisher,
        uint256 modelId,
        string calldata name_,
        string calldata version,
        bytes32 manifest
    ) private {
        ModelRecord storage record = _models[modelId];
        if (record.publisher.length == 0) {
            require(ModelNames.isName(name_), InvalidName(name_));
            record.publisher = abi.encodePacked(publisher);
            record.name = name_;
            _mint(publisher, modelId);
            emit ModelRegistered(modelId, publisher, name_);
        } else {
            require(_ownerOf(modelId) == publisher, NotModelOwner(modelId, publisher));
        }
        _addVersion(modelId, publisher, version, manifest);
    }

    function _addVersion(uint256 modelId, address publisher, string calldata version, bytes32 manifest) private {
        require(ModelNames.isVersion(version), InvalidVersion(version));
        require(manifest != bytes32(0), ZeroManifest());
        bytes32 versionId = keccak256(bytes(version));
        VersionRecord storage record = _versions[modelId][versionId];
        require(record.publishedAt == 0, VersionExists(modelId, versionId));

        string[] storage versions = _models[modelId].versions;
        record.manifest = manifest;
        record.publishedAt = uint64(block.timestamp);
        record.index = uint32(versions.length);
        versions.push(version);
        emit VersionPublished(modelId, versionId, publisher, version, manifest);
    }

    function _isAnchored(uint256 batchId, uint256 modelId, Publication calldata publication, bytes32[] calldata proof)
        private
        view
        returns (bool)
    {
        bytes32 root = _batches[batchId].root;
        bytes32 leaf = keccak256(
            bytes.concat(
                keccak256(
                    abi.encode(
                        Interoperable.here(publication.publisher),
                        modelId,
                        keccak256(bytes(publication.version)),
                        publication.manifest
                    )
                )
            )
        );
        return root != bytes32(0) && MerkleProof.verifyCalldata(proof, root, leaf);
    }

    /// @dev The ledger of an account: CAIP-2 where a chain's number says all, else its ERC-7930 bytes, since which
    ///      names other kinds go by is not for this contract to say.
    function _ledgerText(bytes memory account) private pure returns (string memory) {
        // Which account it is does not matter here.
        // slither-disable-next-line unused-return
        (bool evm, uint256 chainId,) = Interoperable.evmAccount(account);
        if (evm) return string.concat("eip155:", Strings.toString(chainId));
        return Strings.toHexString(Interoperable.ledgerOf(account));
    }

    function _requireModel(uint256 modelId) private view returns (ModelRecord storage record) {
        record = _models[modelId];
        require(record.publisher.length != 0, UnknownModel(modelId));
    }

    function _requireVersion(uint256 modelId, bytes32 versionId) private view returns (VersionRecord storage record) {
        record = _versions[modelId][versionId];
        require(record.publishedAt != 0, UnknownVersion(modelId, versionId));
    }

    /// @dev Whoever may burn foreign models is the bridge.
    function _isBridge(address account) private view returns (bool) {
        if (account.code.length == 0) return false;
        (bool immediate, uint32 delay) =
            AuthorityUtils.canCallWithDelay(authority(), account, address(this), this.burnForeign.selector);
        return immediate || delay != 0;
    }

    function _requireHomeOwner(uint256 modelId, address account) private view {
        require(isHome(modelId), ModelIsForeign(modelId));
        require(_ownerOf(modelId) == account, NotModelOwner(modelId, account));
    }
}
