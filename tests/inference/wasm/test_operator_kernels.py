"""Kernels around convolutions and products: stated errors, exact orders, the same bits twice."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from operator_module import (
    MVP,
    NAN_BITS,
    SIMD,
    TRAPPING,
    Operators,
    all_kinds,
    compile_operators,
    declared,
    struct,
    ulps,
)
from scipy import special

RANK = 6
few = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
sizes = st.integers(1, 70)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def simd(tmp_path_factory):
    return Operators(compile_operators(tmp_path_factory.mktemp("simd"), *SIMD))


@pytest.fixture(scope="module")
def mvp(tmp_path_factory):
    return Operators(compile_operators(tmp_path_factory.mktemp("mvp"), *MVP))


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def same(a, b):
    return a.shape == b.shape and bool((a.view(np.uint32) == b.view(np.uint32)).all())


def folded(x):
    """The folded sum of the last axis as the header defines it."""
    padded = np.zeros((*x.shape[:-1], -(-x.shape[-1] // 16) * 16), np.float32)
    padded[..., : x.shape[-1]] = x
    p = np.zeros((*x.shape[:-1], 16), np.float32)
    for at in range(0, padded.shape[-1], 16):
        p = p + padded[..., at : at + 16]
    s = (p[..., 0:4] + p[..., 4:8]) + (p[..., 8:12] + p[..., 12:16])
    return (s[..., 0] + s[..., 2]) + (s[..., 1] + s[..., 3])


# ---- functions of one number

FUNCTIONS = {
    "exp": (1.1, np.exp, ()),
    "log": (1.0, np.log, ()),
    "erf": (1.4, special.erf, ()),
    "tanh": (1.4, np.tanh, ()),
    "sigmoid": (2.5, special.expit, ()),
    "softplus": (3.0, lambda x: np.logaddexp(0, x), ()),
    "softsign": (2.0, lambda x: x / (1 + np.abs(x)), ()),
    "sqrt": (0.5, np.sqrt, ()),
    "reciprocal": (0.5, lambda x: 1 / x, ()),
    "abs": (0, np.abs, ()),
    "neg": (0, np.negative, ()),
    "floor": (0, np.floor, ()),
    "ceil": (0, np.ceil, ()),
    "clip": (0, lambda x: np.clip(x, -0.5, 2.0), (-0.5, 2.0)),
    "leaky_relu": (0.5, lambda x: np.where(x < 0, 0.125 * x, x), (0.125,)),
    "elu": (2.5, lambda x: np.where(x < 0, 0.75 * np.expm1(x), x), (0.75,)),
    "selu": (3.5, lambda x: 1.5 * np.where(x < 0, 0.75 * np.expm1(x), x), (0.75, 1.5)),
    "celu": (2.0, lambda x: np.where(x < 0, 2 * np.expm1(x / 2), x), (2.0,)),
    "thresholded_relu": (0, lambda x: np.where(x > 1.5, x, 0), (1.5,)),
    "hard_sigmoid": (1.0, lambda x: np.clip(x * 0.25 + 0.5, 0, 1), (0.25, 0.5)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_within_their_stated_error(simd, name):
    bound, exact, parameters = FUNCTIONS[name]
    generator = np.random.default_rng(1)
    ranges = [
        generator.uniform(low, high, 1 << 17).astype(np.float32)
        for low, high in ((-1, 1), (0.5, 2), (-12, 12), (-110, 110))
    ]
    if name == "hard_sigmoid":  # near its zero the sum cancels
        ranges = [x[np.abs(x + 2) > 0.1] for x in ranges]
    edges = np.array(parameters, np.float32)
    x = (
        np.concatenate([all_kinds(), *ranges, edges, -edges])
        if name != "hard_sigmoid"
        else ranges[0]
    )
    with np.errstate(all="ignore"):
        expected = exact(x.astype(np.float64))
    assert ulps(simd.pointwise(name, x, *parameters), expected) <= bound


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("gelu", lambda x: 0.5 * x * (1 + special.erf(x / np.sqrt(2)))),
        (
            "gelu_tanh",
            lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        ),
    ],
)
def test_gelu_is_within_four_ulps_of_half_its_argument(simd, name, exact):
    x = np.random.default_rng(2).uniform(-12, 12, 1 << 18).astype(np.float32)
    error = np.abs(simd.pointwise(name, x).astype(np.float64) - exact(x.astype(np.float64)))
    assert (error / np.spacing(np.abs(x) / 2)).max() <= 4


def test_gated_functions_have_the_bits_of_products(simd):
    x = all_kinds(1 << 16)
    with np.errstate(all="ignore"):
        silu = x * simd.pointwise("sigmoid", x)
        swish = x * simd.pointwise("hard_sigmoid", x, float(np.float32(1 / 6)), 0.5)
    for name, expected in (("silu", silu), ("hard_swish", swish)):
        found = simd.pointwise(name, x)
        nan = np.isnan(expected)
        assert (np.isnan(found) == nan).all()
        assert same(found[~nan], expected[~nan])


# ---- the same bits and canonical NaNs


def _axis(outer, size, inner):
    return struct(outer, size, inner)


def _walk(shape, a, b):
    return struct(len(shape), shape, a, b, lengths=(RANK,) * 3)


def _pool(planes, size, kernel, stride, dilation=(1, 1), pad=(0, 0), end=(0, 0), count=0):
    out = tuple(
        (n + p + q - d * (k - 1) - 1) // s + 1
        for n, k, s, d, p, q in zip(size, kernel, stride, dilation, pad, end, strict=True)
    )
    fields = struct(planes, size, out, kernel, stride, dilation, pad, end, count)
    return fields, (planes, *out)


def _examples():
    """A call of every kernel on numbers of every kind, awkward sizes: name, arguments, output."""
    x = all_kinds(1 << 12)[:3990]
    y = np.roll(x, 1234)
    y[::7] = 2.0
    y[1::7] = 0.5
    for name, (_, _, parameters) in FUNCTIONS.items():
        yield f"{name}_f32", (x.size, *parameters, x), x.shape
    for name in ("gelu", "gelu_tanh", "silu", "hard_swish"):
        yield f"{name}_f32", (x.size, x), x.shape
    cube = (19, 14, 15)
    for name in ("add", "sub", "mul", "div", "min", "max", "prelu", "pow"):
        yield f"{name}_f32", (_walk(cube, (210, 15, 1), (0, 15, 1)), x, y), cube
        yield f"{name}_f32", (_walk(cube, (210, 15, 1), (0, 1, 0)), x, y), cube
        yield f"{name}_f32", (_walk(cube, (1, 0, 0), (0, 15, 1)), x, y), cube
    gentle = np.where(np.abs(x) < 1e4, x, np.float32(0.25))
    rows = np.where(np.arange(x.size) < 2000, gentle, x)
    for axis in (_axis(19, 210, 1), _axis(19, 14, 15)):
        out = (19, 210)
        for name in ("softmax", "log_softmax"):
            yield f"{name}_f32", (axis, rows), out
        reduced = (19, int(axis[2]))
        for name in ("sum", "mean", "sum_square", "max", "min"):
            yield f"reduce_{name}_f32", (axis, rows), reduced
    yield "layer_norm_f32", (19, 210, 1e-5, rows, y, x), (19, 210)
    yield "layer_norm_f32", (19, 210, 1e-5, rows, y, None), (19, 210)
    yield "rms_norm_f32", (19, 210, 1e-5, rows, y), (19, 210)
    yield "group_norm_f32", (1, 38, 19, 105, 1e-5, rows, y, x), (38, 105)
    yield "batch_norm_f32", (1, 38, 105, 1e-5, rows, y, x, y, np.abs(x)), (38, 105)
    for options in (
        {"kernel": (3, 3), "stride": (2, 2), "pad": (1, 1), "end": (1, 1)},
        {"kernel": (2, 3), "stride": (1, 1), "dilation": (2, 1), "end": (1, 2), "count": 1},
        {"kernel": (1, 4), "stride": (3, 3), "pad": (0, 2)},
    ):
        pool, out = _pool(14, (15, 19), **options)
        yield "max_pool_f32", (pool, rows), out
        yield "average_pool_f32", (pool, rows), out
    yield "copy_32", (_walk((15, 14, 19), (1, 15, 210), (266, 19, 1)), x), (15, 14, 19)
    yield "fill_32", (77, x[5:6]), (77,)
    heads = (1, 7, 7, 9, 9, 10, 21, 0, 0, 90, 10, 0, 90, 10, 0, 189, 21, 0, 189, 21, 0, 0, 9, 1)
    attention = (struct(*heads), 0.3, rows[:630], rows[700:1330], x[:1323])
    yield "attention_f32", (*attention, None, None), (7, 9, 21)
    yield "attention_f32", (*attention, y[:81], rows[:21]), (7, 9, 21)
    for name, gates, tail in (("rnn", 1, ()), ("gru", 3, ()), ("lstm", 4, (None,))):
        weights = [random(gates + i, gates * 9, size) for i, size in enumerate((13, 9))]
        net = struct(5, 2, 13, 9, 26, 13, 18, 9, 9, 0, 0, 0)
        arguments = (net, rows[:130], *weights, None, None, *tail)
        spare = np.zeros(18, np.float32)
        ends = (spare, spare)[: 1 + len(tail)]
        yield f"{name}_f32", (*arguments, random(1, 90), *ends[1:]), (18,)


def test_every_kernel_has_an_example():
    assert {f"caimi_{name}" for name, _, _ in _examples()} == set(declared())


@pytest.mark.parametrize("skew", [0, 1])
def test_scalar_builds_give_the_bits_of_simd_and_canonical_nans(simd, mvp, skew):
    for name, arguments, out in _examples():
        found = simd(name, *arguments, out=out, skew=skew)
        assert same(found, mvp(name, *arguments, out=out)), name
        if name not in ("copy_32", "fill_32"):
            assert (found.view(np.uint32)[np.isnan(found)] == NAN_BITS).all(), name


def test_nothing_is_left_open_by_c(tmp_path):
    trapping = Operators(compile_operators(tmp_path, *TRAPPING))
    for name, arguments, out in _examples():
        trapping(name, *arguments, out=out)


# ---- two tensors

TWO = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "min": np.minimum,
    "max": np.maximum,
    "prelu": lambda a, b: np.where(a < 0, a * b, a),
}


@pytest.mark.parametrize("name", TWO)
@few
@given(
    st.lists(
        st.tuples(st.integers(1, 21), st.sampled_from(["a", "b", "ab"])), min_size=1, max_size=4
    ),
    seeds,
)
def test_two_tensors_broadcast_as_in_numpy(simd, name, axes, seed):
    shape = tuple(size for size, _ in axes)
    a, b = (
        random(seed + i, *(n if who in has else 1 for n, has in axes)) for i, who in enumerate("ab")
    )
    steps = [
        [0 if n == 1 else s // 4 for n, s in zip(t.shape, t.strides, strict=True)] for t in (a, b)
    ]
    expected = np.broadcast_to(TWO[name](a, b), shape)
    found = simd(f"{name}_f32", _walk(shape, *steps), a, b, out=shape)
    assert (found == expected).all()


@pytest.mark.parametrize("name", ["min", "max"])
def test_a_nan_on_either_side_is_the_extreme_of_two(simd, name):
    a = np.array([1, np.nan, 2, np.nan, -1], np.float32)
    b = np.array([np.nan, 1, 3, np.nan, -2], np.float32)
    found = simd(f"{name}_f32", _walk((5,), (1,), (1,)), a, b, out=(5,))
    np.testing.assert_array_equal(found, (np.minimum if name == "min" else np.maximum)(a, b))


def test_powers(simd):
    a = np.array([3, -3, 0.5, 2, 9, -0.0, 7, 0], np.float32)
    b = np.array([2, 2, 0.5, -1.5, 1, 0.5, 0, -1], np.float32)
    with np.errstate(divide="ignore"):
        expected = np.power(a.astype(np.float64), b).astype(np.float32)
    assert ulps(simd("pow_f32", _walk((8,), (1,), (1,)), a, b, out=(8,)), expected) <= 1


@pytest.mark.parametrize("power", [2, 0.5, 1, 3])
def test_powers_of_all_to_one_exponent(simd, power):
    a, b = np.abs(random(1, 37)), np.array([power], np.float32)
    expected = a.astype(np.float64) ** power
    assert ulps(simd("pow_f32", _walk((37,), (1,), (0,)), a, b, out=(37,)), expected) <= 1


def test_work_in_place(simd):
    """The output may be the input: the only tensor, or one of the two."""
    x = random(3, 37)
    place = simd.base + 64
    shape = _walk((37,), (1,), (1,))
    simd.memory.write(simd.store, shape.tobytes(), place)
    simd.memory.write(simd.store, x.tobytes(), place + 128)
    at = place + 128
    simd.exports["caimi_mul_f32"](simd.store, place, at, at, at)
    simd.exports["caimi_exp_f32"](simd.store, 37, at, at)
    data = bytes(simd.memory.read(simd.store, at, at + x.nbytes))
    assert same(np.frombuffer(data, np.float32), simd.pointwise("exp", x * x))


# ---- along an axis


@few
@given(st.integers(1, 5), sizes, st.integers(1, 9), seeds)
def test_sums_have_the_order_that_the_header_states(simd, outer, size, inner, seed):
    x = random(seed, outer, size, inner)
    sums = np.zeros((outer, inner), np.float32)
    squares = sums.copy()
    for k in range(size):
        sums += x[:, k]
        squares += x[:, k] * x[:, k]
    if inner == 1:
        sums, squares = (folded(t.reshape(outer, size))[:, None] for t in (x, x * x))
    axis, out = _axis(outer, size, inner), (outer, inner)
    assert same(simd("reduce_sum_f32", axis, x, out=out), sums)
    assert same(simd("reduce_sum_square_f32", axis, x, out=out), squares)
    assert same(simd("reduce_mean_f32", axis, x, out=out), sums / np.float32(size))
    assert (simd("reduce_max_f32", axis, x, out=out) == x.max(axis=1)).all()
    assert (simd("reduce_min_f32", axis, x, out=out) == x.min(axis=1)).all()


def test_float64_sums_are_rounded_once(tmp_path):
    """The build that adds in float64: a sum whose terms nearly cancel."""
    f64 = Operators(compile_operators(tmp_path, *SIMD, "-DCAIMI_FLOAT64_SUMS"))
    x = random(1, 3, 301) * np.float32(1e4)
    x[:, 1::2] = -x[:, :-1:2] + random(2, 3, 150)
    exact = x.astype(np.float64).sum(axis=1)
    assert ulps(f64("reduce_sum_f32", _axis(3, 301, 1), x, out=(3,)), exact) <= 0.51
    columns = np.ascontiguousarray(x.T)
    assert ulps(f64("reduce_sum_f32", _axis(1, 301, 3), columns, out=(3,)), exact) <= 0.51
    wide = x.astype(np.float64)
    normal = wide - wide.mean(axis=1, keepdims=True)
    normal /= np.sqrt((normal**2).mean(axis=1, keepdims=True) + 1e-5)
    ones = np.ones(301, np.float32)
    found = f64("layer_norm_f32", 3, 301, 1e-5, x, ones, None, out=x.shape)
    np.testing.assert_allclose(found, normal, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["reduce_max", "reduce_min", "max_pool"])
def test_one_nan_is_the_extreme(simd, name):
    for size in (3, 4, 21):
        for at in range(size):
            x = random(at, size)
            x[at] = np.nan
            shape = _axis(1, size, 1)
            if name == "max_pool":
                shape, _ = _pool(1, (1, size), (1, size), (1, 1))
            assert np.isnan(simd(f"{name}_f32", shape, x, out=(1,))[0])


@few
@given(st.integers(1, 5), sizes, st.integers(1, 9), seeds)
def test_softmax(simd, outer, size, inner, seed):
    x = random(seed, outer, size, inner) * np.float32(8)
    exact = x.astype(np.float64)
    axis = _axis(outer, size, inner)
    found = simd("softmax_f32", axis, x, out=x.shape)
    np.testing.assert_allclose(found, special.softmax(exact, axis=1), rtol=5e-6, atol=1e-30)
    found = simd("log_softmax_f32", axis, x, out=x.shape)
    np.testing.assert_allclose(found, special.log_softmax(exact, axis=1), rtol=1e-6, atol=3e-6)


def test_softmax_of_infinities(simd):
    infinite = np.float32(np.inf)
    rows = np.array([[1, -infinite, 1, 1], [-infinite] * 4, [infinite, 1, 1, 1]], np.float32)
    found = simd("softmax_f32", _axis(3, 4, 1), rows, out=(3, 4))
    np.testing.assert_array_equal(found[0], np.array([1, 0, 1, 1], np.float32) / np.float32(3))
    assert np.isnan(found[1:]).all()


@few
@given(st.integers(1, 4), sizes, seeds)
def test_layer_and_rms_normalisation_have_the_stated_order(simd, outer, inner, seed):
    x, scale, bias = random(seed, outer, inner), random(seed + 1, inner), random(seed + 2, inner)
    count, epsilon, one = np.float32(inner), np.float32(1e-3), np.float32(1)
    d = x - (folded(x) / count)[:, None]
    inverse = one / np.sqrt(folded(d * d) / count + epsilon)
    expected = (d * inverse[:, None]) * scale + bias
    found = simd("layer_norm_f32", outer, inner, float(epsilon), x, scale, bias, out=x.shape)
    assert same(found, expected)
    inverse = one / np.sqrt(folded(x * x) / count + epsilon)
    found = simd("rms_norm_f32", outer, inner, float(epsilon), x, scale, out=x.shape)
    assert same(found, (x * inverse[:, None]) * scale)


@few
@given(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), sizes, seeds)
def test_group_and_batch_normalisation(simd, batch, groups, members, inner, seed):
    channels = groups * members
    x = random(seed, batch, channels, inner)
    scale, bias, mean = (random(seed + i, channels) for i in (1, 2, 3))
    variance = np.abs(random(seed + 4, channels)) + np.float32(0.1)
    eps = np.float32(1e-2)
    grouped = x.reshape(batch, groups, -1).astype(np.float64)
    normal = grouped - grouped.mean(-1, keepdims=True)
    normal /= np.sqrt((normal**2).mean(-1, keepdims=True) + eps)
    expected = normal.reshape(x.shape) * scale[:, None] + bias[:, None]
    found = simd(
        "group_norm_f32", batch, channels, groups, inner, float(eps), x, scale, bias, out=x.shape
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    factor = scale / np.sqrt(variance + eps)
    expected = (x - mean[:, None]) * factor[:, None] + bias[:, None]
    found = simd(
        "batch_norm_f32",
        batch,
        channels,
        inner,
        float(eps),
        x,
        scale,
        bias,
        mean,
        variance,
        out=x.shape,
    )
    assert same(found, expected)


# ---- windows

window = st.tuples(
    st.integers(1, 24),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(0, 2),
).filter(lambda w: w[0] + w[4] + w[5] > w[3] * (w[1] - 1))


@few
@given(st.integers(1, 3), window, window, st.booleans(), seeds)
def test_pooling(simd, planes, rows, columns, count_pad, seed):
    size, kernel, stride, dilation, pad, end = zip(rows, columns, strict=True)
    pool, out = _pool(planes, size, kernel, stride, dilation, pad, end, int(count_pad))
    x = random(seed, planes, *size)
    largest = np.full(out, -np.inf, np.float32)
    sums = np.zeros(out, np.float32)
    counts = np.zeros(out, np.float32)
    for oy, ox in np.ndindex(*out[1:]):
        for kx in range(kernel[1]):
            column = np.zeros(planes, np.float32)
            for ky in range(kernel[0]):
                y = oy * stride[0] + ky * dilation[0] - pad[0]
                at = ox * stride[1] + kx * dilation[1] - pad[1]
                real = 0 <= y < size[0] and 0 <= at < size[1]
                padded = -pad[0] <= y < size[0] + end[0] and -pad[1] <= at < size[1] + end[1]
                counts[:, oy, ox] += padded if count_pad else real
                if real:
                    column = column + x[:, y, at]
                    largest[:, oy, ox] = np.maximum(largest[:, oy, ox], x[:, y, at])
            sums[:, oy, ox] += column
    assert (simd("max_pool_f32", pool, x, out=out) == largest).all()
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    assert same(simd("average_pool_f32", pool, x, out=out), means)


@pytest.mark.parametrize(
    ("length", "kernel", "stride"), [(9001, 3, 2), (5000, 5000, 1), (9000, 4500, 7)]
)
def test_pooling_of_long_lines(simd, length, kernel, stride):
    """Lines and windows beyond the kernel's buffer."""
    x = random(5, 2, length)
    pool, out = _pool(2, (1, length), (1, kernel), (1, stride))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=1)[:, ::stride]
    assert (simd("max_pool_f32", pool, x, out=out)[:, 0] == windows.max(-1)).all()
    sums = np.zeros(windows.shape[:2], np.float32)
    for k in range(kernel):
        sums += windows[..., k]
    assert same(simd("average_pool_f32", pool, x, out=out)[:, 0], sums / np.float32(kernel))


# ---- copies


@few
@given(st.permutations(range(4)), st.tuples(*[st.integers(1, 21)] * 4), st.integers(1, 3))
def test_copies_between_views(simd, order, shape, step):
    """A transposition of every `step`-th element of an axis."""
    count = np.prod(shape) * step
    x = np.arange(0x7F7FFFF0, 0x7F7FFFF0 + count, dtype=np.uint32).view(np.float32)
    x = x.reshape(*shape[:-1], shape[-1] * step)
    expected = np.ascontiguousarray(x[..., ::step].transpose(order))
    read = [s // 4 for s in x[..., ::step].transpose(order).strides]
    view = _walk(expected.shape, read, [s // 4 for s in expected.strides])
    assert same(simd("copy_32", view, x, out=expected.shape), expected)


def test_copies_into_a_part_leave_the_rest(simd):
    x = random(1, 5, 300)
    whole = random(2, 9, 400)
    expected = whole.copy()
    expected[:5, :300] = x
    view = _walk((5, 300), (300, 1), (400, 1))
    assert same(simd("copy_32", view, x, out=whole), expected)


# ---- attention


@few
@given(
    st.tuples(*[st.integers(1, 3)] * 3),
    st.tuples(st.integers(1, 9), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["none", "bias", "keep"]),
    st.booleans(),
    seeds,
)
def test_attention(simd, groups, size, masked, causal, seed):
    batch, kv_heads, group = groups
    queries, keys, width, v_width = size
    heads = kv_heads * group
    q = random(seed, batch, heads, queries, width)
    k = random(seed + 1, batch, kv_heads, keys, width)
    v = random(seed + 2, batch, kv_heads, keys, v_width)
    bias, keep = random(seed + 3, queries, keys), random(seed + 4, queries, keys) > -1
    scores = np.einsum("bhqd,bhkd->bhqk", q.astype(float), np.repeat(k, group, 1)) * 0.4
    scores = scores + bias if masked == "bias" else scores
    scores[np.broadcast_to(~keep, scores.shape) & (masked == "keep")] = -np.inf
    if causal:
        scores[..., np.triu(np.ones((queries, keys), bool), 1)] = -np.inf
    alone = (scores == -np.inf).all(-1, keepdims=True)
    weights = np.where(alone, 0, special.softmax(np.where(alone, 0, scores), axis=-1))
    expected = np.einsum("bhqk,bhkd->bhqd", weights, np.repeat(v, group, 1))

    def steps(tensor):
        return [s // 4 for s in tensor.strides[:3]]

    y = expected.astype(np.float32)
    shape = struct(
        batch, heads, kv_heads, queries, keys, width, v_width, int(causal),
        *map(steps, (q, k, v, np.ascontiguousarray(y))), (0, 0, keys), 1,
    )  # fmt: skip
    found = simd(
        "attention_f32", shape, 0.4, q, k, v,
        bias if masked == "bias" else None,
        keep.astype(np.uint8) if masked == "keep" else None,
        out=y.shape,
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_attention_to_nothing_is_zero(simd):
    q, k, v = random(1, 2, 4), random(2, 3, 4), random(3, 3, 5)
    shape = struct(1, 1, 1, 2, 3, 4, 5, 0, (0, 0, 4), (0, 0, 4), (0, 0, 5), (0, 0, 5), (0, 0, 3), 1)
    keep = np.array([[0, 0, 0], [0, 1, 0]], np.uint8)
    found = simd("attention_f32", shape, 0.5, q, k, v, None, keep, out=(2, 5))
    np.testing.assert_array_equal(found, [np.zeros(5), v[1]])


# ---- recurrent networks


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _unrolled(kind, x, w, r, b, h, c, *, before, relu):
    """The networks of ONNX's definition, in float64: all states, the last ones."""
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind]
    ws, rs, bs = (np.split(t, gates) for t in (w, r, b[: len(w)] * 1.0))
    rb = np.split(b[len(w) :] * 1.0, gates)
    states = []
    for step in x:
        given = [step @ ws[i].T + bs[i] for i in range(gates)]
        kept = [h @ rs[i].T + rb[i] for i in range(gates)]
        if kind == "rnn":
            h = np.maximum(given[0] + kept[0], 0) if relu else np.tanh(given[0] + kept[0])
        elif kind == "gru":
            z, reset = _sigmoid(given[0] + kept[0]), _sigmoid(given[1] + kept[1])
            inner = reset * kept[2] if before else (reset * h) @ rs[2].T + rb[2]
            h = (1 - z) * np.tanh(given[2] + inner) + z * h
        else:
            i, o, f = (_sigmoid(given[k] + kept[k]) for k in range(3))
            c = f * c + i * np.tanh(given[3] + kept[3])
            h = o * np.tanh(c)
        states.append(h)
    return np.array(states), h, c


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
@few
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)),
    st.tuples(*[st.booleans()] * 3),
    seeds,
)
def test_recurrent_networks(simd, kind, size, flags, seed):
    steps, batch, width, hidden = size
    reverse, before, relu = flags
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind]
    x = random(seed, steps, batch, width)
    w = random(seed + 1, gates * hidden, width) / np.float32(4)
    r = random(seed + 2, gates * hidden, hidden) / np.float32(8)
    b, h = random(seed + 3, 2 * gates * hidden), random(seed + 4, batch, hidden)
    c = random(seed + 5, batch, hidden)
    order = slice(None, None, -1) if reverse else slice(None)
    wide = (t.astype(np.float64) for t in (x[order], w, r, b, h, c))
    states, last_h, last_c = _unrolled(kind, *wide, before=before, relu=relu)
    net = struct(
        steps,
        batch,
        width,
        hidden,
        batch * width,
        width,
        batch * hidden,
        hidden,
        hidden,
        int(reverse),
        int(before),
        int(relu),
    )
    tail = (c,) if kind == "lstm" else ()
    more = (None,) if kind == "lstm" else ()
    name, close = f"{kind}_f32", {"rtol": 1e-4, "atol": 1e-5}
    found = simd(name, net, x, w, r, b, h, *tail, None, *more, out=h.shape)
    np.testing.assert_allclose(found, last_c if kind == "lstm" else last_h, **close)
    every = _outputs(simd, name, (net, x, w, r, b, h, *tail), states.shape, len(more))
    np.testing.assert_allclose(every, states[order], **close)


def _outputs(operators, name, arguments, shape, more):
    """The states of all steps: their pointer is not the last argument."""
    arrays = [*arguments, np.zeros(shape, np.float32)]
    at, places = operators.base, []
    for array in arrays:
        data = np.ascontiguousarray(array)
        needed = at + data.nbytes + 64 - operators.memory.data_len(operators.store)
        if needed > 0:
            operators.memory.grow(operators.store, -(-needed // 65536))
        operators.memory.write(operators.store, data.tobytes(), at)
        places.append(at)
        at += -(-data.nbytes // 64) * 64
    operators.exports[f"caimi_{name}"](operators.store, *places, 0, *[0] * more)
    end = places[-1] + 4 * int(np.prod(shape))
    data = bytes(operators.memory.read(operators.store, places[-1], end))
    return np.frombuffer(data, np.float32).reshape(shape)
