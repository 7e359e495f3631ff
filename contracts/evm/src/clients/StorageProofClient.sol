// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ICS24} from "../gateway/ICS24.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {IStorageProofClient, StorageProof} from "../interfaces/IStorageProofClient.sol";
import {BlockHeader} from "./BlockHeader.sol";
import {StateTrie} from "./StateTrie.sol";

/// @notice Light client of one gateway of an EVM ledger: believes the state of blocks whose hash another client proves.
/// @dev What the inner client must get right is one hash a block, the leaf {BlockHeader.blockKey}; everything else
///      follows from it, by the header, the state trie and the gateway's storage trie. Invariants:
///      - the block is the one that the inner client proved under the number that the header itself states;
///      - height and time are the header's, so that they are those at which the facts held;
///      - zero is never proved as a value, and absence is proved only of receipts: a gateway keeps none, and answers
///        for them in the slots of the acknowledgements, which are written with them (see {CommitmentStore});
///      - an account that is not there proves nothing, not even absence.
contract StorageProofClient is IStorageProofClient {
    error InvalidInnerClient(address inner);
    error InvalidGateway();
    error ClientFrozen();
    error NonCanonicalProof();
    error NoKeys();
    error LengthMismatch(uint256 keys, uint256 others);
    error ZeroValue(uint256 index);
    error ReceiptsInMembership();
    error WrongReceiptKey(uint256 index);

    /// @dev Where a gateway keeps its commitments ({CommitmentStore.COMMITMENTS_SLOT}).
    uint256 public constant COMMITMENTS_SLOT = 1;

    /// @inheritdoc IStorageProofClient
    ILightClient public immutable inner;
    /// @inheritdoc IStorageProofClient
    address public immutable gateway;

    /// @param inner_ a client about the ledger of `gateway_`
    constructor(ILightClient inner_, address gateway_) {
        require(address(inner_).code.length > 0, InvalidInnerClient(address(inner_)));
        require(gateway_ != address(0), InvalidGateway());
        inner = inner_;
        gateway = gateway_;
    }

    /// @inheritdoc ILightClient
    function verifyMembership(bytes32[] calldata keys, bytes32[] calldata values, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time)
    {
        require(keys.length == values.length, LengthMismatch(keys.length, values.length));
        StorageProof memory decoded = _decode(proof, keys.length);
        require(
            bytes(decoded.destClient).length == 0 && decoded.sequences.length == 0, ReceiptsInMembership()
        );
        bytes32 root;
        (height, time, root) = _storageRoot(decoded);
        for (uint256 i = 0; i < keys.length; ++i) {
            require(values[i] != 0, ZeroValue(i));
            StateTrie.requireValue(root, _slot(keys[i]), values[i], decoded.slots[i]);
        }
    }

    /// @inheritdoc ILightClient
    function verifyAbsence(bytes32[] calldata keys, bytes calldata proof)
        external
        view
        returns (uint64 height, uint64 time)
    {
        StorageProof memory decoded = _decode(proof, keys.length);
        require(
            decoded.sequences.length == keys.length, LengthMismatch(keys.length, decoded.sequences.length)
        );
        bytes32 root;
        (height, time, root) = _storageRoot(decoded);
        for (uint256 i = 0; i < keys.length; ++i) {
            uint64 sequence = decoded.sequences[i];
            require(keys[i] == ICS24.receiptKey(decoded.destClient, sequence), WrongReceiptKey(i));
            bytes32 slot = _slot(ICS24.acknowledgementKey(decoded.destClient, sequence));
            StateTrie.requireAbsent(root, slot, decoded.slots[i]);
        }
    }

    /// @inheritdoc ILightClient
    function clientType() external pure returns (string memory) {
        return "caimi-storage-proof";
    }

    /// @inheritdoc ILightClient
    function frozen() public view returns (bool) {
        return inner.frozen();
    }

    /// @dev The one encoding that abi.encode gives.
    function _decode(bytes calldata proof, uint256 keys) private view returns (StorageProof memory decoded) {
        require(!frozen(), ClientFrozen());
        require(keys > 0, NoKeys());
        decoded = abi.decode(proof, (StorageProof));
        require(keccak256(abi.encode(decoded)) == keccak256(proof), NonCanonicalProof());
        require(decoded.slots.length == keys, LengthMismatch(keys, decoded.slots.length));
    }

    /// @dev Of the gateway, in a block that the inner client proves, with that block's number and time.
    function _storageRoot(StorageProof memory proof)
        private
        view
        returns (uint64 height, uint64 time, bytes32 root)
    {
        bytes32 stateRoot;
        (height, time, stateRoot) = BlockHeader.decode(proof.header);
        bytes32[] memory keys = new bytes32[](1);
        bytes32[] memory values = new bytes32[](1);
        keys[0] = BlockHeader.blockKey(height);
        values[0] = keccak256(proof.header);
        // The height and time are those of the inner client's own statement, not those of this block.
        // slither-disable-next-line unused-return
        inner.verifyMembership(keys, values, proof.trusted);
        root = StateTrie.storageRoot(stateRoot, gateway, proof.account);
    }

    /// @dev Of a mapping's value, as Solidity lays it out.
    function _slot(bytes32 key) private pure returns (bytes32) {
        return keccak256(abi.encode(key, COMMITMENTS_SLOT));
    }
}
