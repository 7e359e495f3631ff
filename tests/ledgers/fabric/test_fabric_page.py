"""docs/fabric.md, typed as it stands by two organisations' administrators on a real network."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from consortium import Consortium, Home, two_organisations
from fabric_site import SOURCE

from caimi.ledgers.fabric.local.layout import LocalMember
from caimi.ledgers.fabric.local.node_settings import peer_folder
from caimi.ledgers.fabric.local.programs import find_programs
from played_page import blocks_of, script_of

PAGE = SOURCE.parent / "docs" / "fabric.md"
SECONDS = 240


@pytest.fixture
def consortium(tmp_path: Path) -> Iterator[Consortium]:
    with two_organisations(tmp_path) as found:
        (tmp_path / "handed-round").mkdir()
        (tmp_path / "bin").mkdir()
        program = tmp_path / "bin" / "caimi"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m caimi.cli "$@"\n')
        program.chmod(0o700)
        for home, other in zip(found.homes, reversed(found.homes), strict=True):
            furnish(found, home, other)
        yield found
        for home in found.homes:
            end_what_runs(home)


def end_what_runs(home: Home) -> None:
    """End the process that was started in the background."""
    known = home.folder.parent / f"variables-{home.organisation.msp}"
    if known.exists():
        process = re.search(r'^declare -x CHAINCODE="(\d+)"$', known.read_text(), re.MULTILINE)
        if process is not None:
            with suppress(ProcessLookupError):
                os.kill(int(process[1]), signal.SIGKILL)


def furnish(consortium: Consortium, home: Home, other: Home) -> None:
    """Give an administrator the files that the page begins with."""
    of, layout = home.organisation, consortium.network.layout

    def copy(member: LocalMember, name: str) -> None:
        shutil.copy(member.certificate, home.folder / f"{name}.pem")
        shutil.copy(member.key, home.folder / f"{name}.key")

    for member, name in (
        (of.admin, "admin"),
        (of.user, "member"),
        (of.end("peer"), "peer-tls"),
        (of.end("chaincode"), "chaincode-tls"),
        (of.end("client"), "client-tls"),
    ):
        copy(member, name)
    shutil.copy(of.tls_root, home.folder / "tls-ca.pem")
    shutil.copy(layout.orderers.tls_root, home.folder / "orderer-ca.pem")
    shutil.copy(other.organisation.tls_root, home.folder / "other-tls-ca.pem")
    msp = home.folder / "msp"
    shutil.copytree(of.peer.folder / "msp", msp)
    shutil.copy(of.admin.certificate, msp / "signcerts" / "cert.pem")
    shutil.copy(of.admin.key, msp / "keystore" / "key_sk")
    said = {
        "FABRIC_CFG_PATH": peer_folder(of),
        "FABRIC_LOGGING_SPEC": "error",
        "CORE_PEER_ADDRESS": of.peer_address,
        "CORE_PEER_LOCALMSPID": of.msp,
        "CORE_PEER_MSPCONFIGPATH": msp,
        "CORE_PEER_TLS_ENABLED": "true",
        "CORE_PEER_TLS_ROOTCERT_FILE": home.folder / "tls-ca.pem",
        "CORE_PEER_TLS_CLIENTAUTHREQUIRED": "true",
        "CORE_PEER_TLS_CLIENTCERT_FILE": home.folder / "client-tls.pem",
        "CORE_PEER_TLS_CLIENTKEY_FILE": home.folder / "client-tls.key",
        "ORDERER": layout.orderer_address,
        "CHAINCODE_ADDRESS": of.chaincode_address,
        "OTHER_ADDRESS": other.organisation.peer_address,
        "OTHER_MSP": other.organisation.msp,
    }
    lines = [f'export {name}="{value}"\n' for name, value in said.items()]
    (home.folder / "peer.env").write_text("".join(lines))


def type_at(home: Home, commands: list[str]) -> tuple[int, str]:
    """Type commands; variables are kept, and what runs in the background goes on."""
    script = (
        "if [ -f ../variables-$ORGANISATION ]; then . ../variables-$ORGANISATION; fi\nset -a\n"
        "trap '[ $? = 0 ] || cat printed' EXIT\n"
        f"{script_of(commands)}export -p > ../variables-$ORGANISATION\n"
    )
    programs = [str(home.folder.parent / "bin"), str(find_programs().peer.parent)]
    environment = {
        "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
        "HOME": str(home.folder),
        "PYTHONPATH": home.environment["PYTHONPATH"],
        "COLUMNS": "200",
        "LANG": "C.UTF-8",
        "ORGANISATION": home.organisation.msp,
    }
    log = home.folder.parent / f"typed-{home.organisation.msp}"
    with log.open("w+b") as opened:
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=home.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=opened,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
    return done.returncode, log.read_text()


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_every_command_of_the_page_does_what_it_says(consortium: Consortium) -> None:
    homes = dict(zip(("org1", "org2"), consortium.homes, strict=True))
    began = time.monotonic()
    for title, commands in blocks_of(PAGE):
        who, _, code = title.partition(": ")
        for name in who.split(", "):
            status, said = type_at(homes[name], commands)
            sys.stderr.write(f"{time.monotonic() - began:6.1f} {name}: {commands[0][:70]}\n")
            if code:
                assert status != 0, said
                assert code in said, said
            else:
                assert status == 0, f"{name}: {said}"
