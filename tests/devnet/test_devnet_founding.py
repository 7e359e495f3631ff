"""What the first time of a network leaves, killed in the middle, lets the next one go on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from caimi.credentials import read_secret_file
from caimi.devnet.founding import PASSPHRASE, Founding

KILLED_AT_ITS_WRITE = """
import resource, signal, sys
from pathlib import Path
from caimi.devnet.founding import Founding
folder = Path(sys.argv[1])
founding = Founding(folder.parent, folder, folder / "processes", print)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
founding._write_passphrase()
"""


def founding(folder: Path) -> Founding:
    return Founding(folder.parent, folder, folder / "processes", lambda text: None)


def test_killed_as_it_writes_the_passphrase_the_next_one_writes_it_whole(tmp_path: Path) -> None:
    folder = tmp_path / ".caimi"
    folder.mkdir(mode=0o700)
    command = [sys.executable, "-B", "-c", KILLED_AT_ITS_WRITE, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGXFSZ, done.stderr
    founding(folder)._write_passphrase()
    written = read_secret_file(folder / PASSPHRASE)
    assert len(written) == 32
    founding(folder)._write_passphrase()
    assert read_secret_file(folder / PASSPHRASE) == written
    assert (folder / PASSPHRASE).stat().st_mode & 0o777 == 0o600
