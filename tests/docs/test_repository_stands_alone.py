"""A clone works anywhere: nothing in it names one machine or one package index."""

import re

# The first folders of machines' own paths, as they begin a word.
_MACHINE_PATH = re.compile(r"""(?:^|[\s"'`=(:,])/(?:work|home|root|Users|opt)/\w""", re.MULTILINE)
_INDEX_HOST = re.compile(r"(?:pypi|pythonhosted|npmjs|yarnpkg)\.(?:org|com|io)\b")


def _hits(pattern, repository, tracked_files):
    return [
        f"{path}: {match.group().strip()}"
        for path in tracked_files
        if (text := _text(repository / path)) and (match := pattern.search(text))
    ]


def _text(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_no_tracked_file_names_a_path_of_one_machine(repository, tracked_files):
    assert _hits(_MACHINE_PATH, repository, tracked_files) == []


def test_no_tracked_file_names_a_package_index(repository, tracked_files):
    assert _hits(_INDEX_HOST, repository, tracked_files) == []


def test_the_locks_take_nothing_without_a_hash(repository):
    for lock in sorted((repository / "requirements").glob("*.txt")):
        requirements = re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n", "", lock.read_text()))
        unhashed = [line for line in requirements if line.strip() and "--hash=sha256:" not in line]
        assert unhashed == [], lock.name


def test_the_development_and_bench_locks_contain_the_runtime_lock(repository):
    pins = {
        lock.stem: set(re.findall(r"^(\S+==\S+)", lock.read_text(), re.MULTILINE))
        for lock in (repository / "requirements").glob("*.txt")
    }
    assert pins["runtime"]
    assert pins["runtime"] <= pins["dev"]
    assert pins["runtime"] <= pins["bench"]
