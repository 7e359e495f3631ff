"""The synchronous network is the asynchronous one: nothing is missing or named otherwise."""

import inspect
import threading
from contextlib import asynccontextmanager

import pytest

import caimi
from caimi.client.network import AsyncNetwork
from caimi.client.sdk import Network, _blocking
from caimi.errors.operations import ConfigMissing, KeyMissing, UsageError

OPERATIONS = sorted(
    name
    for name, member in vars(AsyncNetwork).items()
    if inspect.iscoroutinefunction(member) and not name.startswith("_")
)


def test_there_are_operations():
    assert {"publish", "buy", "pull", "transfer"} <= set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_there_with_the_same_parameters_and_words(name):
    here, there = getattr(Network, name), getattr(AsyncNetwork, name)
    assert inspect.signature(here) == inspect.signature(there)
    assert here.__doc__ == there.__doc__
    assert not inspect.iscoroutinefunction(here)


class Working:
    """Stands where the asynchronous network is, and tells in which thread it was asked."""

    async def show(self, uri):
        if uri == "wrong":
            raise UsageError("It is wrong.")
        return uri, threading.current_thread().name


@asynccontextmanager
async def opening(closed):
    yield Working()
    closed.append(threading.current_thread().name)


def test_an_operation_is_waited_for_and_its_error_is_raised_here(monkeypatch):
    monkeypatch.setattr(Network, "show", _blocking(Working.show))
    closed = []
    with Network(opening(closed)) as network:
        assert network.show("it") == ("it", "caimi")
        with pytest.raises(UsageError, match="It is wrong"):
            network.show("wrong")
    assert closed == ["caimi"]


def test_the_package_gives_all_that_it_names():
    assert {"connect", "connect_async", "Network", "AsyncNetwork"} <= set(caimi.__all__)
    assert set(caimi.__all__) <= set(dir(caimi))
    assert all(getattr(caimi, name) is not None for name in caimi.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        caimi.nothing  # noqa: B018


async def test_the_asynchronous_network_is_connected_with_a_file(tmp_path):
    (tmp_path / "caimi.toml").write_text('[keys]\ndirectory = "keys"\n')
    with pytest.raises(KeyMissing):
        async with caimi.connect_async(tmp_path):
            pass


def test_a_missing_file_is_told_before_anything_is_opened(tmp_path):
    with pytest.raises(ConfigMissing):
        caimi.connect_async(tmp_path / "none.toml")
