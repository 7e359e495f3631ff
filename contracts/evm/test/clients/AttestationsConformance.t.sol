// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {AttestationsClient} from "../../src/clients/AttestationsClient.sol";
import {ICS24} from "../../src/gateway/ICS24.sol";
import {AttestationKind} from "../../src/interfaces/IAttestationsClient.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {Attestors} from "./Attestors.sol";
import {LightClientConformance} from "./LightClientConformance.sol";

contract AttestationsConformanceTest is LightClientConformance, Attestors {
    uint64 private constant HEIGHT = 12;
    uint64 private constant TIME = 1_700_000_000 - 30;

    Keys private _keys;
    AttestationsClient private _client;

    function setUp() public {
        vm.warp(1_700_000_000);
        _keys = makeKeys(0, 3, 5, 1);
        _client = newAttestationsClient(_keys);
        _client.updateClient(signState(_keys, HEIGHT, TIME));
    }

    function client() internal view override returns (ILightClient) {
        return _client;
    }

    function clientType() internal pure override returns (string memory) {
        return "attestations";
    }

    function present(uint256 count) internal view override returns (Fact memory fact) {
        (fact.keys, fact.values) = (new bytes32[](count), new bytes32[](count));
        for (uint256 i = 0; i < count; ++i) {
            fact.keys[i] = ICS24.commitmentKey("attestations-0", uint64(i + 1));
            fact.values[i] = keccak256(abi.encode("commitment", i));
        }
        return _signed(fact);
    }

    function missing(uint256 count) internal view override returns (Fact memory fact) {
        fact.keys = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            fact.keys[i] = ICS24.receiptKey("attestations-0", uint64(i + 1));
        }
        return _signed(fact);
    }

    function _signed(Fact memory fact) private view returns (Fact memory) {
        bytes memory data = packetsOf(HEIGHT, fact.keys, fact.values);
        (fact.proof, fact.height, fact.time) = (signData(_keys, AttestationKind.Packet, data), HEIGHT, TIME);
        return fact;
    }

    function freezeClient() internal override {
        _client.freeze();
    }
}
