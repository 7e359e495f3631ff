"""TLS between services over real sockets: who is believed, who is refused, and why it is told."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import FastAPI
from live import connected, live, said
from prometheus_client import CollectorRegistry

from caimi.errors.certificates import (
    CertificateExpired,
    CertificateInvalid,
    OwnCertificateRefused,
    PeerNotTrusted,
)
from caimi.errors.node import NodeRefused
from caimi.node import connections
from caimi.node.connections import Peers
from caimi.node.http import service
from caimi.services.endpoint import Endpoint
from caimi.tls.authority import CertificateAuthority, Wanted, make_request
from caimi.tls.certificates import read_certificates
from caimi.tls.contexts import ClientTls, ServerTls, TlsFiles, all_warnings, reload_all
from organisations import Organisation, put

SOON_OVER = timedelta(seconds=1)
REQUEST = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def ours(tmp_path: Path) -> Organisation:
    return Organisation(tmp_path, "Ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Organisation:
    return Organisation(tmp_path, "Theirs")


def app() -> FastAPI:
    made = service("Test", CollectorRegistry(), closed=["/metrics", "/closed"])

    @made.get("/closed/{name}")
    async def closed(name: str) -> dict[str, str]:
        return {"name": name}

    return made


def ask(port: int, tls: ClientTls | None, path: str = "/version", host: str = "127.0.0.1") -> str:
    async def asked() -> str:
        endpoint = Endpoint(f"https://{host}:{port}", tls=tls)
        try:
            return (await endpoint.exchange("GET", path, None))[1]
        finally:
            await endpoint.aclose()

    return asyncio.run(asked())


def test_a_service_with_a_certificate_has_everything_and_who_has_none_has_what_is_for_everybody(
    ours: Organisation,
) -> None:
    with live(app(), tls=ours.server()) as port:
        for path in ("/version", "/metrics", "/closed/1"):
            assert "CAIMI-" not in ask(port, ours.client(), path)
        nobody = ours.client(name=None)
        assert "version" in ask(port, nobody)
        for path in ("/metrics", "/closed/1", "/closed"):
            assert "CAIMI-T005" in ask(port, nobody, path)
        assert "CAIMI-T005" not in ask(port, nobody, "/closedish")


def test_two_organisations_trust_each_other_by_their_authorities(
    ours: Organisation, theirs: Organisation
) -> None:
    with live(app(), tls=ours.server(ours.trust, theirs.trust)) as port:
        assert "CAIMI-" not in ask(port, theirs.client(ours.trust), "/metrics")


def test_a_certificate_of_another_authority_is_refused_by_either_end(
    ours: Organisation, theirs: Organisation
) -> None:
    with live(app(), tls=ours.server()) as port:
        with pytest.raises(OwnCertificateRefused, match="alert unknown ca"):
            ask(port, theirs.client(ours.trust))
        with pytest.raises(PeerNotTrusted, match="self-signed certificate in certificate chain"):
            ask(port, theirs.client(theirs.trust))


def test_where_everybody_must_show_one_nobody_is_answered_without(ours: Organisation) -> None:
    with live(app(), tls=ours.server(everybody=True)) as port:
        assert "version" in ask(port, ours.client())
        with pytest.raises(OwnCertificateRefused, match="certificate required"):
            ask(port, ours.client(name=None))


def test_an_expired_certificate_is_refused_by_either_end(ours: Organisation) -> None:
    client, server = ours.client(), ours.server()
    brief = ours.issue("brief", "127.0.0.1", lasts=SOON_OVER)
    late_client, late_server = ClientTls([ours.trust], brief), ServerTls(brief, [ours.trust])
    time.sleep(1.5)
    with live(app(), tls=server) as port:
        assert "version" in ask(port, client)
        with pytest.raises(OwnCertificateRefused, match="certificate expired"):
            ask(port, late_client)
    with (
        live(app(), tls=late_server) as port,
        pytest.raises(PeerNotTrusted, match="certificate has expired") as refused,
    ):
        ask(port, client)
    assert "--replace" in refused.value.next_step


def test_a_certificate_for_another_host_is_refused(ours: Organisation) -> None:
    with live(app(), tls=ours.server()) as port:
        assert "version" in ask(port, ours.client(), host="localhost")
    other = ServerTls(ours.issue("other", "node.example.org", "127.0.0.2"), [ours.trust])
    with live(app(), tls=other) as port:
        with pytest.raises(PeerNotTrusted, match="IP address mismatch"):
            ask(port, ours.client())
        with pytest.raises(PeerNotTrusted, match="Hostname mismatch"):
            ask(port, ours.client(), host="localhost")


def test_a_certificate_for_calling_others_serves_nobody(ours: Organisation) -> None:
    caller = ServerTls(ours.issue("caller"), [ours.trust])
    with (
        live(app(), tls=caller) as port,
        pytest.raises(PeerNotTrusted, match="unsuitable certificate purpose"),
    ):
        ask(port, ours.client())


def test_a_single_certificate_is_trusted_itself_and_its_authority_is_not(
    ours: Organisation, theirs: Organisation
) -> None:
    pinned = theirs.issue("pinned")
    with live(app(), tls=ours.server(pinned.certificate)) as port:
        assert "CAIMI-" not in ask(port, ClientTls([ours.trust], pinned), "/metrics")
        with pytest.raises(OwnCertificateRefused, match="unknown ca"):
            ask(port, theirs.client(ours.trust))
        own = ours.folder / "node.pem"
        assert "version" in ask(port, ClientTls([own]))
    with live(app(), tls=ours.server(name="another")) as port, pytest.raises(PeerNotTrusted):
        ask(port, ClientTls([own]))


def test_a_service_cannot_certify_others(ours: Organisation) -> None:
    """Its certificate is no authority's, whoever trusts it."""
    rogue = ours.issue("rogue", "127.0.0.1")
    key = load_pem_private_key(rogue.key.read_bytes(), None)
    chain = read_certificates(rogue.certificate)
    made = TlsFiles(ours.folder / "made.pem", ours.folder / "made.key")
    request = make_request(made.key, Wanted("made", "Ours", ("127.0.0.1",)))
    put(made.certificate, CertificateAuthority(chain[0], key).sign(request), *chain)
    with live(app(), tls=ServerTls(made, [ours.trust])) as port:
        for trust in (ours.trust, rogue.certificate):
            with pytest.raises(PeerNotTrusted, match=r"invalid CA|issuer certificate"):
                ask(port, ClientTls([trust]))
    with (
        live(app(), tls=ours.server()) as port,
        pytest.raises(OwnCertificateRefused, match="alert"),
    ):
        ask(port, ClientTls([ours.trust], made))


def test_nothing_older_than_tls_1_3_is_spoken(ours: Organisation) -> None:
    older = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    older.load_verify_locations(ours.trust)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with live(app(), tls=ours.server()) as port:
        with connected(port) as raw, pytest.raises(ssl.SSLError, match="protocol version"):
            older.wrap_socket(raw, server_hostname="127.0.0.1")
        older.maximum_version = ssl.TLSVersion.TLSv1_3
        with connected(port) as raw, older.wrap_socket(raw, server_hostname="127.0.0.1") as tls:
            assert tls.version() == "TLSv1.3"
    assert ours.client().context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert ClientTls().context.minimum_version is ssl.TLSVersion.TLSv1_3


def test_no_session_is_resumed(ours: Organisation) -> None:
    context = ours.client().context
    with live(app(), tls=ours.server()) as port:
        session = None
        for _ in range(2):
            with (
                connected(port) as raw,
                context.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as tls,
            ):
                tls.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
                assert tls.recv(1000).startswith(b"HTTP/1.1 200")
                assert not tls.session_reused
                session = tls.session


def test_plain_http_to_a_service_with_tls_gets_no_answer(ours: Organisation) -> None:
    with live(app(), tls=ours.server()) as port, connected(port) as raw:
        raw.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"version" not in said(raw)


def test_halves_of_handshakes_are_counted_and_cut_off(
    ours: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    with live(app(), Peers(most=8, most_of_one=8), tls=ours.server()) as port:
        idle = [connected(port) for _ in range(30)]
        idle[-1].sendall(b"\x16\x03\x01\x02\x00\x01")  # a hello that is not whole
        begun = time.monotonic()
        assert "version" in ask(port, ours.client())
        assert time.monotonic() - begun < 1.0  # nobody waited for them
        assert [said(each) for each in idle] == [b""] * 30
        assert time.monotonic() - begun < 5.0
        for each in idle:
            each.close()


def test_handshakes_that_are_too_many_go_at_once_the_oldest_first(ours: Organisation) -> None:
    with live(app(), Peers(most=8, most_of_one=8), tls=ours.server()) as port:
        idle = [connected(port, timeout=3) for _ in range(20)]
        assert [said(each) for each in idle[:12]] == [b""] * 12
        idle[-1].settimeout(0.5)
        with pytest.raises(TimeoutError):
            idle[-1].recv(1)
        for each in idle:
            each.close()


def renewed(path: Path, write: Callable[[], object]) -> None:
    before = path.read_bytes()
    write()
    assert path.read_bytes() != before


def fingerprint_at(port: int) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connected(port) as raw, context.wrap_socket(raw) as tls:
        return tls.getpeercert(binary_form=True) or b""


def test_certificates_and_trust_are_read_again_without_a_restart(
    ours: Organisation, theirs: Organisation, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(ours.trust.read_bytes())
    server, client = ours.server(trusted), theirs.client(ours.trust)
    with live(app(), tls=server) as port:
        first = fingerprint_at(port)
        with pytest.raises(OwnCertificateRefused):
            ask(port, client)
        trusted.write_bytes(theirs.trust.read_bytes())
        renewed(ours.folder / "node.pem", lambda: ours.issue("node", "127.0.0.1"))
        with pytest.raises(OwnCertificateRefused):
            ask(port, client)
        assert reload_all() == []
        assert fingerprint_at(port) != first
        assert "CAIMI-" not in ask(port, client, "/metrics")
        with pytest.raises(OwnCertificateRefused):
            ask(port, ours.client())  # who is not trusted any more


@contextmanager
def kept_open(port: int, client: ClientTls, ask: bytes) -> Iterator[ssl.SSLSocket]:
    with (
        connected(port, timeout=5) as raw,
        client.context.wrap_socket(raw, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(ask)
        yield tls


def answered(tls: ssl.SSLSocket) -> bool:
    """Whether the whole of an answer comes."""
    said = b""
    while not said.endswith(b"}"):
        try:
            part = tls.recv(1000)
        except OSError:
            return False
        if not part:
            return False
        said += part
    return said.startswith(b"HTTP/1.1 200")


def is_open(tls: ssl.SSLSocket) -> bool:
    """Whether a connection answers one more request."""
    try:
        tls.sendall(REQUEST)
    except OSError:
        return False
    return answered(tls)


def test_connections_end_with_the_trust_in_their_certificate_and_others_go_on(
    ours: Organisation, theirs: Organisation, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.pem"
    pinned = theirs.issue("pinned")
    both = [ours.trust, theirs.trust]
    trusted.write_bytes(b"".join(each.read_bytes() for each in both))
    server = ours.server(trusted)
    with (
        live(app(), tls=server) as port,
        kept_open(port, ours.client(), REQUEST) as mine,
        kept_open(port, theirs.client(ours.trust), REQUEST) as removed,
        kept_open(port, ClientTls([ours.trust], pinned), REQUEST) as of_removed,
        kept_open(port, ours.client(name=None), REQUEST) as nobody,
    ):
        every = (mine, removed, of_removed, nobody)
        assert all(map(answered, every))
        assert reload_all() == []
        assert all(map(is_open, every))
        # The authority is removed, and one certificate of it stays, by itself.
        trusted.write_bytes(ours.trust.read_bytes() + pinned.certificate.read_bytes())
        assert reload_all() == []
        assert said(removed) == b""
        assert all(map(is_open, (mine, of_removed, nobody)))
        assert not is_open(removed)
        trusted.write_bytes(ours.trust.read_bytes())
        assert reload_all() == []
        assert not is_open(of_removed)
        assert all(map(is_open, (mine, nobody)))


def test_whoever_is_removed_gets_no_answer_any_more_to_what_was_asked_before(
    ours: Organisation, theirs: Organisation, tmp_path: Path
) -> None:
    slow = app()

    @slow.get("/slow")
    async def answer() -> dict[str, bool]:
        await asyncio.sleep(0.6)
        return {"ok": True}

    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(theirs.trust.read_bytes())
    server, asking = ours.server(trusted), REQUEST.replace(b"/version", b"/slow")
    with (
        live(slow, tls=server) as port,
        kept_open(port, theirs.client(ours.trust), asking) as removed,
    ):
        time.sleep(0.3)
        trusted.write_bytes(ours.trust.read_bytes())
        assert reload_all() == []
        assert said(removed) == b""
        time.sleep(0.6)  # until nothing answers it any more


def test_a_connection_ends_at_the_next_reload_once_its_certificate_has_expired(
    ours: Organisation,
) -> None:
    brief = ClientTls([ours.trust], ours.issue("brief", lasts=timedelta(seconds=2)))
    with live(app(), tls=ours.server()) as port, kept_open(port, brief, REQUEST) as late:
        assert answered(late)
        time.sleep(2.5)
        reload_all()
        assert not is_open(late)


def test_a_handshake_under_way_while_trust_is_removed_comes_to_nothing(
    ours: Organisation, theirs: Organisation, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(theirs.trust.read_bytes())
    with live(app(), tls=ours.server(trusted)) as port, connected(port, timeout=5) as raw:
        time.sleep(0.3)  # the server has the connection, under the trust of now
        trusted.write_bytes(ours.trust.read_bytes())
        assert reload_all() == []
        with theirs.client(ours.trust).context.wrap_socket(raw, server_hostname="127.0.0.1") as tls:
            assert not is_open(tls)


async def test_a_client_shows_its_new_certificate_and_believes_whom_it_now_trusts(
    ours: Organisation, theirs: Organisation, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(ours.trust.read_bytes())
    own = ours.issue("relayer", lasts=SOON_OVER)
    client = ClientTls([trusted], own)
    with live(app(), tls=ours.server()) as port:
        endpoint = Endpoint(f"https://127.0.0.1:{port}", tls=client)
        assert "version" in await endpoint.get("/version")
        await asyncio.sleep(1.5)
        ours.issue("relayer")
        assert reload_all() == []
        assert "version" in await endpoint.get("/version")
        trusted.write_bytes(theirs.trust.read_bytes())
        assert "version" in await endpoint.get("/version")
        assert reload_all() == []
        with pytest.raises(PeerNotTrusted):
            await endpoint.get("/version")  # not even over a connection of before
        await endpoint.aclose()


def test_what_cannot_be_read_again_stays_as_it_was(ours: Organisation) -> None:
    server = ours.server()
    with live(app(), tls=server) as port:
        (ours.folder / "node.key").write_bytes(b"half a key")
        (failed,) = reload_all()
        assert isinstance(failed, CertificateInvalid)
        assert "does not belong to" in failed.what
        assert "version" in ask(port, ours.client(name=None))


def test_a_certificate_that_expired_is_named_with_its_date_and_what_to_do(
    ours: Organisation,
) -> None:
    brief = ours.issue("brief", "127.0.0.1", lasts=SOON_OVER)
    time.sleep(1.5)
    for use in (lambda: ServerTls(brief, []), lambda: ClientTls([ours.trust], brief)):
        with pytest.raises(CertificateExpired, match=r"brief\.pem expired on \d{4}-\d\d-\d\d"):
            use()
    assert "caimi certificates" in CertificateExpired.next_step


def test_a_certificate_that_ends_soon_is_told_of_once_loaded_and_again(
    ours: Organisation, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        far = ours.client()
        assert caplog.text == ""
        near = ClientTls([ours.trust], ours.issue("near", lasts=timedelta(days=29, hours=1)))
    assert "near.pem expires on" in caplog.text
    assert "in 29 days" in caplog.text
    assert [text for text in all_warnings() if "near.pem" in text]
    assert not [text for text in all_warnings() if "relayer.pem" in text]
    del far, near


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_can_read_is_not_used(ours: Organisation, mode: int) -> None:
    own = ours.issue("node", "127.0.0.1")
    own.key.chmod(mode)
    with pytest.raises(CertificateInvalid, match=f"mode {mode:o}"):
        ServerTls(own, [])


def test_files_that_are_no_certificates_are_named(ours: Organisation, tmp_path: Path) -> None:
    own = ours.issue("node", "127.0.0.1")
    other = ours.issue("other", "127.0.0.1")
    with pytest.raises(CertificateInvalid, match="does not belong to"):
        ServerTls(TlsFiles(own.certificate, other.key), [])
    with pytest.raises(CertificateInvalid, match="cannot be read"):
        ServerTls(TlsFiles(own.certificate, tmp_path / "none"), [])
    for content in (b"", b"text", own.certificate.read_bytes()[:200], bytes(1 << 19)):
        bad = tmp_path / "bad.pem"
        bad.write_bytes(content)
        with pytest.raises(CertificateInvalid, match=r"bad\.pem"):
            ClientTls([bad])
    with pytest.raises(CertificateInvalid, match="private key"):
        ClientTls([own.key])


def test_all_clients_cannot_be_asked_for_certificates_that_nobody_trusts(
    ours: Organisation,
) -> None:
    own = ours.issue("node", "127.0.0.1")
    with pytest.raises(CertificateInvalid, match="none is trusted"):
        ServerTls(own, [], everybody=True)


async def test_who_waits_for_an_answer_while_trust_changes_gets_it(ours: Organisation) -> None:
    slow = app()

    @slow.get("/slow")
    async def answer() -> dict[str, bool]:
        await asyncio.sleep(0.5)
        return {"ok": True}

    client = ours.client()
    with live(slow, tls=ours.server()) as port:
        endpoint = Endpoint(f"https://127.0.0.1:{port}", tls=client)
        waiting = asyncio.create_task(endpoint.get("/slow"))
        await asyncio.sleep(0.2)
        reload_all()
        assert "version" in await endpoint.get("/version")
        assert await waiting == {"ok": True}
        await endpoint.aclose()


def test_an_error_of_the_service_is_still_the_services(ours: Organisation) -> None:
    async def asked(port: int) -> None:
        endpoint = Endpoint(f"https://127.0.0.1:{port}", tls=ours.client(name=None))
        with pytest.raises(NodeRefused, match="CAIMI-T005"):
            await endpoint.get("/metrics")
        await endpoint.aclose()

    with live(app(), tls=ours.server()) as port:
        asyncio.run(asked(port))


def test_a_stock_client_is_served(ours: Organisation) -> None:
    with live(app(), tls=ours.server()) as port:
        context = ssl.create_default_context(cafile=ours.trust)
        with httpx.Client(verify=context) as http:
            told = http.get(f"https://127.0.0.1:{port}/version").json()
            assert told.keys() == {"version", "time"}
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.close()


def test_metrics_tell_when_what_is_shown_and_believed_ends_as_it_was_read(
    ours: Organisation,
) -> None:
    server = ours.server()
    own = ours.folder / "node.pem"

    def told(port: int) -> dict[str, float]:
        lines = ask(port, ours.client(), "/metrics").splitlines()
        named = [each for each in lines if each.startswith("caimi_certificate_expires_seconds{")]
        return {each.split('"')[1]: float(each.rsplit(" ", 1)[1]) for each in named}

    def ends(file: Path) -> float:
        return read_certificates(file)[0].not_valid_after_utc.timestamp()

    with live(app(), tls=server) as port:
        first = told(port)
        assert first[str(own)] == ends(own)
        assert first[str(ours.trust)] == ends(ours.trust)
        ours.issue("node", "127.0.0.1", lasts=timedelta(days=5))
        assert told(port)[str(own)] == first[str(own)]  # the file is new, and not yet read
        server.reload()  # and nothing that an earlier test may have left to be read again
        assert told(port)[str(own)] == ends(own) < first[str(own)]
