from hypothesis import given, settings
from hypothesis import strategies as st

from caimi.custody.group import ORDER, generator_times
from caimi.custody.polynomial import (
    evaluate,
    evaluate_points,
    interpolate,
    interpolate_coefficients,
    interpolate_points,
)

polynomials = st.lists(st.integers(0, ORDER - 1), min_size=1, max_size=8)


@st.composite
def shared(draw):
    coefficients = draw(polynomials)
    indices = draw(
        st.lists(
            st.integers(1, 64), min_size=len(coefficients), max_size=len(coefficients), unique=True
        )
    )
    return coefficients, {index: evaluate(coefficients, index) for index in indices}


@given(shared())
def test_threshold_shares_give_back_the_secret_and_the_polynomial(case):
    coefficients, shares = case
    assert interpolate(shares) == coefficients[0]
    assert interpolate(shares, at=77) == evaluate(coefficients, 77)
    assert interpolate_coefficients(shares) == tuple(coefficients)


@given(shared(), st.integers(0, ORDER - 1))
def test_one_share_fewer_is_consistent_with_every_secret(case, any_secret):
    coefficients, shares = case
    shares.popitem()
    other = interpolate_coefficients({**shares, 0: any_secret})
    assert len(other) <= len(coefficients)
    assert other[0] == any_secret
    assert all(evaluate(other, index) == share for index, share in shares.items())


@given(shared())
@settings(max_examples=25, deadline=None)
def test_the_image_in_the_group_follows_the_scalars(case):
    coefficients, shares = case
    points = [generator_times(a) for a in coefficients]
    for index, share in shares.items():
        assert evaluate_points(points, index) == generator_times(share)
    images = {index: generator_times(share) for index, share in shares.items()}
    assert interpolate_points(images) == points[0]
