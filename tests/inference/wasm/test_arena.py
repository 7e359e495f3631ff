"""The memory of a run: tensors that live together never share a byte."""

from hypothesis import given
from hypothesis import strategies as st

from caimi.inference.wasm.compiling.arena import ALIGNMENT, Lifetime, plan_arena

spans = st.tuples(st.integers(0, 5000), st.integers(0, 30), st.integers(0, 30))


def lifetimes(entries: list[tuple[int, int, int]]) -> list[Lifetime]:
    return [Lifetime(f"t{n}", size, min(a, b), max(a, b)) for n, (size, a, b) in enumerate(entries)]


@given(st.lists(spans, max_size=40))
def test_tensors_needed_at_one_step_do_not_overlap(entries):
    tensors = lifetimes(entries)
    arena = plan_arena(tensors)
    for n, one in enumerate(tensors):
        start = arena.offsets[one.name]
        assert start % ALIGNMENT == 0
        assert start + one.size <= arena.size
        for other in tensors[:n]:
            if one.meets(other):
                first, last = sorted((one, other), key=lambda t: arena.offsets[t.name])
                assert arena.offsets[first.name] + first.size <= arena.offsets[last.name]


@given(st.lists(spans, min_size=1, max_size=40))
def test_the_whole_is_no_larger_than_all_tensors_side_by_side(entries):
    tensors = lifetimes(entries)
    side_by_side = sum(-(-max(t.size, 1) // ALIGNMENT) * ALIGNMENT for t in tensors)
    assert plan_arena(tensors).size <= side_by_side


def test_a_chain_of_tensors_takes_two_places():
    chain = [Lifetime(f"t{n}", 1024, n, n + 1) for n in range(20)]
    assert plan_arena(chain).size == 2048
