"""Polynomials over the scalars: Shamir's sharing, and its image in the group.

A. Shamir, "How to share a secret", Communications of the ACM 22 (1979). A secret is a polynomial's
value at 0; custodian ``i`` (from 1) holds the value at ``i``; `threshold` values determine it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence

from caimi.custody.group import INFINITY, ORDER, Point, total


def random_polynomial(threshold: int) -> tuple[int, ...]:
    """Draw `threshold` uniform coefficients, the constant first."""
    return tuple(secrets.randbelow(ORDER) for _ in range(threshold))


def evaluate(coefficients: Sequence[int], at: int) -> int:
    """Evaluate a polynomial of scalars by Horner's rule."""
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * at + coefficient) % ORDER
    return value


def evaluate_points(coefficients: Sequence[Point], at: int) -> Point:
    """Evaluate a polynomial whose coefficients are points, at a public place."""
    value = INFINITY
    for coefficient in reversed(coefficients):
        value = value.times(at) + coefficient
    return value


def lagrange(indices: Collection[int], at: int = 0) -> dict[int, int]:
    """Give the weight of each index for interpolating at `at`; indices must be distinct."""
    weights = {}
    for i in indices:
        numerator = denominator = 1
        for j in indices:
            if j != i:
                numerator = numerator * (at - j) % ORDER
                denominator = denominator * (i - j) % ORDER
        weights[i] = numerator * pow(denominator, -1, ORDER) % ORDER
    return weights


def interpolate(values: Mapping[int, int], at: int = 0) -> int:
    """Interpolate scalars given by index, at `at`."""
    weights = lagrange(values.keys(), at)
    return sum(weights[index] * value for index, value in values.items()) % ORDER


def interpolate_points(values: Mapping[int, Point], at: int = 0) -> Point:
    """Interpolate points given by index, at `at`."""
    weights = lagrange(values.keys(), at)
    return total(value.times(weights[index]) for index, value in values.items())


def interpolate_coefficients(values: Mapping[int, int]) -> tuple[int, ...]:
    """Give the coefficients, constant first, of the polynomial of least degree through `values`."""
    coefficients = [0] * len(values)
    for i, value in values.items():
        basis = [1]
        denominator = 1
        for j in values:
            if j != i:
                # Multiply the basis polynomial by (x - j).
                shifted = [0, *basis]
                for power, coefficient in enumerate(basis):
                    shifted[power] = (shifted[power] - j * coefficient) % ORDER
                basis = shifted
                denominator = denominator * (i - j) % ORDER
        scale = value * pow(denominator, -1, ORDER) % ORDER
        for power, coefficient in enumerate(basis):
            coefficients[power] = (coefficients[power] + scale * coefficient) % ORDER
    return tuple(coefficients)
