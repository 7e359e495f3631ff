"""A systemd unit for a service: it may do what the service does, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from caimi.credentials import CREDENTIAL

_UNIT: Final = """\
# Written by CAIMI, and checked by `systemd-analyze verify`; look it over before you enable it.
[Unit]
Description=CAIMI {what}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=exec
User={user}
Group={user}
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
StandardInput=null
LoadCredential={credential}:{secret}
ReadWritePaths={writes}
Restart=on-failure
RestartSec=5
KillSignal=SIGTERM
TimeoutStopSec=60
UMask=0077
LimitNOFILE=4096

NoNewPrivileges=true
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=true
PrivateDevices=true
ProtectClock=true
ProtectControlGroups=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectProc=invisible
CapabilityBoundingSet=
AmbientCapabilities=
LockPersonality=true
RemoveIPC=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


def systemd_unit(
    what: str, command: Sequence[str], writes: Path, secret: Path, *, user: str = "caimi"
) -> str:
    """Give the unit of a service that runs `command` and writes below `writes`.

    `secret` is the file with its passphrase, which systemd reads as root and hands over.
    """
    return _UNIT.format(
        what=_escaped(what),
        command=" ".join(map(_quoted, command)),
        credential=CREDENTIAL,
        secret=_escaped(str(secret)),
        writes=_quoted(str(writes)),
        user=user,
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%").replace("\n", " ")


def _quoted(word: str) -> str:
    """Write a word as systemd reads it: quoted, without specifiers and variables."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_escaped(plain)}"'
