// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Protobuf} from "./Protobuf.sol";

/// @notice What a Fabric peer signs when a chaincode of CAIMI's was asked for commitments, read strictly.
/// @dev A ProposalResponsePayload around a ChaincodeAction (fabric-protos), with no event, no write, no range and no
///      message in it; and in its response the chaincode's answer, numbers big-endian:
///
///      `tag | 1: ledger | 1: channel | clock in 8 | how many in 2 | for each: 2: path | 0, or 1 and the value in 32`
library EndorsedReads {
    using Protobuf for Protobuf.Message;

    error InvalidProposalHash(uint256 length);
    error NotSuccessful(uint64 status);
    error WrongChaincode();
    error InvalidVersion(uint64 place);
    error NamespaceTwice();
    error NothingRead();
    error WrongSource();
    error InvalidAnswer(uint256 at);
    error InvalidCount(uint256 count);
    error InvalidPath(uint256 place);

    /// @dev One commitment; `value` is zero where nothing is.
    struct Read {
        bytes32 key; // keccak256 of the path
        uint8 kind; // of the path: the byte between client and sequence
        bytes32 value;
    }

    struct Statement {
        uint64 height; // no later than the block whose state was read
        uint64 time; // by the ledger's clock
        Read[] reads;
    }

    /// @dev What is read is known by these.
    struct Source {
        bytes32 chaincode; // keccak256 of its name
        bytes32 head; // keccak256 of the answer's beginning, to the channel
        uint256 headLength;
    }

    bytes internal constant TAG = "caimi/endorsed-reads/v1";
    uint256 internal constant MAX_READS = 100;
    uint256 internal constant MAX_PATH_LENGTH = 128;
    uint64 private constant OK = 200;
    /// @dev Of what stands behind a path's client: the kind's byte and the sequence.
    uint256 private constant BEHIND_CLIENT = 9;

    /// @notice How the answers of one ledger on one channel begin.
    function headOf(string memory ledger, string memory channel) internal pure returns (bytes memory) {
        return abi.encodePacked(
            TAG, uint8(bytes(ledger).length), ledger, uint8(bytes(channel).length), channel
        );
    }

    /// @notice What a payload says of the source.
    function read(bytes memory payload, Source memory source) internal pure returns (Statement memory statement) {
        Protobuf.Message memory outer = Protobuf.open(payload);
        uint256 hashLength = outer.part(0x0a).size();
        require(hashLength == 32, InvalidProposalHash(hashLength));
        Protobuf.Message memory action = outer.part(0x12);
        outer.finish();
        Protobuf.Message memory results = action.part(0x0a);
        Protobuf.Message memory response = action.part(0x1a);
        Protobuf.Message memory called = action.part(0x22);
        action.finish();

        require(called.part(0x12).hash() == source.chaincode, WrongChaincode());
        called.skip(0x1a); // its version
        called.finish();
        uint64 status = response.number(0x08);
        require(status == OK, NotSuccessful(status));
        bytes memory answer = response.part(0x1a).content();
        response.finish();
        statement.height = _height(results, source.chaincode);
        (statement.time, statement.reads) = _answer(answer, source);
    }

    /// @dev Of a TxReadWriteSet: the newest block that wrote something of what the chaincode read. The chaincode wrote
    ///      nothing. What was read of other namespaces (Fabric looks for the chaincode's definition) does not matter.
    function _height(Protobuf.Message memory results, bytes32 chaincode) private pure returns (uint64 height) {
        bool found = false;
        while (!results.done()) {
            Protobuf.Message memory namespace = results.part(0x12);
            if (namespace.part(0x0a).hash() != chaincode) continue;
            Protobuf.Message memory keys = namespace.part(0x12);
            namespace.finish();
            require(!found, NamespaceTwice());
            found = true;
            while (!keys.done()) {
                Protobuf.Message memory key = keys.part(0x0a);
                key.skip(0x0a); // its name
                if (key.next(0x12)) {
                    Protobuf.Message memory version = key.part(0x12);
                    uint64 number = version.next(0x08) ? version.number(0x08) : 0;
                    uint64 place = version.next(0x10) ? version.number(0x10) : 0; // of the transaction
                    version.finish();
                    require(place <= type(uint32).max, InvalidVersion(place));
                    if (number > height) height = number;
                }
                key.finish();
            }
        }
        require(found, NothingRead());
    }

    function _answer(bytes memory answer, Source memory source)
        private
        pure
        returns (uint64 time, Read[] memory reads)
    {
        uint256 at = source.headLength;
        require(answer.length >= at, WrongSource());
        require(_hash(answer, 0, at) == source.head, WrongSource());
        time = uint64(_number(answer, at, 8));
        uint256 count = _number(answer, at + 8, 2);
        require(count > 0 && count <= MAX_READS, InvalidCount(count));
        reads = new Read[](count);
        at += 10;
        for (uint256 i = 0; i < count; ++i) {
            uint256 length = _number(answer, at, 2);
            require(length > BEHIND_CLIENT && length <= MAX_PATH_LENGTH, InvalidPath(i));
            at += 2;
            uint256 there = _number(answer, at + length, 1); // so that the path is there too
            reads[i].key = _hash(answer, at, length);
            reads[i].kind = uint8(answer[at + length - BEHIND_CLIENT]);
            at += length + 1;
            if (there == 0) continue;
            reads[i].value = bytes32(_number(answer, at, 32));
            require(there == 1 && reads[i].value != 0, InvalidAnswer(at));
            at += 32;
        }
        require(at == answer.length, InvalidAnswer(at));
    }

    /// @dev The big-endian number in the `length` bytes from `at` on.
    function _number(bytes memory data, uint256 at, uint256 length) private pure returns (uint256 value) {
        require(at + length <= data.length, InvalidAnswer(at));
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, length)), mload(add(add(data, 0x20), at)))
        }
    }

    function _hash(bytes memory data, uint256 at, uint256 length) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(add(add(data, 0x20), at), length)
        }
    }
}
