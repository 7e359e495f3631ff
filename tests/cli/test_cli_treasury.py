"""`caimi treasury show` and `caimi treasury refill`."""

from __future__ import annotations

from pathlib import Path

import pytest
from payer import COIN, Payer, runner

from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.config import load_config

TABLE = """
[[treasuries]]
ledger = "a"
key = "a"
floor = "1"
ceiling = "4"
daily_cap = "10"
keys = ["relayer"]
"""


@pytest.fixture
def relayer(payer: Payer) -> str:
    """The account of a relayer without coins, which the first ledger's treasury keeps."""
    account = Keyring(load_config(payer.config)).new("relayer").signer.account
    payer.config.write_text(payer.config.read_text() + TABLE)
    return f"0x{account.hex()}"


def coins(payer: Payer, account: str) -> float:
    (told,) = payer.run("balance", "--account", f"eip155:31337:{account}")["balances"]
    return int(told["units"]) / COIN


def people_read(payer: Payer, *arguments: str, fails: bool = False) -> str:
    done = runner.invoke(app, [*arguments, "--config", str(payer.config)])
    assert (done.exit_code != 0) == fails, done.output
    return " ".join(done.output.split())


def test_a_refill_is_planned_agreed_to_and_done_once(payer: Payer, relayer: str) -> None:
    (plan,) = payer.run("treasury", "refill", "--plan")["plans"]
    (step,) = plan["steps"]
    assert step["what"].lower() == f"send 4 coin to {relayer} (key relayer)"
    assert 4 * COIN < plan["likely"] < 4.1 * COIN
    assert payer.run("treasury", "refill")["error"]["code"] == "CAIMI-C071"
    assert coins(payer, relayer) == 0
    (paid,) = payer.run("treasury", "refill", "--yes")["refilled"]
    assert (paid["account"].lower(), paid["amount"]) == (f"eip155:31337:{relayer}", "4")
    assert payer.run("treasury", "refill", "--yes")["refilled"] == []
    assert payer.run("treasury", "refill")["refilled"] == []  # nothing is to be agreed to
    assert coins(payer, relayer) == 4


def test_people_read_the_plan_and_what_was_paid(payer: Payer, relayer: str) -> None:
    assert "1 Send 4 coin to" in people_read(payer, "treasury", "refill", "--plan")
    assert "Sent 4 coin to eip155:31337:" in people_read(payer, "treasury", "refill", "--yes")
    assert "every account has its floor" in people_read(payer, "treasury", "refill")


def test_how_all_stands_is_told_without_a_passphrase_and_nothing_is_written(
    payer: Payer, relayer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CAIMI_PASSPHRASE")
    before = sorted(payer.config.parent.rglob("*"))
    (told,) = payer.run("treasury", "show")["treasuries"]
    assert told["account"].lower() == f"eip155:31337:{payer.account}"
    assert (told["draining"], told["daily_cap"]["amount"]) == (False, "10")
    (account,) = told["accounts"]
    assert (account["kept_as"], account["amount"], account["state"]) == ("key relayer", "0", "low")
    shown = people_read(payer, "treasury", "show", "-l", "a")
    assert "10 coin of 10 coin" in shown
    assert "Next: caimi treasury refill" in shown
    assert sorted(payer.config.parent.rglob("*")) == before


def test_what_the_cap_stops_is_named_and_ends_with_an_error(payer: Payer, relayer: str) -> None:
    text = payer.config.read_text().replace('daily_cap = "10"', 'daily_cap = "4"')
    payer.config.write_text(text)
    payer.run("treasury", "refill", "--yes")  # 4, but for what sending them costs
    stranger = "0x" + "55" * 20
    payer.config.write_text(text.replace('keys = ["relayer"]', f'accounts = ["{stranger}"]'))
    (plan,) = payer.run("treasury", "refill", "--plan")["plans"]
    assert plan["steps"] == []
    done = payer.run("treasury", "refill", "--yes")
    assert done["error"]["code"] == "CAIMI-C085"
    assert stranger in done["error"]["what"]
    assert done["refilled"] == []
    (told,) = payer.run("treasury", "show")["treasuries"]
    assert told["accounts"][0]["state"] == "low, capped"
    assert "the daily cap is reached" in people_read(payer, "treasury", "refill", "--plan")
    assert "CAIMI-C085" in people_read(payer, "treasury", "refill", "--yes", fails=True)


def test_a_ledger_that_does_not_answer_hides_no_other(payer: Payer, relayer: str) -> None:
    second = TABLE.replace('"a"\nkey', '"b"\nkey')
    text = payer.config.read_text() + second
    before, url = text.split('name = "b"\nrpc = "')
    payer.config.write_text(
        f'{before}name = "b"\nrpc = "http://127.0.0.1:9' + url[url.index('"') :]
    )
    told = payer.run("treasury", "show")
    assert [each["ledger"] for each in told["treasuries"]] == ["eip155:31337"]
    (unread,) = told["unread"]
    assert unread["ledger"] == "eip155:31338"
    assert "CAIMI-L" in unread["error"]


def test_where_none_is_configured_that_is_said(payer: Payer, tmp_path: Path) -> None:
    assert payer.run("treasury", "show")["error"]["code"] == "CAIMI-C084"
    assert payer.run("treasury", "refill", "-l", "a")["error"]["code"] == "CAIMI-C084"
