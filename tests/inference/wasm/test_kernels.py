"""Convolutions and matrix products: every bit as NumPy gives it with sums in order."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_module import (
    CLIP,
    HARD_SWISH,
    LEAKY,
    LINEAR,
    NAN,
    Conv,
    Epilogue,
    Gemm,
    Kernels,
    compile_kernels,
    expected_conv,
    expected_gemm,
)

SPECIAL = np.array(
    [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-45, 3e38, -3e38, 1e-38], np.float32
)
FLAGS = {
    "simd": ("-msimd128",),
    "mvp": ("-mcpu=mvp",),
    "trapping": ("-msimd128", "-fsanitize=undefined", "-fsanitize-trap=undefined"),
}
"""The last one traps wherever C leaves open what happens: it must not get there."""
FLOAT64 = ("-msimd128", "-DCAIMI_FLOAT64_SUMS")


@pytest.fixture(scope="module", params=FLAGS)
def kernels(request, tmp_path_factory):
    return Kernels(compile_kernels(tmp_path_factory.mktemp("kernels"), *FLAGS[request.param]))


@pytest.fixture(scope="module")
def float64_kernels(tmp_path_factory):
    return Kernels(compile_kernels(tmp_path_factory.mktemp("kernels"), *FLOAT64))


def same_bits(left, right):
    np.testing.assert_array_equal(
        np.ascontiguousarray(left).view(np.uint32), np.ascontiguousarray(right).view(np.uint32)
    )


def values(random, shape, special=0.0):
    plain = random.standard_normal(shape, dtype=np.float32)
    odd = random.random(shape) < special
    return np.where(odd, random.choice(SPECIAL, shape), plain)


def weights(random, shape, kind):
    return random.integers(-128, 128, shape, np.int8) if kind == "i8" else values(random, shape)


specials = st.sampled_from([0.0, 0.0, 0.01, 0.3])
seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(["f32", "i8"])


@st.composite
def convs(draw):
    dimensions = draw(st.sampled_from([1, 2, 2, 2, 3]))
    largest = {1: 40, 2: 20, 3: 7}[dimensions]

    def axes(least, most, leading):
        drawn = [draw(st.integers(least, most)) for _ in range(dimensions)]
        return (*[leading] * (3 - dimensions), *drawn)

    groups = draw(st.sampled_from([1, 1, 2, 3]))
    taken, given = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    kernel, dilation = axes(1, 4, 1), axes(1, 3, 1)
    pad, after = axes(0, 4, 0), axes(0, 4, 0)
    size = axes(1, largest, 1)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple(max(s, r - p - q) for s, r, p, q in zip(size, reach, pad, after, strict=True))
    channels = groups * taken, groups * given
    stride = axes(1, 3, 1)
    batch = draw(st.integers(1, 2))
    return Conv(batch, groups, *channels, size, kernel, stride, dilation, pad, after)


@st.composite
def depthwise_convs(draw):
    conv = draw(convs())
    channels = draw(st.integers(1, 5))
    multiple = draw(st.sampled_from([1, 1, 2]))
    return replace(conv, groups=channels, in_channels=channels, out_channels=channels * multiple)


@st.composite
def gemms(draw, few_rows=False):
    m = draw(st.integers(1, 3 if few_rows else 20))
    n = draw(st.integers(1, 70))
    k = draw(st.one_of(st.integers(0, 40), st.integers(240, 300), st.just(530)))
    flags = [draw(st.booleans()) for _ in range(4)]
    alpha = draw(st.sampled_from([1.0, 0.125, -0.3]))
    return Gemm(draw(st.integers(1, 3)), m, n, k, flags[0], flags[1], alpha, *flags[2:])


@st.composite
def epilogues(draw, shape, channels):
    random = np.random.default_rng(draw(seeds))
    special = draw(specials)

    def maybe(size):
        return values(random, size, special) if draw(st.booleans()) else None

    activation, low, high = draw(
        st.sampled_from(
            [
                (LINEAR, 0, 0),
                (CLIP, 0, np.inf),
                (CLIP, 0, 6),
                (CLIP, -0.5, 0.25),
                (LEAKY, 0.1, 0),
                (HARD_SWISH, 1 / 6, 0.5),
            ]
        )
    )
    return Epilogue(maybe(channels), maybe(channels), maybe(shape), activation, low, high)


@given(data=st.data(), conv=st.one_of(convs(), depthwise_convs()), seed=seeds, special=specials)
def test_convolutions_are_sums_in_order(kernels, data, conv, seed, special):
    random = np.random.default_rng(seed)
    x = values(random, conv.input_shape, special)
    w = weights(random, conv.weight_shape, data.draw(kinds))
    epilogue = data.draw(epilogues(conv.output_shape, conv.out_channels))
    with np.errstate(all="ignore"):
        expected = expected_conv(conv, x, w, epilogue)
    same_bits(kernels.conv(conv, x, w, epilogue), expected)


@given(data=st.data(), gemm=st.one_of(gemms(), gemms(few_rows=True)), seed=seeds, special=specials)
def test_products_are_sums_in_order(kernels, data, gemm, seed, special):
    random = np.random.default_rng(seed)
    a = values(random, gemm.a_shape, special)
    b = weights(random, gemm.b_shape, data.draw(kinds))
    epilogue = data.draw(epilogues((gemm.batch, gemm.m, gemm.n), gemm.n))
    with np.errstate(all="ignore"):
        expected = expected_gemm(gemm, a, b, epilogue)
    same_bits(kernels.gemm(gemm, a, b, epilogue), expected)


DEEP = [
    Conv(1, 1, 70, 9, (1, 9, 50), (1, 3, 3), pad=(0, 1, 1), after=(0, 1, 1)),
    Conv(1, 1, 3, 5, (1, 40, 41), (1, 7, 7), (1, 2, 2), pad=(0, 3, 3), after=(0, 3, 3)),
    Conv(1, 1, 300, 6, (1, 20, 21)),
    Conv(1, 1, 600, 130, (1, 1, 1)),
    Conv(1, 1, 64, 4, (1, 60, 60)),
    Conv(1, 2, 2, 2, (1, 3, 30_000), (1, 3, 5), pad=(0, 1, 2), after=(0, 1, 2)),
    Conv(1, 2, 2, 2, (1, 200, 300), (1, 3, 3), (1, 2, 2), pad=(0, 1, 1), after=(0, 1, 1)),
    Conv(1, 2, 2, 2, (1, 100, 100), (1, 3, 3), pad=(0, 1, 1), after=(0, 1, 1)),
    Conv(1, 1, 16, 24, (3, 9, 9), (3, 3, 3), pad=(1, 1, 1), after=(1, 1, 1)),
]


@pytest.mark.parametrize("conv", DEEP, ids=str)
def test_blocks_larger_than_a_buffer_change_no_bit(kernels, conv):
    random = np.random.default_rng(1)
    x, w = values(random, conv.input_shape), values(random, conv.weight_shape)
    epilogue = Epilogue(residual=values(random, conv.output_shape), activation=CLIP, high=np.inf)
    same_bits(kernels.conv(conv, x, w, epilogue), expected_conv(conv, x, w, epilogue))


@pytest.mark.parametrize(
    "gemm", [Gemm(1, 5, 3000, 300), Gemm(1, 1, 5000, 70), Gemm(1, 1, 33, 3000)]
)
@pytest.mark.parametrize("trans_b", [False, True])
def test_products_larger_than_a_buffer_change_no_bit(kernels, gemm, trans_b):
    random = np.random.default_rng(2)
    gemm = replace(gemm, trans_b=trans_b)
    a, b = values(random, gemm.a_shape), values(random, gemm.b_shape)
    same_bits(kernels.gemm(gemm, a, b), expected_gemm(gemm, a, b))


@pytest.mark.parametrize(
    "conv",
    [
        Conv(1, 2, 2, 2, (1, 5, 2), (1, 3, 3)),
        Conv(1, 1, 2, 2, (1, 2, 5), (1, 3, 3)),
        Conv(0, 2, 2, 2, (1, 5, 5), (1, 3, 3)),
    ],
)
def test_nothing_is_made_of_nothing(kernels, conv):
    x, w = np.ones(conv.input_shape, np.float32), np.ones(conv.weight_shape, np.float32)
    assert kernels.conv(conv, x, w).size == 0


@pytest.mark.parametrize("activation", [LINEAR, CLIP, LEAKY, HARD_SWISH])
@pytest.mark.parametrize("bits", [0x7FC00000, 0xFFC00000, 0x7FC12345, 0xFFFFFFFF])
def test_every_nan_comes_out_as_the_same_one(kernels, activation, bits):
    x = np.full((1, 1, 1, 1, 9), np.uint32(bits).view(np.float32))
    conv, w = Conv(size=(1, 1, 9)), np.ones((1, 1, 1, 1, 1), np.float32)
    epilogue = Epilogue(activation=activation, low=0, high=1)
    same_bits(kernels.conv(conv, x, w, epilogue), np.full(conv.output_shape, NAN))


@given(conv=convs(), seed=seeds)
def test_float64_sums_are_rounded_once(float64_kernels, conv, seed):
    random = np.random.default_rng(seed)
    x, w = values(random, conv.input_shape), values(random, conv.weight_shape)
    expected = expected_conv(conv, x, w, dtype=np.float64)
    same_bits(float64_kernels.conv(conv, x, w), expected)


@given(data=st.data(), gemm=st.one_of(gemms(), gemms(few_rows=True)), seed=seeds)
def test_float64_products_are_rounded_once(float64_kernels, data, gemm, seed):
    random = np.random.default_rng(seed)
    a, b = values(random, gemm.a_shape), values(random, gemm.b_shape)
    epilogue = data.draw(epilogues((gemm.batch, gemm.m, gemm.n), gemm.n))
    with np.errstate(all="ignore"):
        expected = expected_gemm(gemm, a, b, epilogue, np.float64)
    same_bits(float64_kernels.gemm(gemm, a, b, epilogue), expected)


@pytest.mark.parametrize("conv", DEEP, ids=str)
def test_float64_sums_larger_than_a_buffer_are_rounded_once(float64_kernels, conv):
    random = np.random.default_rng(3)
    x, w = values(random, conv.input_shape), values(random, conv.weight_shape)
    same_bits(float64_kernels.conv(conv, x, w), expected_conv(conv, x, w, dtype=np.float64))
