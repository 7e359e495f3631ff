"""A ledger is a model's home when the model's id can be made from that ledger itself."""

import pytest

from caimi.errors.custody import ForeignHome
from caimi.errors.ledgers import UnknownModel
from caimi.ledgers.home import find_home_model, home_model, is_home
from caimi.ledgers.port import Exactly
from lying_world import LyingLedger, address


async def test_a_home_gives_its_models_and_knows_which_it_has_not():
    ledger = LyingLedger(1)
    model = ledger.model_id(ledger.account(address(1)), "m")
    assert await find_home_model(ledger, model) is None
    with pytest.raises(UnknownModel):
        await home_model(ledger, model)
    ledger.say_model(model, address(1), "m", address(2), height=5)
    found = await home_model(ledger, model)
    assert found.owner == ledger.account(address(2))
    assert is_home(ledger, found)
    assert await find_home_model(ledger, model) == found
    assert await find_home_model(ledger, model, Exactly(4)) is None


@pytest.mark.parametrize("home", [b"", b"\x01"])
async def test_another_ledgers_model_is_refused_whatever_is_said_of_it(home):
    ledger, other = LyingLedger(1), LyingLedger(2)
    model = other.model_id(other.account(address(1)), "m")
    for publisher, name in ((address(1), "m"), (address(2), "mine")):
        ledger.say_model(model, publisher, name, address(2), home=home)
        with pytest.raises(ForeignHome):
            await home_model(ledger, model)
        with pytest.raises(ForeignHome):
            await find_home_model(ledger, model)


async def test_a_true_record_under_another_id_is_refused():
    ledger, other = LyingLedger(1), LyingLedger(2)
    own = ledger.model_id(ledger.account(address(1)), "m")
    ledger.say_model(own, address(1), "m", address(1))
    asked = other.model_id(other.account(address(1)), "m")
    ledger.say("model", asked, await ledger.model(own))
    with pytest.raises(ForeignHome):
        await home_model(ledger, asked)
