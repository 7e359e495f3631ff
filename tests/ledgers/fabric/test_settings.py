"""What a section says of a ledger on a channel, strictly."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from caimi.config import LedgerSection
from caimi.ledgers.fabric.family import FABRIC
from caimi.ledgers.fabric.settings import FabricPlace, FabricSettings, copy_of
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.port import Ledger, LedgerId

LEDGER = LedgerId("fabric:" + "0" * 32)
PEER = {"address": "127.0.0.1:7051", "msp": "Org1MSP", "tls_roots": "/net/ca.pem"}
OTHER = {"address": "127.0.0.1:8051", "msp": "Org2MSP", "tls_roots": "/net/ca2.pem"}
PLACE = {
    "channel": "caimi",
    "chaincode": "caimi",
    "msp": "Org1MSP",
    "certificate": "/net/cert.pem",
    "key": "~/key.pem",
    "peers": [PEER, OTHER],
}


def test_a_place_without_terms_is_one_and_a_ledger_has_them() -> None:
    assert FabricPlace.model_validate(PLACE).peers[1].msp == "Org2MSP"
    with pytest.raises(ValidationError, match="terms"):
        FabricSettings.model_validate(PLACE)
    assert FabricSettings.model_validate({**PLACE, "terms": "ab" * 32}).terms == "ab" * 32


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"peers": []}, "at least 1"),
        ({"peers": [PEER, {**OTHER, "address": PEER["address"]}]}, "listed twice"),
        ({"peers": [{**OTHER, "address": f"127.0.0.1:{at}"} for at in range(1, 19)]}, "at most 17"),
        ({"peers": [{**PEER, "address": "127.0.0.1"}]}, "match pattern"),
        ({"peers": [{**PEER, "address": "127.0.0.1:0"}]}, "no port"),
        ({"peers": [{**PEER, "address": "127.0.0.1:65536"}]}, "no port"),
        ({"peers": [{**PEER, "address": "dns:///peer:7051"}]}, "match pattern"),
        ({"peers": [{**PEER, "address": "unix:/tmp/peer:7051"}]}, "match pattern"),
        ({"peers": [{**PEER, "tls_roots": "ca.pem"}]}, "no whole path"),
        ({"peers": [{**PEER, "tls_key": "/k.pem"}]}, "go together"),
        ({"peers": [{**PEER, "colour": "red"}]}, "Extra inputs"),
        ({"certificate": "cert.pem"}, "no whole path"),
        ({"copy": "copy.sqlite"}, "no whole path"),
        ({"channel": "Caimi"}, "match pattern"),
        ({"chaincode": "caimi:1"}, "match pattern"),
        ({"msp": ""}, "match pattern"),
        ({"depth": 0}, "Extra inputs"),  # blocks are final at once
        ({"quorum": 3}, "impossible"),
        ({"peers": [PEER, {**OTHER, "msp": "Org1MSP"}], "quorum": 2}, "one organisation"),
        ({"accounting": {"issuer": "bob", "symbol": "EUR", "decimals": 2}}, "no account"),
        ({"accounting": {"issuer": "bob", "symbol": "EUR", "decimals": 19}}, "less than"),
    ],
)
def test_what_is_not_so_is_refused(said: dict, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        FabricPlace.model_validate({**PLACE, **said})


def test_an_issuer_is_an_account() -> None:
    issuer = Ed25519Key().account.decode()
    asset = {"issuer": issuer, "symbol": "EUR", "decimals": 2}
    known = FabricPlace.model_validate({**PLACE, "accounting": asset})
    assert known.accounting is not None
    assert known.accounting.issuer == issuer


def test_a_quorum_is_never_of_one_organisation() -> None:
    third = {**PEER, "address": "127.0.0.1:9051"}
    known = FabricPlace.model_validate({**PLACE, "peers": [PEER, OTHER, third]})
    assert known.least_quorum == 3
    assert FabricPlace.model_validate(PLACE).least_quorum == 2


def test_each_peer_has_a_copy_of_its_own() -> None:
    known = FabricPlace.model_validate({**PLACE, "copy": "/net/copy.sqlite"})
    files = {copy_of(LEDGER, known, [peer]) for peer in known.peers}
    assert len(files) == 2
    assert {file.suffix for file in files} == {".sqlite"}
    assert {str(file.parent) for file in files} == {"/net"}
    assert "0" * 32 in str(copy_of(LEDGER, FabricPlace.model_validate(PLACE), known.peers[:1]))


async def test_what_any_of_several_peers_said_is_in_no_view_of_one(tmp_path: Path) -> None:
    """Who asks the next peer when the first is down does not keep its word as the first's."""
    said = {**PLACE, "copy": str(tmp_path / "copy.sqlite"), "terms": "ab" * 32}
    section = LedgerSection.model_validate({"id": LEDGER, "family": "fabric", "name": "b", **said})

    def made() -> set[Path]:
        return set(tmp_path.glob("*.sqlite"))

    ledgers: list[Ledger] = [FABRIC.prepare(section)]
    of_any = made()
    assert len(of_any) == 1
    ledgers += FABRIC.views(section).values()
    assert len(made() - of_any) == 2
    for ledger in ledgers:
        await ledger.aclose()
