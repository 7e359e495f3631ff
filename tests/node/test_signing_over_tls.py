"""A key in another process, asked over mutual TLS 1.3: what it signs, and whom each end refuses."""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import tomli_w
from test_services import settings_in
from typer.testing import CliRunner

import caimi.services.remote_signer as remote_signer
from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.config import load_config
from caimi.errors.operations import (
    ConfigInvalid,
    KeyExists,
    KeyMissing,
    RemoteSignatureInvalid,
    RemoteSignerFailed,
)
from caimi.errors.signing import (
    RemoteSignerExpired,
    RemoteSignerNotTrusted,
    RemoteSignerRefusesCertificate,
    RemoteSignerUnreachable,
)
from caimi.keystore import KEYSTORES, LocalSigner
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.loopback import free_port
from caimi.node.roles.committee_member import remote_attestor
from caimi.node.settings import NodeSettings
from caimi.services.remote_signer import RemoteSigner
from caimi.tls.certificates import fingerprint, read_certificates
from caimi.tls.contexts import ClientTls, TlsFiles
from embedded_node import node_of
from organisations import Organisation

SERVICE = Path(__file__).parents[2] / "examples" / "signing_service" / "signing_service.py"
KEY = LocalSigner(b"\x09" * 32)
DIGEST = b"\x42" * 32
PASSPHRASE = "correct horse"


@pytest.fixture
def ours(tmp_path: Path) -> Organisation:
    return Organisation(tmp_path, "Ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Organisation:
    return Organisation(tmp_path, "Theirs")


class Service:
    """The example's process, and what it wrote."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log
        self.url = f"https://127.0.0.1:{port}/sign"


@contextmanager
def serving(own: TlsFiles, trust: Path, *clients: str) -> Iterator[Service]:
    folder = own.key.parent
    keystore, log, port = folder / "kept.json", folder / "signing.log", free_port()
    if not keystore.exists():
        KEY.save(keystore, PASSPHRASE.encode(), scrypt_n=1 << 12)
    command = [sys.executable, str(SERVICE), "--port", str(port), "--keystore", str(keystore)]
    command += ["--certificate", str(own.certificate), "--key", str(own.key), "--trust", str(trust)]
    command += [part for each in clients for part in ("--client", each)]
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stderr=said, env=os.environ | {"CAIMI_PASSPHRASE": PASSPHRASE}
        )
    try:
        until = time.monotonic() + 30
        while b"signing on" not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield Service(port, log)
    finally:
        process.terminate()
        process.wait(10)


def asked(url: str, tls: ClientTls | None) -> bytes:
    return RemoteSigner(url, KEY.account, tls=tls).sign_digest(DIGEST)


def test_a_digest_is_signed_by_the_key_in_the_other_process(ours: Organisation) -> None:
    with serving(ours.issue("hsm", "127.0.0.1"), ours.trust) as service:
        assert asked(service.url, ours.client()) == KEY.sign_digest(DIGEST)
        assert f"signed 0x{DIGEST.hex()} for" in service.log.read_text()


def test_who_has_no_certificate_or_one_of_others_gets_nothing_signed(
    ours: Organisation, theirs: Organisation
) -> None:
    with serving(ours.issue("hsm", "127.0.0.1"), ours.trust) as service:
        with pytest.raises(RemoteSignerRefusesCertificate, match="certificate required"):
            asked(service.url, ours.client(name=None))
        with pytest.raises(RemoteSignerRefusesCertificate, match="unknown ca"):
            asked(service.url, theirs.client(ours.trust))
        assert "signed" not in service.log.read_text()


def test_a_service_that_ends_before_tls_stands_is_down_and_not_distrusted(
    ours: Organisation,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def end() -> None:
            accepted, _ = listening.accept()
            with accepted:
                accepted.recv(1 << 16)

        ending = threading.Thread(target=end)
        ending.start()
        with pytest.raises(RemoteSignerUnreachable):
            asked(f"https://127.0.0.1:{listening.getsockname()[1]}/sign", ours.client())
        ending.join()


def test_connections_that_are_reset_before_tls_keep_nobody_else_out(ours: Organisation) -> None:
    at_once = struct.pack("ii", 1, 0)
    with serving(ours.issue("hsm", "127.0.0.1"), ours.trust) as service:
        for _ in range(150):
            with socket.create_connection(("127.0.0.1", service.port)) as reset:
                reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                reset.sendall(b"no handshake")
        assert asked(service.url, ours.client()) == KEY.sign_digest(DIGEST)


def test_of_those_it_trusts_it_signs_for_the_named_ones_alone(ours: Organisation) -> None:
    named = ours.issue("relayer")
    (shown,) = read_certificates(named.certificate)
    with serving(ours.issue("hsm", "127.0.0.1"), ours.trust, fingerprint(shown)) as service:
        assert asked(service.url, ClientTls([ours.trust], named)) == KEY.sign_digest(DIGEST)
        with pytest.raises(RemoteSignerFailed, match="answered 403"):
            asked(service.url, ours.client(name="other"))


def test_a_service_of_another_authority_is_asked_nothing(
    ours: Organisation, theirs: Organisation
) -> None:
    with serving(theirs.issue("hsm", "127.0.0.1"), ours.trust) as service:
        with pytest.raises(RemoteSignerNotTrusted):
            asked(service.url, ours.client())
        assert "signed" not in service.log.read_text()


def test_a_pinned_certificate_alone_is_believed(ours: Organisation) -> None:
    pinned, other = ours.issue("hsm", "127.0.0.1"), ours.issue("other", "127.0.0.1")
    client = ours.client(pinned.certificate)
    with serving(pinned, ours.trust) as service:
        assert asked(service.url, client) == KEY.sign_digest(DIGEST)
    with serving(other, ours.trust) as service, pytest.raises(RemoteSignerNotTrusted):
        asked(service.url, client)


def test_certificates_that_expired_are_named_at_either_end(ours: Organisation) -> None:
    own, soon = ours.client(), timedelta(seconds=2)
    late = ClientTls([ours.trust], ours.issue("late", lasts=soon))
    with serving(ours.issue("brief", "127.0.0.1", lasts=soon), ours.trust) as service:
        time.sleep(2.5)
        with pytest.raises(RemoteSignerExpired, match="expired"):
            asked(service.url, own)
    with (
        serving(ours.issue("hsm", "127.0.0.1"), ours.trust) as service,
        pytest.raises(RemoteSignerRefusesCertificate, match="expired"),
    ):
        asked(service.url, late)


def test_a_service_that_is_down_is_named(ours: Organisation) -> None:
    with pytest.raises(RemoteSignerUnreachable, match="does not answer"):
        asked(f"https://127.0.0.1:{free_port()}/sign", ours.client())


@contextmanager
def speaking(ours: Organisation, speak: Callable[[ssl.SSLSocket], None]) -> Iterator[str]:
    """A process of ours that went bad: it has a good certificate, and says what it likes."""
    own = ours.issue("bad", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                raw, _ = listening.accept()
                with context.wrap_socket(raw, server_side=True) as tls:
                    tls.recv(65536)
                    speak(tls)
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/sign"
    thread.join(20)


def test_a_signature_of_another_digest_is_refused(ours: Organisation) -> None:
    body = f'{{"signature":"0x{KEY.sign_digest(bytes(32)).hex()}"}}'.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with (
        speaking(ours, lambda tls: tls.sendall(head + body)) as url,
        pytest.raises(RemoteSignatureInvalid, match="did not make this signature"),
    ):
        asked(url, ours.client())


def test_a_service_that_answers_a_byte_a_second_keeps_nobody_longer_than_the_whole_time(
    ours: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_signer, "TIMEOUT_SECONDS", 1.5)

    def dribble(tls: ssl.SSLSocket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100:
            tls.sendall(bytes([byte]))
            time.sleep(0.2)

    begun = time.monotonic()
    with speaking(ours, dribble) as url:
        with pytest.raises(RemoteSignerUnreachable, match="within"):
            asked(url, ours.client())
        assert time.monotonic() - begun < 5


def test_an_answer_without_end_is_cut(ours: Organisation) -> None:
    def pour(tls: ssl.SSLSocket) -> None:
        tls.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            tls.sendall(b" " * 65536)

    with (
        speaking(ours, pour) as url,
        pytest.raises(RemoteSignatureInvalid, match="more than it may"),
    ):
        asked(url, ours.client())


def configured(ours: Organisation, url: str, *places: dict[str, str], **remote: object):
    own = ours.issue("operator")
    file = ours.folder / "caimi.toml"
    listed = {"url": url, "account": f"0x{KEY.account.hex()}", **remote}
    document = {
        "keys": {"directory": "keys", "remote": {"treasury": listed}},
        "tls": {
            "certificate": str(own.certificate),
            "key": str(own.key),
            "trust": [str(ours.trust)],
        },
    }
    tables = "".join(f"\n[[ledgers]]\n{tomli_w.dumps(place)}" for place in places)
    file.write_text(tomli_w.dumps(document) + tables)
    return load_config(file)


def test_a_name_of_the_configuration_has_its_account_read_without_anybody_being_asked(
    ours: Organisation,
) -> None:
    keyring = Keyring(configured(ours, f"https://127.0.0.1:{free_port()}/sign"))
    assert keyring.names() == ["treasury"]
    assert keyring.account("treasury").lower() == f"0x{KEY.account.hex()}"
    identity = keyring.open("treasury")  # no file, so no passphrase
    assert identity.signer.account == KEY.account
    with pytest.raises(KeyMissing, match="no key for packages"):
        _ = identity.packages
    with pytest.raises(RemoteSignerUnreachable):
        identity.signer.sign_digest(DIGEST)


def test_a_remote_name_gets_a_key_for_packages_and_no_own_one(
    ours: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAIMI_PASSPHRASE", PASSPHRASE)
    keyring = Keyring(configured(ours, "https://127.0.0.1:1/sign"))
    made = keyring.new("treasury")
    assert made.signer.account == KEY.account
    assert not keyring.file("treasury", ".json").exists()
    assert keyring.open("treasury").packages.public_key == made.packages.public_key
    with pytest.raises(KeyExists):
        keyring.new("treasury", LocalSigner.generate())
    with pytest.raises(KeyMissing, match="another machine"):
        keyring.export("treasury", KEYSTORES, ours.folder / "out.json")
    for pair in (("treasury", "other"), ("other", "treasury")):
        with pytest.raises(KeyMissing, match="another machine"):
            keyring.rename(*pair)


def test_a_trust_for_a_url_without_tls_is_refused(ours: Organisation) -> None:
    keyring = Keyring(configured(ours, "http://127.0.0.1:1/sign", trust=str(ours.trust)))
    with pytest.raises(ConfigInvalid, match="not https"):
        keyring.open("treasury")


def test_commands_send_transactions_signed_by_the_remote_key(ours: Organisation) -> None:
    chain = EmbeddedChain(31337, {KEY.account: 1000 * 10**18})
    with (
        serving(ours.issue("hsm", "127.0.0.1"), ours.trust) as service,
        node_of(chain) as url,
    ):
        place = {"id": "eip155:31337", "name": "a", "rpc": url, "finality": "depth:0"}
        config = configured(ours, service.url, place).file
        at = ["-k", "treasury", "--config", str(config), "--yes", "--json"]
        done = CliRunner().invoke(app, ["deploy", "a", *at])
        assert done.exit_code == 0, done.output
        shown = CliRunner().invoke(app, ["governance", "show", "--config", str(config), "--json"])
        assert json.loads(shown.output)["administrators"] == [f"0x{KEY.account.hex()}"]
        assert service.log.read_text().count("signed 0x") >= 10


def test_a_command_names_what_is_wrong_with_the_signer_and_loses_nothing(
    ours: Organisation, theirs: Organisation
) -> None:
    chain = EmbeddedChain(31337, {KEY.account: 1000 * 10**18})
    with node_of(chain) as url:
        place = {"id": "eip155:31337", "name": "a", "rpc": url, "finality": "depth:0"}
        with serving(theirs.issue("hsm", "127.0.0.1"), ours.trust) as service:
            config = configured(ours, service.url, place).file
            at = ["-k", "treasury", "--config", str(config), "--yes", "--json"]
            done = CliRunner().invoke(app, ["deploy", "a", *at])
            assert json.loads(done.stdout)["error"]["code"] == "CAIMI-C088"
        with serving(ours.issue("good", "127.0.0.1"), ours.trust) as service:
            configured(ours, service.url, place)
            done = CliRunner().invoke(app, ["deploy", "a", *at])
            assert done.exit_code == 0, done.output


def test_a_node_attests_by_its_remote_signer_with_the_certificate_that_it_serves_with(
    ours: Organisation,
) -> None:
    node = ours.issue("node", "127.0.0.1")
    others = [LocalSigner.generate() for _ in range(2)]
    with serving(ours.issue("hsm", "127.0.0.1"), ours.trust) as service:
        settings = settings_in(ours.folder, [KEY, *others])
        document = settings.model_dump(mode="json", exclude_none=True)
        document["signer"] = {"url": service.url}
        document["tls"] = {
            "certificate": str(node.certificate),
            "key": str(node.key),
            "trust": [str(ours.trust)],
        }
        attestor = remote_attestor(NodeSettings.model_validate(document))
        assert attestor is not None
        assert attestor.sign_digest(DIGEST) == KEY.sign_digest(DIGEST)
        pinned = {**document, "signer": {"url": service.url, "trust": str(node.certificate)}}
        attestor = remote_attestor(NodeSettings.model_validate(pinned))
        assert attestor is not None
        with pytest.raises(RemoteSignerNotTrusted):
            attestor.sign_digest(DIGEST)
