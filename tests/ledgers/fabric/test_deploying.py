"""Two organisations put CAIMI on their channel by the command line, each its own part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from consortium import Consortium, two_organisations


@pytest.fixture
def consortium(tmp_path: Path) -> Iterator[Consortium]:
    with two_organisations(tmp_path) as found:
        yield found


@pytest.mark.timeout(240)
def test_each_organisation_does_its_part_until_the_ledger_is_founded(
    consortium: Consortium,
) -> None:
    first, second = consortium.homes
    told = first.run("fabric", "channel", str(consortium.block))
    assert told["ledger"] == consortium.ledger
    assert told["organisations"] == ["Org1MSP", "Org2MSP"]
    consortium.begin()
    ours, theirs = first.package(), second.package()
    assert first.package() == ours != theirs

    deploy = ("deploy", "consortium", "-k", "operator", "--yes")
    waits = first.refused(*deploy)
    assert waits["code"] == "CAIMI-F045"
    assert "Org2MSP" in waits["what"]
    assert "approveformyorg --channelID caimi --name caimi --version 1" in waits["next"]
    assert first.refused(*deploy)["code"] == "CAIMI-F045"  # and again, with nothing done twice

    silent = second.refused(*deploy)  # it approves and commits, and nothing answers
    assert silent["code"] == "CAIMI-F047", silent["what"]
    assert theirs in silent["next"]
    serving = [first.serve(ours), second.serve(theirs)]

    waits = second.refused(*deploy)  # not whom the terms name
    assert waits["code"] == "CAIMI-F049"
    assert (
        first.run(*deploy)["ledger"]["terms"]
        == first.run("fabric", "show", str(first.terms))["fingerprint"]
    )
    assert second.run(*deploy)["deployed"]
    assert 'terms = "' in second.config.read_text()
    assert first.run("deploy", "consortium", "-k", "operator")["ok"]  # all is as it was left
    ended = [home.stop(each) for home, each in zip(consortium.homes, serving, strict=True)]
    assert ended == [0, 0]
