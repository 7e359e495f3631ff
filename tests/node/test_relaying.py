"""A relayer service carries as its configuration says, and quotes what it carries for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

import word_family
from caimi.client.fees import ask_quote
from caimi.config import Config, load_config
from caimi.errors.ids import InvalidAccountId
from caimi.errors.messaging import InvalidTurns
from caimi.errors.node import NodeRefused
from caimi.errors.operations import ConfigInvalid, UnknownLedger
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.evm.abi.assets import coin_of
from caimi.ledgers.port import Account, Done, LedgerId, Money, Route
from caimi.messaging.progress import Carried, Progress
from caimi.messaging.quote import Tariff
from caimi.messaging.turns import RelayerSchedule
from caimi.node.http import service
from caimi.node.metrics import RelayerMetrics
from caimi.node.relaying import RelayingPolicy, serve_quotes
from caimi.services.endpoint import Endpoint

A, B = LedgerId("eip155:1"), LedgerId("eip155:2")
ROUTE = Route("caimi-1-0", "caimi-2-0", B)
BACK = Route("caimi-2-0", "caimi-1-0", A)
ME, OTHER, THERE = b"\x01" * 20, b"\x02" * 20, b"\x03" * 20
MINE = {A: Account(A, ME), B: Account(B, THERE)}
FAR = LedgerId("local:far")
LEDGERS = """
[[ledgers]]
id = "eip155:1"
name = "a"
rpc = "http://127.0.0.1:1"
deployed_at = 0
contracts = {}
[[ledgers]]
id = "eip155:2"
name = "b"
rpc = "http://127.0.0.1:2"
deployed_at = 0
contracts = {}
"""


def config(folder: Path, relayer: str) -> Config:
    file = folder / "caimi.toml"
    file.write_text(relayer + LEDGERS)
    return load_config(file)


def test_without_a_section_everything_is_carried_for_nothing(tmp_path: Path) -> None:
    relaying = RelayingPolicy(config(tmp_path, ""), MINE)
    chosen = relaying.policy.route(A, ROUTE)
    assert (chosen.carry, chosen.minimum_fee, chosen.wait_seconds) == (True, 0, 0.0)
    assert not relaying.policy.turns
    assert not relaying.policy.price_caps


def test_the_first_section_that_fits_a_route_counts(tmp_path: Path) -> None:
    relaying = RelayingPolicy(
        config(
            tmp_path,
            """
            [relayer.price_caps]
            a = 80_000_000_000
            [[relayer.routes]]
            source = "a"
            client = "caimi-1-9"
            carry = false
            [[relayer.routes]]
            source = "eip155:1"
            destination = "b"
            minimum_fee = 7
            packets = 50
            work = 10_000_000
            wait_seconds = 30
            price_ratio = 0.1
            margin_percent = 5
            [[relayer.routes]]
            carry = false
            """,
        ),
        MINE,
    )
    chosen = relaying.policy.route(A, ROUTE)
    assert (chosen.minimum_fee, chosen.packets, chosen.work) == (7, 50, 10_000_000)
    assert (chosen.carry, chosen.wait_seconds) == (True, 30)
    assert not relaying.policy.route(A, Route("caimi-1-9", "x", B)).carry
    assert not relaying.policy.route(B, BACK).carry
    assert relaying.policy.price_caps == {A: 80_000_000_000}
    assert relaying.tariff(A, ROUTE) == Tariff(Fraction(1, 10), 5, 7)
    assert relaying.tariff(B, BACK) is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('[[relayer.routes]]\nsource = "c"', UnknownLedger),
        ("[relayer.price_caps]\nc = 1", UnknownLedger),
        ("[relayer.price_caps]\na = 0", ConfigInvalid),
        ("[[relayer.routes]]\nprice_ratio = 0", ConfigInvalid),
        ("[[relayer.routes]]\nprice_ratio = inf", ConfigInvalid),
        ("[[relayer.routes]]\npackets = 0", ConfigInvalid),
        ("[[relayer.routes]]\nwait_seconds = 301", ConfigInvalid),
        ("[[relayer.routes]]\nminimum_fee = -1", ConfigInvalid),
        ("[[relayer.routes]]\nminimum = 1", ConfigInvalid),
        ("[relayer.turns]\naccounts = []", ConfigInvalid),
        ('[relayer.turns]\naccounts = ["0x' + "02" * 20 + '"]', InvalidTurns),
        ('[relayer.turns]\naccounts = ["eip155:1:0x' + "01" * 20 + '"]', InvalidTurns),
        ('[relayer.turns]\naccounts = ["eip155:1:someone"]', InvalidAccountId),
        ('[relayer.turns]\naccounts = ["someone"]', ConfigInvalid),
    ],
)
def test_what_cannot_be_followed_is_refused(
    tmp_path: Path, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        RelayingPolicy(config(tmp_path, text), MINE)


def turns(
    folder: Path, accounts: Sequence[str], mine: Mapping[LedgerId, Account], ledgers: str = ""
) -> Mapping[LedgerId, RelayerSchedule]:
    text = f"[relayer.turns]\nslot_seconds = 3600\naccounts = {list(accounts)}\n"
    return RelayingPolicy(config(folder, text + ledgers), mine).policy.turns


def test_who_has_one_account_on_several_ledgers_lists_it_once(tmp_path: Path) -> None:
    listed = [f"0x{account.hex().upper()}" for account in (OTHER, ME, b"\xab" * 20)]
    made = turns(tmp_path, listed, {name: Account(name, ME) for name in (A, B)})
    assert set(made) == {A, B}


def test_turns_are_by_the_accounts_that_earn_on_the_ledger_that_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two relayers one comes first on one ledger, and last on the other."""
    word_family.install(tmp_path / "installed", monkeypatch)
    far = f'[[ledgers]]\nid = "{FAR}"\nname = "far"\nfamily = "word"\n'
    first = {A: Account(A, ME), FAR: Account(FAR, b"zoe")}
    second = {A: Account(A, OTHER), FAR: Account(FAR, b"adam")}
    listed = [f"{A}:0x{ME.hex()}", f"0x{OTHER.hex()}", f"{FAR}:zoe", f"{FAR}:adam", "cosmos:x:y"]
    made = [turns(tmp_path, listed, mine, far) for mine in (first, second)]
    for name in map(bytes, ([0], [1])):
        on_a, on_far = ([each[on].mine(name, age=0.0) for each in made] for on in (A, FAR))
        assert on_a == on_far[::-1]
        assert sorted(on_a) == [False, True]
    with pytest.raises(InvalidTurns, match=f"account {FAR}:eve is not listed"):
        turns(tmp_path, listed, {**first, FAR: Account(FAR, b"eve")}, far)


class Ledger:
    """As much of a ledger as a quote asks for (its gateway too)."""

    def __init__(self, name: LedgerId, price: int = 0, routes: tuple[Route, ...] = ()) -> None:
        self.id, self.accounts, self.asset = name, EvmAccounts(name), coin_of(name)
        self.gateway = self
        self._price = price
        self._routes = list(routes)

    async def routes(self) -> list[Route]:
        return self._routes

    @property
    def coins(self) -> Ledger:
        return self

    async def work_price(self) -> Money:
        return self.asset.of(self._price)


def served(folder: Path, text: str = "") -> FastAPI:
    app = service("a relayer", CollectorRegistry())
    ledgers = {
        A: Ledger(A, 3, (ROUTE, Route("caimi-1-1", "x", LedgerId("eip155:3")))),
        B: Ledger(B, 7, (BACK,)),
    }
    serve_quotes(app, MINE, ledgers, RelayingPolicy(config(folder, text), MINE))  # type: ignore[arg-type]
    return app


def endpoint(app: FastAPI) -> Endpoint:
    return Endpoint("http://relayer", transport=httpx.ASGITransport(app))


async def test_a_relayers_quote_is_what_it_asks_now(tmp_path: Path) -> None:
    quoted = await ask_quote(endpoint(served(tmp_path)), Ledger(A), ROUTE)
    assert (quoted.relayer, quoted.amount) == (MINE[A], coin_of(A).of(Tariff().fee(7, 3)))


async def test_a_quote_names_the_account_that_earns_on_the_ledger_that_sends(
    tmp_path: Path,
) -> None:
    app = served(tmp_path)
    for source, route in ((A, ROUTE), (B, BACK)):
        assert (await ask_quote(endpoint(app), Ledger(source), route)).relayer == MINE[source]


@pytest.mark.parametrize(
    ("source", "client"),
    [(A, "caimi-1-9"), (A, "caimi-1-1"), (B, "caimi-1-0"), (LedgerId("eip155:9"), "caimi-1-0")],
)
async def test_there_is_no_quote_for_what_is_not_carried(
    tmp_path: Path, source: LedgerId, client: str
) -> None:
    with pytest.raises(NodeRefused, match="C019"):
        await ask_quote(endpoint(served(tmp_path)), Ledger(source), Route(client, "x", B))
    denying = served(tmp_path, "[[relayer.routes]]\ncarry = false")
    with pytest.raises(NodeRefused, match="C019"):
        await ask_quote(endpoint(denying), Ledger(A), ROUTE)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"relayer": "0x" + "01" * 20},
        {"relayer": "0x" + "01" * 19, "amount": "1"},
        {"relayer": "0x" + "01" * 20, "amount": 1},
        {"relayer": "0x" + "01" * 20, "amount": "-1"},
        {"relayer": "0x" + "01" * 20, "amount": "٣"},
        {"relayer": "0x" + "01" * 20, "amount": "1" * 40},
    ],
)
async def test_a_malformed_quote_is_refused(answer: dict[str, object]) -> None:
    app = FastAPI()

    @app.get("/v1/quote")
    async def tell() -> dict[str, object]:
        return answer

    with pytest.raises(NodeRefused, match="malformed"):
        await ask_quote(endpoint(app), Ledger(A), ROUTE)


def test_income_and_caps_are_told() -> None:
    metrics = RelayerMetrics()
    value = metrics.registry.get_sample_value
    metrics.carried(Carried("collect", ROUTE, 2, Done(A, "0x", 1, 1, 100, None, None), income=50))
    assert value("caimi_relayer_income_total", {"ledger": A}) == 50.0
    metrics.stepped([A, B], Progress(capped={A}))
    assert value("caimi_relayer_capped", {"ledger": A}) == 1.0
    assert value("caimi_relayer_capped", {"ledger": B}) == 0.0
    metrics.stepped([A, B], Progress())
    assert value("caimi_relayer_capped", {"ledger": A}) == 0.0
