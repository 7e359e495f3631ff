// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @notice One version of one model, as published here. `modelId` follows from (registry, publisher, name).
struct Publication {
    address publisher;
    string name;
    string version;
    bytes32 manifest; // SHA-256 of the canonical manifest
}

/// @notice What the registry keeps of a version.
struct Version {
    bytes32 manifest;
    uint64 publishedAt; // seconds
    bool deprecated;
}

/// @notice What a model's home ledger said of it when the model left: no more than that, and no newer.
struct Statement {
    uint64 time; // seconds
    uint64 versionCount;
    string version; // the one published last
    bytes32 manifest; // of that version
    uint64 licenceCount; // licences granted and not revoked
    bytes24 licenceDigest; // over the grants and revocations, see {ILicenceMarket-tally}
}

/// @notice A model of another ledger, and how it came.
struct ForeignModel {
    bytes home; // ERC-7930 interoperable address of the home registry
    bytes publisher; // as its home ledger writes the account: 20 bytes on an EVM chain, 1 to 64 elsewhere
    string name;
    bytes[] path; // ERC-7930 ledgers between home and here, in the order of the voyage; each can have lied
    Statement stated;
}

/// @notice Ownership, versions and aliases of models (ERC-721; token id = model id, but for a model that came over
///         other ledgers than its home: keccak256(abi.encode(modelId, path))).
/// @dev versionId = keccak256(bytes(version)). Versions start with a digit, aliases with a lower-case letter.
interface IModelRegistry {
    event ModelRegistered(uint256 indexed modelId, address indexed publisher, string name);
    event VersionPublished(
        uint256 indexed modelId, bytes32 indexed versionId, address indexed publisher, string version, bytes32 manifest
    );
    event AliasSet(uint256 indexed modelId, bytes32 indexed aliasId, string name, string version);
    event VersionDeprecated(uint256 indexed modelId, bytes32 indexed versionId, string version, string reason);
    event BatchAnchored(uint256 indexed batchId, address indexed anchorer, bytes32 root, uint32 count);
    event ForeignModelMinted(uint256 indexed modelId, bytes home, address to);
    event ForeignModelBurned(uint256 indexed modelId);

    function modelIdOf(address publisher, string calldata name) external view returns (uint256);
    /// @notice Publishes a version; the first one of a name mints the ownership token to the caller.
    function publish(string calldata name, string calldata version, bytes32 manifest) external returns (uint256 modelId);
    /// @notice Publishes a further version of a model the caller owns (its publisher may be somebody else).
    function publishVersion(uint256 modelId, string calldata version, bytes32 manifest) external;

    /// @notice Anchors the Merkle root of many publications. Open to anyone: it asserts nothing but the root's age.
    /// @dev Leaf: OpenZeppelin standard leaf of (bytes publisher, uint256 modelId, bytes32 versionId, bytes32 manifest),
    ///      the publisher as an ERC-7930 address.
    function anchorBatch(bytes32 root, uint32 count) external returns (uint256 batchId);
    function batch(uint256 batchId) external view returns (bytes32 root, uint64 anchoredAt, uint32 count, address anchorer);
    /// @notice Whether `publication` is in the batch.
    function isAnchored(uint256 batchId, Publication calldata publication, bytes32[] calldata proof)
        external
        view
        returns (bool);
    /// @notice Publishes from a batch, by proof and the publisher's EIP-712 signature over the publication.
    /// @dev EIP-712 domain: name "CAIMI", version "1", nothing else. The ledger is "eip155:<chain id>". Type:
    ///      Publication(string ledger,string name,string version,bytes32 modelId,bytes32 manifest)
    function publishFromBatch(
        uint256 batchId,
        Publication calldata publication,
        bytes32[] calldata proof,
        bytes calldata signature
    ) external returns (uint256 modelId);

    function setAlias(uint256 modelId, string calldata name, string calldata version) external;
    function deprecate(uint256 modelId, string calldata version, string calldata reason) external;

    /// @dev `publisher` as the home ledger writes the account; `home` is the ERC-7930 address of the home registry.
    function model(uint256 modelId)
        external
        view
        returns (bytes memory publisher, string memory name, bytes memory home, uint256 versionCount);
    function versionAt(uint256 modelId, uint256 index) external view returns (string memory);
    function getVersion(uint256 modelId, bytes32 versionId) external view returns (Version memory);
    function getAlias(uint256 modelId, string calldata name) external view returns (string memory version);
    function aliasHistoryLength(uint256 modelId, string calldata name) external view returns (uint256);
    function aliasHistoryAt(uint256 modelId, string calldata name, uint256 index)
        external
        view
        returns (string memory version, uint64 time);

    /// @notice What came with a foreign model, last time it came. Its path vouches for it, nobody else.
    function foreign(uint256 tokenId) external view returns (ForeignModel memory);

    /// @notice Mints the ownership of a model whose home is another ledger. Bridge only.
    function mintForeign(uint256 tokenId, address to, ForeignModel calldata foreignModel) external;
    /// @notice Burns it again. Bridge only.
    function burnForeign(uint256 modelId) external;
}
