import pytest

from caimi.custody.replay import ReplayGuard
from caimi.errors.custody import CustodianBusy, ReplayedRequest

ALICE, BOB = b"a" * 20, b"b" * 20


def nonce(number):
    return number.to_bytes(32, "big")


def test_a_nonce_is_taken_once_per_account():
    guard = ReplayGuard()
    guard.remember(ALICE, nonce(1), until=120, now=0)
    with pytest.raises(ReplayedRequest):
        guard.check(ALICE, nonce(1))
    with pytest.raises(ReplayedRequest):
        guard.remember(ALICE, nonce(1), until=120, now=0)
    guard.remember(BOB, nonce(1), until=120, now=0)
    guard.remember(ALICE, nonce(2), until=120, now=0)


def test_a_full_guard_refuses_until_requests_expire_and_never_forgets_a_live_one():
    guard = ReplayGuard(capacity=3, per_account=10)
    for number, until in ((1, 100), (2, 200), (3, 300)):
        guard.remember(ALICE, nonce(number), until=until, now=0)
    with pytest.raises(CustodianBusy):
        guard.remember(BOB, nonce(9), until=400, now=100)
    guard.remember(BOB, nonce(9), until=400, now=101)
    for number in (2, 3):
        with pytest.raises(ReplayedRequest):
            guard.check(ALICE, nonce(number))


def test_unless_told_64_requests_of_an_account_are_remembered():
    guard = ReplayGuard()
    for number in range(64):
        guard.remember(ALICE, nonce(number), until=100, now=0)
    with pytest.raises(CustodianBusy):
        guard.remember(ALICE, nonce(64), until=100, now=0)


def test_one_account_cannot_fill_the_guard():
    guard = ReplayGuard(capacity=100, per_account=2)
    guard.remember(ALICE, nonce(1), until=100, now=0)
    guard.remember(ALICE, nonce(2), until=100, now=0)
    with pytest.raises(CustodianBusy):
        guard.remember(ALICE, nonce(3), until=100, now=0)
    guard.remember(BOB, nonce(1), until=100, now=0)
    guard.remember(ALICE, nonce(3), until=300, now=101)
