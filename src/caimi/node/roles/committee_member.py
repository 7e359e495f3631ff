"""A validator and custodian in one process: both read the same ledgers of one member's choice."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from caimi.composition.ledgers import family_of, open_views
from caimi.config import read_toml
from caimi.credentials import read_secret_file
from caimi.hex_text import read_either_case
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Ledger, LedgerId
from caimi.messaging.witnesses import Witnesses
from caimi.node.app import create_app
from caimi.node.node import Node
from caimi.node.roles.processes import ServiceProcess, told_by_signals
from caimi.node.settings import NodeSettings
from caimi.services.remote_signer import RemoteSigner
from caimi.tls.contexts import ClientTls, ServerTls, TlsFiles

LOOK_BACK_SECONDS: Final = 10.0


async def run_node(settings_file: Path, passphrase: bytes) -> None:
    """Serve a validator and custodian until the process is told to stop.

    Raises:
        ConfigInvalid, KeyLocked, CertificateExpired, LedgerUnavailable…: it cannot start.
    """
    async with told_by_signals(lambda: read_toml(settings_file, NodeSettings).logging) as told:
        await _run(settings_file, passphrase, told)


async def _run(settings_file: Path, passphrase: bytes, told: ServiceProcess) -> None:
    settings = read_toml(settings_file, NodeSettings)
    tls = server_tls(settings)
    signer = await asyncio.to_thread(LocalSigner.load, settings.path(settings.keystore), passphrase)
    async with AsyncExitStack() as stack:
        ledgers: dict[LedgerId, Ledger] = {}
        witnesses: dict[LedgerId, Witnesses] = {}
        for section in settings.ledgers:
            views = await open_views(stack, section)
            ledgers[LedgerId(section.id)] = next(iter(views.values()))
            witnesses[LedgerId(section.id)] = Witnesses(views, family_of(section).quorum(section))
        attestor = remote_attestor(settings)
        ibc_signers = {
            LedgerId(section.ledger): await asyncio.to_thread(
                LocalSigner.load, settings.path(section.keystore), passphrase
            )
            for section in settings.ibc_attestors
        }
        node = Node(
            settings,
            signer,
            ledgers,
            passphrase,
            witnesses=witnesses,
            attestor=attestor,
            ibc_signers=ibc_signers,
        )
        await node.open()
        looking = asyncio.create_task(node.look_back(LOOK_BACK_SECONDS))
        try:
            await told.serve(create_app(node), settings.host, settings.port, tls=tls)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


def server_tls(settings: NodeSettings) -> ServerTls | None:
    """Make the TLS that a node serves with; None where it serves plain HTTP.

    Raises:
        CertificateInvalid, CertificateExpired: what its settings name cannot be used.
    """
    section = settings.tls
    if section is None:
        return None
    return ServerTls(
        TlsFiles(settings.path(section.certificate), settings.path(section.key)),
        [settings.path(text) for text in section.trust],
        everybody=section.clients == "required",
    )


def remote_attestor(settings: NodeSettings) -> RemoteSigner | None:
    """Make the signer whose service keeps the key that attests; None where the node has it itself.

    Raises:
        CertificateInvalid, CertificateExpired: what its settings name cannot be used.
        RemoteSignerFailed, KeyLocked: its URL or its token cannot be.
    """
    signer, served = settings.signer, settings.tls
    if signer is None:
        return None
    account = settings.committee[settings.index - 1].account
    file = signer.token_file
    token = read_secret_file(settings.path(file)).decode("latin-1") if file else ""
    tls = None
    if signer.url.startswith("https:"):
        named = [signer.trust] if signer.trust else list(served.trust if served else ())
        own = (
            TlsFiles(settings.path(served.certificate), settings.path(served.key))
            if served
            else None
        )
        tls = ClientTls([settings.path(text) for text in named], own)
    return RemoteSigner(signer.url, read_either_case(account), token, tls=tls)
