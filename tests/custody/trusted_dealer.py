"""Keys for the custody tests, made by a dealer who sees them all (the product uses a DKG)."""

from caimi.custody.group import generator_times
from caimi.custody.keys import GroupKey, KeyShare
from caimi.custody.polynomial import evaluate, random_polynomial


def deal(threshold: int, total: int) -> list[KeyShare]:
    coefficients = random_polynomial(threshold)
    values = [evaluate(coefficients, index) for index in range(1, total + 1)]
    group = GroupKey(
        generator_times(coefficients[0]),
        threshold,
        total,
        tuple(generator_times(value) for value in values),
    )
    return [KeyShare(index, value, group) for index, value in enumerate(values, start=1)]
