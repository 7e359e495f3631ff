"""An organisation's authority signs what its own services ask for, and nothing else."""

from __future__ import annotations

import ipaddress
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from caimi.errors.certificates import (
    AuthorityExists,
    CertificateExpired,
    CertificateInvalid,
    RequestNotSigned,
)
from caimi.errors.operations import KeyLocked
from caimi.tls.authority import (
    AUTHORITY_KEY,
    CertificateAuthority,
    Wanted,
    check_host,
    make_request,
    parse_request,
    read_wanted,
)
from caimi.tls.certificates import hosts_of, named

PASSPHRASE = b"correct horse"
WANTED = Wanted("node-1", "Ours", ("node-1.example.org", "192.0.2.1", "2001:db8::1"))


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority.create(tmp_path / "authority", "Ours", PASSPHRASE)


def test_a_request_is_signed_for_what_it_asks_and_by_its_own_key(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    request = parse_request(make_request(tmp_path / "key", WANTED).public_bytes(Encoding.PEM))
    assert read_wanted(request) == WANTED
    signed = authority.sign(request)
    signed.verify_directly_issued_by(authority.certificate)
    assert signed.public_key() == request.public_key()
    assert (named(signed).name, named(signed).organisation) == ("node-1", "Ours")
    assert sorted(hosts_of(signed)) == sorted(WANTED.hosts)
    extensions = signed.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(uses) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}


def test_a_service_without_hosts_may_only_call_others(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    signed = authority.sign(make_request(tmp_path / "key", Wanted("relayer", "Ours", ())))
    uses = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert hosts_of(signed) == []


def test_no_certificate_outlives_its_authority(tmp_path: Path) -> None:
    brief = CertificateAuthority.create(tmp_path, "Ours", PASSPHRASE, timedelta(days=2))
    signed = brief.sign(make_request(tmp_path / "key", WANTED), timedelta(days=30))
    left = brief.certificate.not_valid_after_utc - signed.not_valid_after_utc
    assert abs(left) < timedelta(minutes=1)


def test_keys_are_for_their_owner_alone_and_the_authoritys_is_encrypted(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    make_request(tmp_path / "key", WANTED)
    own = tmp_path / "authority" / AUTHORITY_KEY
    for file in (tmp_path / "key", own):
        assert file.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in own.read_bytes()
    with pytest.raises(KeyLocked, match="does not open with this passphrase"):
        CertificateAuthority.load(tmp_path / "authority", b"wrong")
    loaded = CertificateAuthority.load(tmp_path / "authority", PASSPHRASE)
    assert loaded.certificate == authority.certificate


def test_nothing_of_an_authority_is_written_over(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    before = {file: file.read_bytes() for file in (tmp_path / "authority").iterdir()}
    with pytest.raises(AuthorityExists):
        CertificateAuthority.create(tmp_path / "authority", "Others", PASSPHRASE)
    assert {file: file.read_bytes() for file in (tmp_path / "authority").iterdir()} == before


def test_an_authority_that_a_kill_left_without_a_certificate_is_gone_on_with(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    folder = tmp_path / "authority"
    (folder / "authority.pem").unlink()
    key = (folder / AUTHORITY_KEY).read_bytes()
    with pytest.raises(KeyLocked):
        CertificateAuthority.create(folder, "Ours", b"another")
    again = CertificateAuthority.create(folder, "Ours", PASSPHRASE)
    assert (folder / AUTHORITY_KEY).read_bytes() == key
    assert again.certificate.public_key() == authority.certificate.public_key()


def test_an_authority_whose_parts_do_not_belong_together_signs_nothing(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    CertificateAuthority.create(tmp_path / "other", "Ours", PASSPHRASE)
    (tmp_path / "other" / "authority.pem").replace(tmp_path / "authority" / "authority.pem")
    with pytest.raises(CertificateInvalid, match="not of one authority"):
        CertificateAuthority.load(tmp_path / "authority", PASSPHRASE)


def test_an_authority_whose_time_is_over_signs_nothing(tmp_path: Path) -> None:
    CertificateAuthority.create(tmp_path, "Ours", PASSPHRASE, timedelta(seconds=-1))
    with pytest.raises(CertificateExpired, match=r"authority\.pem expired on"):
        CertificateAuthority.load(tmp_path, PASSPHRASE)


def csr(
    *extensions: x509.ExtensionType,
    names: tuple[tuple[x509.ObjectIdentifier, str], ...] = (
        (NameOID.COMMON_NAME, "node-1"),
        (NameOID.ORGANIZATION_NAME, "Ours"),
    ),
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
) -> x509.CertificateSigningRequest:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(kind, text) for kind, text in names])
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key or ec.generate_private_key(ec.SECP256R1()), SHA256())


def alternatives(*names: x509.GeneralName) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(names)


ODD: dict[str, Callable[[], x509.CertificateSigningRequest]] = {
    "another organisation": lambda: csr(
        names=((NameOID.COMMON_NAME, "node-1"), (NameOID.ORGANIZATION_NAME, "Theirs"))
    ),
    "an authority": lambda: csr(x509.BasicConstraints(ca=True, path_length=None)),
    "other uses": lambda: csr(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])),
    "all hosts": lambda: csr(alternatives(x509.DNSName("*.example.org"))),
    "an address as a name": lambda: csr(alternatives(x509.DNSName("192.0.2.1"))),
    "a host in another form": lambda: csr(alternatives(x509.DNSName("Node.Example.org"))),
    "a network": lambda: csr(alternatives(x509.UniformResourceIdentifier("https://x"))),
    "a mail address": lambda: csr(alternatives(x509.RFC822Name("a@example.org"))),
    "no name": lambda: csr(names=((NameOID.ORGANIZATION_NAME, "Ours"),)),
    "more names": lambda: csr(
        names=(
            (NameOID.COMMON_NAME, "node-1"),
            (NameOID.ORGANIZATION_NAME, "Ours"),
            (NameOID.COMMON_NAME, "node-2"),
        )
    ),
    "control codes": lambda: csr(
        names=((NameOID.COMMON_NAME, "a\x1b[2J"), (NameOID.ORGANIZATION_NAME, "Ours"))
    ),
    "a key of another kind": lambda: csr(key=rsa.generate_private_key(65537, 2048)),
    "a key on another curve": lambda: csr(key=ec.generate_private_key(ec.SECP384R1())),
    "too many hosts": lambda: csr(
        alternatives(*(x509.IPAddress(ipaddress.ip_address(at)) for at in range(21)))
    ),
}


@pytest.mark.parametrize("what", ODD)
def test_what_a_service_does_not_need_is_not_signed(
    authority: CertificateAuthority, what: str
) -> None:
    with pytest.raises(RequestNotSigned):
        authority.sign(ODD[what]())


def test_a_request_that_its_key_did_not_sign_or_that_is_none_is_refused(tmp_path: Path) -> None:
    der = bytearray(csr().public_bytes(Encoding.DER))
    at = bytes(der).index(b"node-1")
    der[at : at + 6] = b"node-2"
    changed = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)
    for text in (changed, b"", b"text", csr().public_bytes(Encoding.PEM)[:200], bytes(1 << 15)):
        with pytest.raises(RequestNotSigned):
            parse_request(text)


@pytest.mark.parametrize(
    ("host", "written"),
    [
        ("Node-1.Example.ORG", "node-1.example.org"),
        ("localhost", "localhost"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_a_host_has_one_form(host: str, written: str) -> None:
    assert check_host(host) == written


@pytest.mark.parametrize(
    "host", ["", "a b", "-a", "a..b", "a/b", "https://a", "a:1", "1.2.3", "a" * 64, "*.a", "a\n"]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(RequestNotSigned, match="no host name"):
        check_host(host)


KILLED = """
import os, signal, sys
from pathlib import Path
at, folder = int(sys.argv[1]), Path(sys.argv[2])
from caimi.tls.authority import CertificateAuthority, Wanted, make_request
calls = ("mkdir", "open", "link", "unlink", "rename", "replace", "fsync", "write")
seen = 0
def struck(name, real):
    def call(*arguments, **named):
        global seen
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)
    return call
for name in calls:
    setattr(os, name, struck(name, getattr(os, name)))
made = CertificateAuthority.create(folder / "authority", "Ours", b"correct horse")
make_request(folder / "key", Wanted("node-1", "Ours", ()))
print("whole")
"""


def test_a_kill_at_any_call_leaves_nothing_that_is_in_the_way(tmp_path: Path) -> None:
    for at in range(1, 60):
        folder = tmp_path / str(at)
        folder.mkdir()
        command = [sys.executable, "-c", KILLED, str(at), str(folder)]
        first = subprocess.run(command, capture_output=True, text=True, check=False)
        if first.stdout:
            break
        assert first.returncode == -signal.SIGKILL, first.stderr
        if (folder / "authority" / "authority.pem").exists():
            authority = CertificateAuthority.load(folder / "authority", PASSPHRASE)
        else:
            authority = CertificateAuthority.create(folder / "authority", "Ours", PASSPHRASE)
        authority.sign(make_request(folder / "key", WANTED))
    else:
        pytest.fail("it never came to its end")
    assert at > 10
