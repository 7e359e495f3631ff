"""Orders of a key generation: the coordinator's, for one node, once, just now."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from share_requests import new_consumer

from caimi.custody.dkg import Order, Step
from caimi.custody.dkg.order import FRESH_MILLISECONDS
from caimi.errors.custody import MalformedEncoding, OrderRefused

COORDINATOR, STRANGER = new_consumer()[0], new_consumer()[0]
NODE, OTHER = b"\x02" + b"\x11" * 32, b"\x03" + b"\x22" * 32
NOW = 1_800_000_000.0
NUMBER = int(NOW * 1000)
ORDER = Order(b"\x05" * 32, Step.ADVANCE, NODE, NUMBER, '{"messages": []}').sign(COORDINATOR)


def check(order, *, node=NODE, now=NOW, last=0):
    order.check(COORDINATOR.account, node, now, last)


def test_the_coordinators_order_counts_and_has_one_form():
    check(ORDER)
    assert Order.from_json(ORDER.to_json()) == ORDER


@pytest.mark.parametrize(
    "change",
    [
        {"session": b"\x06" * 32},
        {"step": Step.ABORT},
        {"node": OTHER},
        {"number": NUMBER + 1},
        {"payload": "{}"},
        {"signature": b"\x00" * 65},
        {"signature": ORDER.signature[:64] + bytes([55 - ORDER.signature[64] + 27])},
    ],
)
def test_every_field_is_signed(change):
    with pytest.raises(OrderRefused):
        check(replace(ORDER, **change))


def test_a_strangers_order_and_one_for_another_node_do_not_count():
    with pytest.raises(OrderRefused, match="not the coordinator"):
        check(replace(ORDER, signature=b"").sign(STRANGER))
    with pytest.raises(OrderRefused, match="another node"):
        check(ORDER, node=OTHER)


def test_an_order_counts_once_and_no_older_one_after_it():
    with pytest.raises(OrderRefused, match="not above"):
        check(ORDER, last=NUMBER)
    check(ORDER, last=NUMBER - 1)


def test_a_number_is_one_that_every_reader_of_json_holds():
    most = replace(ORDER, number=2**53 - 1)
    assert Order.from_json(most.to_json()) == most
    with pytest.raises(MalformedEncoding):
        Order.from_json(replace(ORDER, number=2**53).to_json())


@pytest.mark.parametrize("sign", [-1, 1])
def test_an_order_of_another_time_does_not_count(sign):
    check(ORDER, now=NOW + sign * FRESH_MILLISECONDS / 1000)
    with pytest.raises(OrderRefused, match="two minutes"):
        check(ORDER, now=NOW + sign * (FRESH_MILLISECONDS / 1000 + 1))


@given(st.binary(max_size=80))
def test_other_text_is_refused_by_name(data):
    with pytest.raises(MalformedEncoding):
        Order.from_json(data)


def test_a_step_that_is_none_is_refused():
    with pytest.raises(MalformedEncoding, match="step"):
        Order.from_json(ORDER.to_json().replace('"advance"', '"retire"'))
