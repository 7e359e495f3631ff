"""A page's console blocks on machines of their own: a block's title says which machine types it.

A title is ``every machine``, or names with commas between; ``: CAIMI-N026`` at its end says that
its last command fails by that error. What a reader copies from another machine,
``NAME=0x…  # b1: caimi keys new guardian``, is taken from what that command printed there.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from played_page import script_of
from wide_area.network import WideArea

HOME = "/srv/operator"
SECONDS = 300
_TITLE = re.compile(r"(?P<who>[^:]*?)(, while (?P<killed>\w+) is killed)?(: (?P<code>CAIMI-\w+))?")
_ELSEWHERE = re.compile(r"^(\w+)=0x… +# (\w+): (.+)$")
_ACCOUNT = re.compile(r"0x[0-9a-fA-F]{40}\b")


@dataclass(frozen=True, slots=True)
class Heading:
    """What a block's title says: `killed` is a machine whose node dies in the middle."""

    machines: tuple[str, ...]
    killed: str | None = None
    code: str | None = None

    @classmethod
    def of(cls, title: str, known: tuple[str, ...]) -> Heading:
        """Read a title."""
        said = _TITLE.fullmatch(title)
        assert said is not None, title
        who = said["who"]
        machines = known if who == "every machine" else tuple(who.split(", "))
        assert set(machines) <= set(known), title
        return cls(machines, said["killed"], said["code"])


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a block on one machine; `said` is what it printed, each command before it."""

    status: int
    said: str


class Machines:
    """People at their machines.

    `folder` is that of the network, `environment` all that they begin with beside a home.
    """

    def __init__(self, wan: WideArea, folder: Path, environment: Mapping[str, str]) -> None:
        self._wan = wan
        self._folder = folder
        self._environment = {"HOME": HOME, "LANG": "C.UTF-8", **environment}
        self.printed: dict[str, str] = defaultdict(str)
        for name in wan.addresses:
            self.home(name).mkdir()

    def home(self, machine: str) -> Path:
        """Give a machine's home directory, as it is seen from here."""
        return self._folder / machine / HOME.removeprefix("/srv/")

    def variable(self, machine: str, name: str) -> str:
        """Give a shell variable of a machine."""
        text = (self.home(machine).parent / "variables").read_text()
        found = re.search(rf'^declare -x {name}="(.*)"$', text, re.MULTILINE)
        assert found is not None, name
        return found[1]

    def type_everywhere(self, machines: tuple[str, ...], commands: list[str]) -> dict[str, Played]:
        """Type the same on some machines, at the same time."""
        with ThreadPoolExecutor(len(machines)) as threads:
            typing = {name: threads.submit(self.type, name, commands) for name in machines}
            return {name: each.result() for name, each in typing.items()}

    def type(self, machine: str, commands: list[str]) -> Played:
        """Type commands on a machine; it keeps its variables, and its background goes on."""
        copied = [self._copied(command) for command in commands]
        script = (
            f"cd {HOME}\nif [ -f ../variables ]; then . ../variables; fi\nset -a\n"
            f"trap '[ $? = 0 ] || cat printed' EXIT\n"
            f"{script_of(copied)}export -p > ../variables\n"
        )
        log = self._folder / machine / "typed"
        with log.open("w+b") as opened:
            done = subprocess.run(
                self._wan.on(
                    machine,
                    *("env", "-i", *(f"{key}={value}" for key, value in self._environment.items())),
                    *("bash", "-c", script),
                ),
                stdin=subprocess.DEVNULL,
                stdout=opened,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
                check=False,
            )
        said = log.read_text()
        self.printed[machine] += said
        return Played(done.returncode, said)

    def kill(self, machine: str, process: str) -> None:
        """Kill a process of a machine, as when it loses its power."""
        words = self._wan.on(machine, "kill", "-KILL", process)
        subprocess.run(words, check=True, timeout=10)

    def _copied(self, command: str) -> str:
        asked = _ELSEWHERE.match(command)
        if asked is None:
            return command
        name, machine, printed_by = asked.groups()
        _, _, after = self.printed[machine].rpartition(f"$ {printed_by}\n")
        found = _ACCOUNT.search(after)
        assert found is not None, command
        return f"{name}={found[0]}"
