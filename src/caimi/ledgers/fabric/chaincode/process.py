"""A chaincode as a program: it serves one contract until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from caimi.errors.base import CaimiError
from caimi.ledgers.fabric.chaincode.shim import ChaincodeTls, serving_chaincode
from caimi.ledgers.fabric.chaincode.stub import ChaincodeContract
from caimi.logs import logger

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class ChaincodePlace:
    """Under which package's id, where, and with which files a chaincode is served."""

    package_id: str
    address: str
    certificate: Path
    key: Path
    client_roots: Path

    def arguments(self) -> list[str]:
        """Give the options that say so."""
        return [
            f"--package-id={self.package_id}",
            f"--address={self.address}",
            f"--certificate={self.certificate}",
            f"--key={self.key}",
            f"--client-roots={self.client_roots}",
        ]

    @classmethod
    def read(cls, arguments: Sequence[str]) -> ChaincodePlace:
        """Read them; what cannot be read ends the program."""
        parser = argparse.ArgumentParser(description="Serves a chaincode to its peer.")
        parser.add_argument("--package-id", required=True, help="label and hash of the package")
        parser.add_argument("--address", required=True, help="host:port to listen at")
        parser.add_argument("--certificate", required=True, type=Path, help="for TLS, in PEM")
        parser.add_argument("--key", required=True, type=Path, help="the certificate's, in PEM")
        parser.add_argument(
            "--client-roots", required=True, type=Path, help="whose certificates peers show, in PEM"
        )
        return cls(**vars(parser.parse_args(arguments)))

    def tls(self) -> ChaincodeTls:
        """Read the files.

        Raises:
            OSError: as the system says.
        """
        return ChaincodeTls(
            self.certificate.read_bytes(), self.key.read_bytes(), self.client_roots.read_bytes()
        )


def main(contract: ChaincodeContract, arguments: Sequence[str] | None = None) -> int:
    """Serve a contract as the command line says, until SIGTERM or SIGINT; give the exit status."""
    logging.basicConfig(level=logging.INFO)
    place = ChaincodePlace.read(sys.argv[1:] if arguments is None else arguments)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(contract, place))
    except (CaimiError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


async def serve(contract: ChaincodeContract, place: ChaincodePlace) -> None:
    """Serve a contract until SIGTERM or SIGINT; then finish what is under way.

    Raises:
        FabricNodeFailed: nothing can listen there.
        OSError: as the system says of the files.
    """
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with serving_chaincode(place.package_id, contract, place.address, place.tls()):
        _log.info("The chaincode serves package %s on %s.", place.package_id, place.address)
        await ended.wait()
        _log.info("Told to stop: finishing what is under way.")
