"""Machine code is kept between runs of the program, and nobody else's is run."""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import wasm_modules as modules

from caimi.errors.inference import CacheUnsafe
from caimi.inference.wasm.hosting.code_cache import CodeCache
from caimi.inference.wasm.hosting.host import ModuleHost
from caimi.inference.wasm.hosting.weights import FileWeights
from caimi.inference.wasm.module import CompiledModule

KEY, OTHER = b"\1" * 32, b"\2" * 32
CODE = bytes(range(256)) * 40


@pytest.fixture
def directory(tmp_path) -> Path:
    return tmp_path / "below" / "cache"


@pytest.fixture
def cache(directory):
    made = CodeCache(directory)
    yield made
    made.close()


def blob(directory: Path, key: bytes = KEY) -> Path:
    return directory / f"{key.hex()}.code"


def test_code_is_found_again_by_its_key_only(cache, directory):
    cache.put(KEY, CODE)
    again = CodeCache(directory)
    assert (again.get(KEY), again.get(OTHER)) == (CODE, None)
    again.close()


def test_only_the_user_can_read_or_write_it(cache, directory):
    cache.put(KEY, CODE)
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert directory.stat().st_mode & 0o777 == 0o700
    assert modes == {"key": 0o600, blob(directory).name: 0o600}


@pytest.mark.parametrize("mode", [0o750, 0o702, 0o777])
def test_a_directory_that_is_open_to_others_is_refused(directory, mode):
    directory.mkdir(parents=True)
    directory.chmod(mode)
    with pytest.raises(CacheUnsafe, match="open to others"):
        CodeCache(directory)


def test_a_link_or_a_file_is_no_directory(directory, tmp_path):
    directory.parent.mkdir()
    directory.symlink_to(tmp_path)
    with pytest.raises(CacheUnsafe):
        CodeCache(directory)
    with pytest.raises(CacheUnsafe):
        CodeCache(Path(__file__))


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_changed_bit_is_found_and_the_blob_removed(cache, directory, place):
    cache.put(KEY, CODE)
    data = bytearray(blob(directory).read_bytes())
    data[place] ^= 1
    blob(directory).write_bytes(data)
    assert cache.get(KEY) is None
    assert not blob(directory).exists()


@pytest.mark.parametrize("size", [0, 31, 32, 500])
def test_a_blob_that_was_cut_off_is_not_used(cache, directory, size):
    cache.put(KEY, CODE)
    os.truncate(blob(directory), size)
    assert cache.get(KEY) is None


def test_a_blob_under_another_name_or_of_another_cache_is_not_used(cache, directory, tmp_path):
    cache.put(KEY, CODE)
    shutil.copy(blob(directory), blob(directory, OTHER))
    assert cache.get(OTHER) is None
    foreign = CodeCache(tmp_path / "foreign")
    foreign.put(OTHER, CODE)
    shutil.copy(blob(tmp_path / "foreign", OTHER), blob(directory, OTHER))
    assert cache.get(OTHER) is None
    foreign.close()


def test_a_link_is_not_followed(cache, directory, tmp_path):
    cache.put(KEY, CODE)
    blob(directory).rename(tmp_path / "elsewhere")
    blob(directory).symlink_to(tmp_path / "elsewhere")
    assert cache.get(KEY) is None


def test_what_was_not_used_for_longest_makes_room(directory):
    cache = CodeCache(directory, most_bytes=35_000)
    for number in range(3):
        cache.put(bytes([number]) * 32, CODE)
        os.utime(blob(directory, bytes([number]) * 32), (number + 1, number + 1))
    assert cache.get(bytes(32)) == CODE
    cache.put(b"\3" * 32, CODE)
    assert [cache.get(bytes([number]) * 32) is not None for number in range(4)] == [
        True, False, True, True,
    ]  # fmt: skip
    cache.close()


def test_a_cache_that_cannot_be_written_to_keeps_nothing_and_breaks_nothing(cache, directory):
    shutil.rmtree(directory)
    cache.put(KEY, CODE)
    assert cache.get(KEY) is None


def test_a_host_takes_from_the_cache_what_another_compiled(cache, directory):
    module = CompiledModule.parse(modules.compiled())
    weights = FileWeights(Path("/nowhere"))
    with ModuleHost(cache) as host:
        host.load(module, weights).close()
    (kept,) = directory.glob("*.code")
    written = kept.stat().st_ino, kept.read_bytes()
    with ModuleHost(cache) as host, host.load(module, weights) as session:
        outputs = session.run({"x": np.ones(4, np.float32)}).outputs
        assert outputs["y"].tolist() == [2, 2, 2, 2]
        host.machine_code(CompiledModule.parse(modules.compiled(more="(func)")))
    assert (kept.stat().st_ino, kept.read_bytes()) == written
    assert len(list(directory.glob("*.code"))) == 2


def test_a_module_from_the_cache_is_ready_in_a_fraction_of_a_second(cache):
    module = CompiledModule.parse(modules.compiled())
    with ModuleHost(cache) as host:
        host.machine_code(module)
        took = []
        for _ in range(6):
            time.sleep(0.15)
            began = time.monotonic()
            host.load(module, FileWeights(Path("/nowhere"))).close()
            took.append(time.monotonic() - began)
    assert min(took) < 0.5


def test_a_host_that_may_not_keep_code_runs_without(directory):
    directory.mkdir(parents=True)
    module, weights = CompiledModule.parse(modules.compiled()), FileWeights(Path("/nowhere"))
    for mode in (0o777, 0o700):
        directory.chmod(mode)
        with ModuleHost.caching_in(directory) as host, host.load(module, weights) as session:
            session.run({"x": np.ones(4, np.float32)})
        assert bool(list(directory.glob("*.code"))) == (mode == 0o700)
