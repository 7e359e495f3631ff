"""What a network is made of is written down strictly, and its ports are looked at first."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from caimi.devnet.plan import NetworkPlan, check_ports
from caimi.errors.node import PortTaken, ProcessListDamaged
from caimi.errors.operations import UsageError
from caimi.loopback import free_ports, is_free

NAMES = [
    *("ledger-a", "ledger-b"),
    *(f"node-{number}" for number in range(1, 6)),
    "worker",
]


def test_a_plan_has_the_ports_from_a_base_on(tmp_path: Path) -> None:
    plan = NetworkPlan.of(["anvil", "other"], 9_000)
    assert list(plan.ports) == NAMES
    assert list(plan.ports.values()) == list(range(9_000, 9_008))
    assert plan.kinds == ["anvil", "other"]
    file = tmp_path / "network.json"
    assert NetworkPlan.load(file) is None
    plan.save(file)
    assert NetworkPlan.load(file) == plan


def test_a_plan_without_a_base_has_free_ports_that_no_outgoing_connection_takes() -> None:
    ports = list(NetworkPlan.of(["anvil"] * 3).ports.values())
    assert all(map(is_free, ports))
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("utf-8").split()[0])
    assert max(ports) < low


def test_the_same_network_moves_and_stays_made() -> None:
    plan = NetworkPlan.of(["anvil"], 9_000).model_copy(update={"made": True})
    moved = plan.moved(9_001)
    assert (moved.made, moved.moving, moved.kinds) == (True, True, ["anvil"])
    assert list(moved.ports.values()) == list(range(9_001, 9_008))


@pytest.mark.parametrize("base", [-1, 0, 80, 1_023, 65_536 - 6, 10**9])
def test_ports_that_are_none_are_refused(base: int) -> None:
    with pytest.raises(UsageError, match="not all between"):
        NetworkPlan.of(["anvil"], base)


def test_a_port_that_is_taken_is_named_with_what_needs_it() -> None:
    (free,) = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"{taken} \(node-2\)\.$") as caught:
            check_ports({"node-1": free, "node-2": taken})
    assert "devnet up --ports" in caught.value.next_step
    check_ports({"node-2": taken})


GOOD = NetworkPlan.of(["anvil"], 9_000).model_dump_json()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (GOOD, ""),
        (GOOD, "[]"),
        (GOOD, "{}"),
        (GOOD, "[" * 5_000),
        ('"name":"a"', '"name":"../x"'),
        ('"kind":"anvil"', '"kind":""'),
        ('"port":9000', '"port":70000'),
        ('"port":9000', '"port":"9000"'),
        ("[9001,9002,", "[9002,"),
        ('"format":1', '"format":2'),
        ('"made":false', '"made":false,"more":1'),
    ],
)
def test_a_damaged_plan_is_named(tmp_path: Path, right: str, wrong: str) -> None:
    file = tmp_path / "network.json"
    assert right in GOOD
    file.write_text(GOOD)
    assert NetworkPlan.load(file) is not None
    file.write_text(GOOD.replace(right, wrong))
    with pytest.raises(ProcessListDamaged, match="no plan of a network") as caught:
        NetworkPlan.load(file)
    assert "--fresh" in caught.value.next_step
