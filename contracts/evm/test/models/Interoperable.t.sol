// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {Interoperable} from "../../src/models/Interoperable.sol";
import {Test} from "../Test.sol";

contract InteroperableTest is Test {
    address private constant VITALIK = 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045;

    /// @dev OpenZeppelin's own malformed cases, and those that its parser takes because it is made for more.
    function test_what_openzeppelin_refuses_is_refused_and_more() public pure {
        bytes[12] memory malformed = [
            bytes(hex"00020000010100"), // unsupported version
            hex"00010042", // too short: no length of the reference
            hex"000100420101", // no length of the address
            hex"00010042010114d8da6bf26964af9d7eed9e03e53415d37aa9", // two bytes of the address are missing
            hex"000100420000", // neither reference nor address
            hex"00010000212dc7f03c13ad47809e88339107c33a612043d704c1c9693a74996e7f9c6bee8f2314"
            hex"d8da6bf26964af9d7eed9e03e53415d37aa96045", // a chain number of 33 bytes
            hex"00010000010112d8da6bf26964af9d7eed9e03e53415d37aa9", // an account of 18 bytes
            hex"00010000010114d8da6bf26964af9d7eed9e03e53415d37aa9604500", // a trailing byte
            hex"0001000002000114d8da6bf26964af9d7eed9e03e53415d37aa96045", // a leading zero of the chain number
            hex"000100000014d8da6bf26964af9d7eed9e03e53415d37aa96045", // on no chain
            hex"00010000010100", // no account: zero bytes long
            hex"00000000010114d8da6bf26964af9d7eed9e03e53415d37aa96045" // version zero
        ];
        for (uint256 i = 0; i < malformed.length; ++i) {
            (bool valid,,) = Interoperable.evmAccount(malformed[i]);
            assertFalse(valid);
            // As an account of any ledger too.
            assertEq(Interoperable.ledgerOf(malformed[i]), "");
            if (i != 10) assertFalse(Interoperable.isLedger(malformed[i]));
        }
    }

    function testFuzz_an_account_has_one_spelling(bytes memory data) public pure {
        check(data);
    }

    function testFuzz_a_damaged_account_is_refused_or_another(
        uint64 chainId,
        address account,
        uint256 place,
        bytes1 change,
        uint8 cut,
        bytes memory tail
    ) public pure {
        bytes memory data = InteroperableAddress.formatEvmV1(chainId, account);
        data[place % data.length] ^= change;
        check(data);
        check(bytes.concat(data, tail));
        uint256 length = cut % data.length;
        assembly ("memory-safe") {
            mstore(data, length)
        }
        check(data);
    }

    function testFuzz_a_ledger_of_any_kind_is_read_back(bytes2 kind, bytes memory chain, bytes memory account)
        public
        pure
    {
        vm.assume(chain.length != 0 && chain.length < 60 && account.length < 60);
        bytes memory whole = InteroperableAddress.formatV1(kind, chain, account);
        bytes memory ledger = InteroperableAddress.formatV1(kind, chain, "");
        bool evm = kind == 0;
        bool good = !evm || (chain[0] != 0 && chain.length < 33 && (account.length == 0 || account.length == 20));
        assertEq(Interoperable.isLedger(whole), good && account.length == 0);
        assertEq(Interoperable.ledgerOf(whole), good && account.length != 0 ? ledger : bytes(""));
        (bytes memory on, bytes memory named, bool isEvm) = Interoperable.parts(whole);
        assertEq(on, good && account.length != 0 ? ledger : bytes(""));
        assertEq(named, good ? account : bytes(""));
        assertEq(isEvm, evm && good && account.length != 0);
        if (account.length != 0) assertEq(Interoperable.accountOn(ledger, account), whole);
        check(whole);
    }

    function test_an_address_longer_than_any_is_not_read() public pure {
        bytes memory long = InteroperableAddress.formatV1(0xff01, new bytes(123), "");
        assertEq(long.length, 129);
        assertFalse(Interoperable.isLedger(long));
        bytes memory other = InteroperableAddress.formatV1(0xff01, new bytes(122), "");
        assertTrue(Interoperable.isLedger(other));
        assertFalse(Interoperable.isEvmLedger(other));
    }

    function test_a_whole_address_is_read() public pure {
        (bool valid, uint256 chainId, address account) =
            Interoperable.evmAccount(hex"00010000010114d8da6bf26964af9d7eed9e03e53415d37aa96045");
        assertTrue(valid);
        assertEq(chainId, 1);
        assertEq(account, VITALIK);
    }

    /// @dev Whatever is taken is what writing it gives; and no bytes are both a ledger and an account.
    function check(bytes memory data) private pure {
        (bool valid, uint256 chainId, address account) = Interoperable.evmAccount(data);
        if (valid) assertEq(InteroperableAddress.formatEvmV1(chainId, account), data);
        bytes memory ledger = Interoperable.ledgerOf(data);
        bool isLedger = Interoperable.isLedger(data);
        assertFalse(isLedger && ledger.length != 0);
        if (isLedger || ledger.length != 0) {
            (bytes2 kind, bytes memory chain, bytes memory named) = InteroperableAddress.parseV1(data);
            assertEq(InteroperableAddress.formatV1(kind, chain, named), data);
            assertTrue(isLedger || Interoperable.isLedger(ledger));
            assertEq(Interoperable.isEvmLedger(data), isLedger && kind == 0);
        }
        // An account of chain zero is on no ledger: whoever asks for accounts compares with a ledger's number.
        if (valid) assertEq(ledger, chainId == 0 ? bytes("") : InteroperableAddress.formatEvmV1(chainId));
        assertFalse(!isLedger && Interoperable.isEvmLedger(data));
    }
}
