"""Hosts in namespaces of their own, and delays between them.

The delays are made in user space by ``forwarder.py``, over a TUN device in each host, and not by
``tc netem``: many kernels have no sch_netem, those that do need root to use it, and one
implementation is measured the same everywhere. Hosts reach one another and themselves, and nothing
else: no packet leaves the machine. Neither root nor an installed program beyond util-linux is
needed; what a machine forbids is said with what to do.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

_HERE = Path(__file__).parent
_NAMESPACES = ("--user", "--net", "--uts", "--mount", "--pid")
_START_SECONDS = 20.0
_SAID = (
    "{what} failed: {why}. Hosts of the tests' wide-area network need util-linux (unshare and "
    "nsenter), /dev/net/tun open to this user, and user namespaces: where they are restricted, "
    "run as root, or set kernel.unprivileged_userns_clone=1 and "
    "kernel.apparmor_restrict_unprivileged_userns=0; a container needs "
    "--device /dev/net/tun and --security-opt seccomp=unconfined."
)


class NoWideArea(Exception):
    """This machine lets nobody make hosts; it says what to do."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(_SAID.format(what=what, why=why.strip() or "it said nothing"))


class WideArea:
    """A running network. `addresses` are hosts' by name."""

    def __init__(
        self,
        addresses: Mapping[str, str],
        keepers: Mapping[str, int],
        forwarder: subprocess.Popen[str],
    ) -> None:
        self.addresses = dict(addresses)
        self._keepers = dict(keepers)
        self._forwarder = forwarder

    def on(self, host: str, *words: str) -> list[str]:
        """Give the command line that runs `words` on a host, in the root directory."""
        target = f"--target={self._keepers[host]}"
        return ["nsenter", target, *_NAMESPACES, "--preserve-credentials", "--", *words]

    def cut(self, one: str, other: str) -> None:
        """Let nothing through between two hosts, not even what is under way."""
        self._change(one, other, up=False)

    def heal(self, one: str, other: str) -> None:
        """Let all through again."""
        self._change(one, other)

    def lose(self, one: str, other: str, share: float) -> None:
        """Lose that share of the packets between two hosts, each by chance."""
        self._change(one, other, loss=share)

    def _change(self, one: str, other: str, *, up: bool = True, loss: float = 0.0) -> None:
        link = [self.addresses[one], self.addresses[other]]
        assert self._forwarder.stdin is not None
        assert self._forwarder.stdout is not None
        self._forwarder.stdin.write(json.dumps({"link": link, "up": up, "loss": loss}) + "\n")
        self._forwarder.stdin.flush()
        if self._forwarder.stdout.readline() != "done\n":
            raise RuntimeError("The forwarder of the wide-area network has ended.")


@contextmanager
def wide_area(
    folder: Path,
    names: Mapping[str, Sequence[str]],
    round_trips: Mapping[tuple[str, str], float],
) -> Iterator[WideArea]:
    """Run hosts, each by its short name with the names that others know it by.

    `round_trips` are seconds for each pair. Each host has the folder of its name in `folder` as its
    /srv, and all have the folder `shared` there as /srv/caimi. What runs on a host ends with it.

    Raises:
        NoWideArea: the machine forbids it; it says what to do.
    """
    addresses = {name: f"10.77.0.{number}" for number, name in enumerate(names, start=11)}
    (folder / "shared").mkdir()
    hosts = folder / "hosts"
    lines = [f"{addresses[name]} {' '.join((name, *known))}" for name, known in names.items()]
    hosts.write_text("\n".join(["127.0.0.1 localhost", *lines]) + "\n")
    with ExitStack() as stack:
        keepers, devices = {}, {}
        for name, address in addresses.items():
            keepers[name], device = _host(stack, name, address, folder)
            devices[address] = device
        plan = {
            "devices": {address: device.fileno() for address, device in devices.items()},
            "delays": {
                f"{addresses[one]} {addresses[other]}": seconds / 2
                for (one, other), seconds in round_trips.items()
            },
        }
        forwarder = subprocess.Popen(
            [sys.executable, str(_HERE / "forwarder.py"), json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[device.fileno() for device in devices.values()],
        )
        stack.callback(_end, forwarder)
        for device in devices.values():
            device.close()
        yield WideArea(addresses, keepers, forwarder)


class _Device:
    """A file descriptor that closes once."""

    def __init__(self, number: int) -> None:
        self._file = open(number, "rb", buffering=0)  # noqa: SIM115

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


def _host(stack: ExitStack, name: str, address: str, folder: Path) -> tuple[int, _Device]:
    """Start a host; give the process that keeps it, and its device."""
    (folder / name / "caimi").mkdir(parents=True)
    places = {"/etc/hosts": "hosts", "/srv": name, "/srv/caimi": "shared"}
    binds = {target: str(folder / source) for target, source in places.items()}
    for program in ("unshare", "nsenter"):
        if shutil.which(program) is None:
            raise NoWideArea(program, "it is not installed")
    ours, theirs = socket.socketpair()
    stack.callback(ours.close)
    with theirs:
        keeper = subprocess.Popen(
            [
                *(
                    "unshare",
                    *_NAMESPACES,
                    "--map-root-user",
                    "--fork",
                    "--kill-child",
                    "--mount-proc",
                ),
                *("--", sys.executable, str(_HERE / "host.py"), name, address),
                *(json.dumps(binds), str(theirs.fileno())),
            ],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[theirs.fileno()],
        )
    stack.callback(_end, keeper)
    ours.settimeout(_START_SECONDS)
    try:
        said, found, _, _ = socket.recv_fds(ours, 16, 1)
    except TimeoutError as error:
        raise NoWideArea(f"The host {name}", "it did not begin in time") from error
    if not said or not found:
        assert keeper.stderr is not None
        raise NoWideArea(f"The host {name}", keeper.stderr.read()[-500:])
    inner = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text().split()
    return int(inner[0]), _Device(found[0])


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
