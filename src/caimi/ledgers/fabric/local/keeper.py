"""A local network as one program, which ends when a process of the network does.

Whoever looks after it starts it again then, and all goes on where it was: each block that anybody
was told of is on the peers' disks.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from caimi.errors.base import CaimiError
from caimi.ledgers.fabric.local.hosting import place_in, running_ledger
from caimi.ledgers.fabric.local.kept_place import write_place

_log = logging.getLogger(__name__)


async def run(folder: Path) -> None:
    """Run the network in a folder until it is told to end.

    Raises:
        FabricNodeFailed: a process of it ended.
        FabricError: as `running_ledger`.
    """
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with running_ledger(folder) as network:
        place = place_in(network.layout, folder.name)
        write_place(folder, place)
        _log.info("%s runs", place.id)
        tasks = [asyncio.create_task(work) for work in (ended.wait(), network.ended())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program: ``--folder``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    told = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        asyncio.run(run(told.folder.absolute()))
    except (CaimiError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
