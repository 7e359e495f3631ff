"""Each decoder keeps its law on damaged inputs; `make fuzz` gives it millions."""

from __future__ import annotations

import importlib
from random import Random

import pytest

from caimi.errors.ids import InvalidLedgerId
from fuzz.campaign import batches, play
from fuzz.decoder import Decoder, Law
from fuzz.registry import COVERED, DECODERS, EXCUSED, is_accounted_for, lookalikes

SEED = 3
SHORTLY = {name: size for name, batch, size in batches(list(DECODERS), 40_000) if batch == 0}


@pytest.mark.parametrize("name", DECODERS)
def test_a_damaged_input_is_refused_by_name_or_read_in_its_one_spelling(name: str):
    assert play(name, SEED, 0, SHORTLY[name]).breaches == ()


@pytest.mark.parametrize("name", DECODERS)
def test_valid_inputs_keep_the_law_too(name: str):
    decoder = DECODERS[name]
    whole = [decoder.breach(each) for each in map(decoder.undamaged, decoder.corpus)]
    assert whole == [None] * len(decoder.corpus)


def test_every_function_that_looks_like_a_decoder_is_fuzzed_or_excused():
    assert [name for name in lookalikes() if not is_accounted_for(name)] == []


def test_what_is_named_as_fuzzed_or_excused_exists():
    assert [name for name in sorted(COVERED | EXCUSED.keys()) if not _exists(name)] == []


def _exists(name: str) -> bool:
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_one_seed_gives_the_same_inputs_again():
    decoder = DECODERS["erc7930"]
    first, again = ([decoder.damaged(Random(5)) for _ in range(50)] for _ in range(2))
    assert first == again


def _sloppy(text: str) -> str:
    if text.lower() == "eip155:1":
        return text.lower()
    raise InvalidLedgerId("no")


def _crashing(text: str) -> str:
    return {"eip155:1": text}[text]


@pytest.mark.parametrize("decode", [_sloppy, _crashing])
def test_a_decoder_that_breaks_its_law_is_noticed(decode):
    decoder = Decoder("sloppy", (), lambda: ["eip155:1"], decode, str, Law.ONE_SPELLING)
    draw = Random(1)
    assert any(decoder.breach(decoder.damaged(draw)) for _ in range(500))
