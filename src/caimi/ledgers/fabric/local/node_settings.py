"""The settings of a local network's orderer and peers, and the builder that builds nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from caimi.ledgers.fabric.local.layout import LocalLayout, LocalMember, LocalOrganisation
from caimi.whole_files import write_whole

BUILDER: Final = "ccaas"
_CRYPTO: Final = {"Default": "SW", "SW": {"Hash": "SHA2", "Security": 256}}
_OPERATIONS: Final = "127.0.0.1:0"
_BUILDER_PROGRAMS: Final = {
    "detect": """grep -Eq '"type": *"ccaas"' "$2/metadata.json\"""",
    "build": 'cp "$1/connection.json" "$3/"',
    "release": """if [ -f "$1/connection.json" ]; then
    mkdir -p "$2/chaincode/server"
    cp "$1/connection.json" "$2/chaincode/server/"
fi""",
}


def write_settings(layout: LocalLayout) -> None:
    """Write what each program reads; everything listens on loopback alone."""
    builder = layout.root / BUILDER / "bin"
    builder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in _BUILDER_PROGRAMS.items():
        write_whole(builder / name, f"#!/bin/sh\nset -eu\n{text}\n".encode(), 0o700)
    _write(orderer_folder(layout) / "orderer.yaml", _orderer(layout))
    for organisation in layout.organisations:
        _write(peer_folder(organisation) / "core.yaml", _core(layout, organisation))


def orderer_folder(layout: LocalLayout) -> Path:
    """Give where the orderer's settings and blocks are."""
    return layout.orderers.folder / "orderer"


def peer_folder(organisation: LocalOrganisation) -> Path:
    """Give where a peer's settings and blocks are."""
    return organisation.folder / "peer"


def _write(place: Path, settings: dict[str, Any]) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(place, json.dumps(settings, indent=1).encode())  # JSON is YAML


def _orderer(layout: LocalLayout) -> dict[str, Any]:
    end = layout.orderers.end("orderer")
    member = LocalMember(layout.orderers.msp, layout.orderers.folder / "members" / "orderer")
    data = orderer_folder(layout)
    roots = [str(root) for root in layout.tls_roots]
    tls = {
        "Enabled": True,
        "Certificate": str(end.certificate),
        "PrivateKey": str(end.key),
        "RootCAs": roots,
        "ClientAuthRequired": True,
        "ClientRootCAs": roots,
    }
    return {
        "General": {
            "ListenAddress": "127.0.0.1",
            "ListenPort": layout.orderer_port,
            "TLS": tls,
            "Cluster": {
                "ClientCertificate": str(end.certificate),
                "ClientPrivateKey": str(end.key),
                "RootCAs": [str(layout.orderers.tls_root)],
            },
            "BootstrapMethod": "none",
            "LocalMSPDir": str(member.folder / "msp"),
            "LocalMSPID": layout.orderers.msp,
            "Profile": {"Enabled": False},
            "BCCSP": _CRYPTO,
            "Authentication": {"TimeWindow": "15m"},
        },
        "FileLedger": {"Location": str(data / "blocks")},
        "Operations": {"ListenAddress": _OPERATIONS, "TLS": {"Enabled": False}},
        "Metrics": {"Provider": "disabled"},
        "Admin": {
            "ListenAddress": f"127.0.0.1:{layout.participation_port}",
            "TLS": {**tls, "ClientRootCAs": [str(layout.orderers.tls_root)]},
        },
        "ChannelParticipation": {"Enabled": True, "MaxRequestBodySize": "1 MB"},
        "Consensus": {"WALDir": str(data / "wal"), "SnapDir": str(data / "snapshots")},
    }


def _core(layout: LocalLayout, organisation: LocalOrganisation) -> dict[str, Any]:
    end = organisation.end("peer")
    folder = peer_folder(organisation)
    return {
        "peer": {
            "id": f"peer.{organisation.msp}",
            "networkId": layout.channel,
            "listenAddress": organisation.peer_address,
            "address": organisation.peer_address,
            "chaincodeListenAddress": f"127.0.0.1:{organisation.callback_port}",
            "chaincodeAddress": f"127.0.0.1:{organisation.callback_port}",
            "gateway": {
                "enabled": True,
                "endorsementTimeout": "20s",
                "broadcastTimeout": "20s",
                "dialTimeout": "10s",
            },
            "keepalive": {"minInterval": "60s"},
            "gossip": _gossip(organisation),
            "tls": {
                "enabled": True,
                "clientAuthRequired": True,
                "cert": {"file": str(end.certificate)},
                "key": {"file": str(end.key)},
                "rootcert": {"file": str(organisation.tls_root)},
                "clientRootCAs": {"files": [str(root) for root in layout.tls_roots]},
            },
            "authentication": {"timewindow": "15m"},
            "fileSystemPath": str(folder / "data"),
            "BCCSP": _CRYPTO,
            "mspConfigPath": str(organisation.peer.folder / "msp"),
            "localMspId": organisation.msp,
            "localMspType": "bccsp",
            "client": {"connTimeout": "3s"},
            "deliveryclient": {
                "blockGossipEnabled": False,
                "reconnectTotalTimeThreshold": "3600s",
                "connTimeout": "3s",
                "reConnectBackoffThreshold": "2s",
            },
            "profile": {"enabled": False},
            "handlers": {
                "authFilters": [{"name": "DefaultAuth"}, {"name": "ExpirationCheck"}],
                "decorators": [{"name": "DefaultDecorator"}],
                "endorsers": {"escc": {"name": "DefaultEndorsement"}},
                "validators": {"vscc": {"name": "DefaultValidation"}},
            },
            "discovery": {
                "enabled": True,
                "authCacheEnabled": True,
                "authCacheMaxSize": 1000,
                "authCachePurgeRetentionRatio": 0.75,
            },
            "limits": {
                "concurrency": {
                    "endorserService": 2500,
                    "deliverService": 2500,
                    "gatewayService": 500,
                }
            },
        },
        "vm": {"endpoint": ""},
        "chaincode": {
            "externalBuilders": [{"name": BUILDER, "path": str(layout.root / BUILDER)}],
            "installTimeout": "60s",
            "startuptimeout": "60s",
            "executetimeout": "15s",
            "mode": "net",
            "keepalive": 0,
            "system": {"_lifecycle": "enable", "cscc": "enable", "qscc": "enable"},
            "logging": {"level": "info", "shim": "warning"},
        },
        "ledger": {
            "state": {"stateDatabase": "goleveldb", "totalQueryLimit": 100_000},
            "history": {"enableHistoryDatabase": False},
            "pvtdataStore": {
                "collElgProcMaxDbBatchSize": 5000,
                "collElgProcDbBatchesInterval": 1000,
                "deprioritizedDataReconcilerInterval": "60m",
                "purgeInterval": 100,
            },
            "snapshots": {"rootDir": str(folder / "snapshots")},
        },
        "operations": {"listenAddress": _OPERATIONS, "tls": {"enabled": False}},
        "metrics": {"provider": "disabled"},
    }


def _gossip(organisation: LocalOrganisation) -> dict[str, Any]:
    """Give the settings by which peers find each other: their intervals are one second or less."""
    return {
        "bootstrap": organisation.peer_address,
        "endpoint": organisation.peer_address,
        "externalEndpoint": organisation.peer_address,
        "useLeaderElection": False,
        "orgLeader": True,
        "publishStateInfoInterval": "500ms",
        "requestStateInfoInterval": "500ms",
        "pullInterval": "1s",
        "aliveTimeInterval": "1s",
        "aliveExpirationTimeout": "5s",
        "reconnectInterval": "1s",
        "membershipTrackerInterval": "1s",
        "pvtData": {
            "transientstoreMaxBlockRetention": 1000,
            "pushAckTimeout": "3s",
            "implicitCollectionDisseminationPolicy": {
                "requiredPeerCount": 0,
                "maxPeerCount": 1,
            },
        },
    }
