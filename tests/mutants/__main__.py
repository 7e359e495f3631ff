"""Removes guards of the trust core one at a time and demands that tests notice.

``python -m mutants`` judges every guard; ``--kind other --sample 300`` other changes, by a seed;
``--report`` tells what is known. Verdicts are kept: a campaign goes on where it stopped.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from mutants import python_mutants, solidity_mutants
from mutants.accepted import accepted
from mutants.mutant import Kind, Mutant
from mutants.python_judge import PythonJudge
from mutants.solidity_judge import SolidityJudge
from mutants.targets import EVM, ROOT, TARGETS, Language, Target
from mutants.verdicts import Files, Verdict, Verdicts

_LEAST_KILLED = 0.95
_RECORD = Path(__file__).with_name("verdicts.jsonl")


@dataclass(frozen=True, slots=True)
class Suspect:
    """A mutant, the tests that it faces, and what the files of both read."""

    mutant: Mutant
    target: Target
    files: Files


def find(language: Language, *, relaxed: bool) -> Iterator[Suspect]:
    """Give every mutant of a language, in order; `relaxed` as `solidity_mutants.find`."""
    targets = [target for target in TARGETS if target.language == language]
    sources = {path: (ROOT / path).read_bytes() for each in targets for path in each.files()}
    if language == "python":
        mutants = {path: python_mutants.find(path, source) for path, source in sources.items()}
    else:
        mutants = solidity_mutants.find_all(sources, EVM / "solc", relaxed=relaxed)
    for target in targets:
        for path in target.files():
            seen = Files.of(target, path)
            yield from (Suspect(mutant, target, seen) for mutant in mutants[path])


def sample(suspects: list[Suspect], count: int, seed: int) -> list[Suspect]:
    """Draw some of all."""
    # Ordered by name first, so that a sample stays much the same when files are edited.
    by_name = sorted(suspects, key=lambda each: each.mutant.id)
    drawn = random.Random(seed).sample(by_name, min(count, len(by_name)))
    return sorted(drawn, key=lambda each: each.mutant)


def of_one_file(suspects: list[Suspect], seed: int) -> list[Suspect]:
    """Take those of one file, drawn in proportion to what it has: little is built for them."""
    quick = [each for each in suspects if each.mutant.switch or each.target.language == "python"]
    path = random.Random(seed).choice(quick).mutant.path
    return [each for each in quick if each.mutant.path == path]


def judge(chosen: list[Suspect], verdicts: Verdicts, folder: Path, *, relaxed: bool) -> None:
    """Judge those of which nothing is known yet, and say what came of each."""
    open_ones = [each for each in chosen if verdicts.get(each.mutant.id, each.files) is None]
    print(f"{len(chosen)} mutants, {len(chosen) - len(open_ones)} judged before", flush=True)
    began = time.monotonic()
    done = 0
    for target in TARGETS:
        mine = [each for each in open_ones if each.target == target]
        if not mine:
            continue
        by_id = {each.mutant.id: each.mutant for each in mine}
        with closing(_judge_of(target, folder, mine[0].files, relaxed=relaxed)) as judging:
            for verdict in judging.judge([(each.mutant, each.files) for each in mine]):
                verdicts.add(verdict)
                done += 1
                left = (time.monotonic() - began) / done * (len(open_ones) - done)
                told = f"{verdict.outcome:<8} {verdict.seconds:5.1f} s  {by_id[verdict.id]}"
                print(
                    f"[{done}/{len(open_ones)}, {left / 60:.0f} min left] {told}  {verdict.by}",
                    flush=True,
                )


def _judge_of(
    target: Target, folder: Path, files: Files, *, relaxed: bool
) -> PythonJudge | SolidityJudge:
    if target.language == "solidity":
        return SolidityJudge(target, relaxed=relaxed)
    name = Path(target.tests).stem
    return PythonJudge(target, folder / f"reach-{name}-{files.tests}.json")


def report(chosen: list[Suspect], verdicts: Verdicts) -> int:
    """Tell how many were noticed and which were not; 1 where one survived without a reason."""
    known: list[tuple[Suspect, Verdict]] = []
    for each in chosen:
        verdict = verdicts.get(each.mutant.id, each.files)
        if verdict is not None:
            known.append((each, verdict))
    counted = [(each, verdict) for each, verdict in known if verdict.outcome != "invalid"]
    alive = [(each, verdict) for each, verdict in counted if verdict.outcome == "survived"]
    reasons = accepted(ROOT / "docs" / "faults.md")
    unexplained = [(each, verdict) for each, verdict in alive if each.mutant.id not in reasons]
    for each, verdict in alive:
        reason = reasons.get(each.mutant.id, "NO REASON IS WRITTEN DOWN")
        print(f"survived {each.mutant.id} {each.mutant}  {verdict.by}  ({reason})")
    share = 1 - len(alive) / len(counted) if counted else 1.0
    print(
        f"{len(chosen)} mutants: {len(counted) - len(alive)} noticed, {len(alive)} not "
        f"({len(unexplained)} without a reason), {len(known) - len(counted)} no mutants, "
        f"{len(chosen) - len(known)} not judged; {share:.1%} noticed"
    )
    return int(bool(unexplained) or (len(counted) >= 100 and share < _LEAST_KILLED))


def main(arguments: list[str] | None = None) -> int:
    """Judge what is asked for, and report."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--language", choices=get_args(Language), action="append")
    parser.add_argument("--kind", choices=get_args(Kind), default="guard")
    parser.add_argument("--sample", type=int, help="judge so many, drawn by the seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="judge those whose line contains this")
    parser.add_argument(
        "--relaxed", action="store_true", help="build Solidity anew so that one build serves all"
    )
    parser.add_argument(
        "--switched", action="store_true", help="leave out those that are built one at a time"
    )
    parser.add_argument("--one-file", action="store_true", help="of one file, drawn by the seed")
    parser.add_argument("--list", action="store_true", help="judge nothing, list them")
    parser.add_argument("--report", action="store_true", help="judge nothing, tell what is known")
    parser.add_argument("--state", type=Path, default=ROOT / ".mutants")
    parser.add_argument(
        "--record", action="store_true", help="judge nothing, write what is known to the record"
    )
    parser.add_argument(
        "--anew", action="store_true", help="judge what the record knows already, too"
    )
    options = parser.parse_args(arguments)
    record = None if options.anew else _RECORD
    if options.record:
        Verdicts(options.state / "verdicts.jsonl", _RECORD).write(_RECORD)
        return 0
    failed = 0
    for language in options.language or get_args(Language):
        suspects = list(find(language, relaxed=options.relaxed))
        chosen = [each for each in suspects if each.mutant.kind == options.kind]
        chosen = [each for each in chosen if options.only in str(each.mutant)]
        if options.switched:
            chosen = [each for each in chosen if each.mutant.switch or language == "python"]
        if options.one_file:
            chosen = of_one_file(chosen, options.seed)
        if options.sample is not None:
            chosen = sample(chosen, options.sample, options.seed)
        if options.list:
            print(*(f"{each.mutant.id} {each.mutant}" for each in chosen), sep="\n")
            continue
        verdicts = Verdicts(options.state / "verdicts.jsonl", record)
        if not options.report:
            judge(chosen, verdicts, options.state, relaxed=options.relaxed)
        failed |= report(chosen, verdicts)
    return failed


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.SubprocessError as error:
        sys.exit(f"A test run broke down: {error}")
