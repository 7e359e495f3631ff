"""Decoders of certificates, and of what an authority is asked to sign."""

from __future__ import annotations

from typing import Final

from coincurve import PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from caimi.node.description import NodeDescription
from caimi.tls.authority import Wanted, parse_request, read_wanted
from caimi.tls.certificates import hosts_of, named, parse_certificates, peer_of_der
from fuzz.decoder import Decoder, Law

AUTHORITY: Final = b"""\
-----BEGIN CERTIFICATE-----
MIIBljCCATugAwIBAgIUGFIi3fXmB27GmPz9+kaQZ9SrWbAwCgYIKoZIzj0EAwIw
JzEWMBQGA1UEAwwNT3VycyBzZXJ2aWNlczENMAsGA1UECgwET3VyczAeFw0yNjEy
MDEwOTQxMzRaFw0zNjExMjgwOTUxMzRaMCcxFjAUBgNVBAMMDU91cnMgc2Vydmlj
ZXMxDTALBgNVBAoMBE91cnMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATOiGYI
JoT4un0iAkkFFboSbc51adCdLR7GWr7b/HxWj0slBQbagU0Z9DhvSCuyKR53zJ3T
1GxjnjRecE1YGMiLo0UwQzASBgNVHRMBAf8ECDAGAQH/AgEAMA4GA1UdDwEB/wQE
AwIBBjAdBgNVHQ4EFgQUhy2cLSEAwOgf5Y7RfeCm8H6TnR8wCgYIKoZIzj0EAwID
SQAwRgIhAKotC80W1Nur091vfZ10+tnbFqz+hFNqH33R4InRAg2lAiEA0tM5VXjG
W7hRY6OEGh+U9vhoWaV177d2zVZn/QspDlc=
-----END CERTIFICATE-----
"""
SERVICE: Final = b"""\
-----BEGIN CERTIFICATE-----
MIICADCCAaegAwIBAgIUcbJb8Gdoew1nJsSWhfHnWajzK2EwCgYIKoZIzj0EAwIw
JzEWMBQGA1UEAwwNT3VycyBzZXJ2aWNlczENMAsGA1UECgwET3VyczAeFw0yNjEy
MDEwOTQxMzRaFw0yODAxMDIwOTUxMzRaMCAxDzANBgNVBAMMBm5vZGUtMTENMAsG
A1UECgwET3VyczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJuE6QCg2TkvEErb
Ti6QLChzxufVWaXzaXva9MISYOXaUjt1uDcQNcDGb3ScSboO6+oMwdnKwYTQzvLt
EDLaCTejgbcwgbQwDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwHQYDVR0l
BBYwFAYIKwYBBQUHAwIGCCsGAQUFBwMBMB0GA1UdDgQWBBTY2makwN6/dZnxT4QU
AfnWD1zbTTAfBgNVHSMEGDAWgBSHLZwtIQDA6B/ljtF94KbwfpOdHzA1BgNVHREE
LjAsghJub2RlLTEuZXhhbXBsZS5vcmeHBMAAAgGHECABDbgAAAAAAAAAAAAAAAEw
CgYIKoZIzj0EAwIDRwAwRAIgS1MWx6KFi/e04Snweszgpxyx6oCpNIgfBacCJ1uk
KVACIDFqP+koKv22a8owsxFiADHLjiytCRIifus7bijZLfpt
-----END CERTIFICATE-----
"""
REQUEST: Final = b"""\
-----BEGIN CERTIFICATE REQUEST-----
MIIBIzCBygIBADAgMQ8wDQYDVQQDDAZub2RlLTExDTALBgNVBAoMBE91cnMwWTAT
BgcqhkjOPQIBBggqhkjOPQMBBwNCAASbhOkAoNk5LxBK204ukCwoc8bn1Vml82l7
2vTCEmDl2lI7dbg3EDXAxm90nEm6DuvqDMHZysGE0M7y7RAy2gk3oEgwRgYJKoZI
hvcNAQkOMTkwNzA1BgNVHREELjAsghJub2RlLTEuZXhhbXBsZS5vcmeHBMAAAgGH
ECABDbgAAAAAAAAAAAAAAAEwCgYIKoZIzj0EAwIDSAAwRQIgXvST+7yRsUc1P9V6
2mjJvZ2H+63g73GR235yHg+c6aACIQCpqe1HhaB3oBng4uJKralvkaWNwDZWJdqR
GpEgY1ikWA==
-----END CERTIFICATE REQUEST-----
"""


def _certificates(text: bytes) -> list[object]:
    found = parse_certificates(text, "a file")
    return [(named(each), hosts_of(each)) for each in found]


def _der() -> list[bytes]:
    (service,) = parse_certificates(SERVICE, "a file")
    return [service.public_bytes(Encoding.DER)]


def _described() -> list[str]:
    key = PrivateKey((7).to_bytes(32)).public_key.format()
    url = "https://node-1.example.org:9001"
    return [NodeDescription("node-1", "Ours", url, key, AUTHORITY.decode()).to_json()]


def _wanted(text: bytes) -> Wanted:
    return read_wanted(parse_request(text))


DECODERS = (
    Decoder(
        "node-description",
        (
            "caimi.node.description.NodeDescription.from_json",
            "caimi.node.description.read_description",
        ),
        _described,
        NodeDescription.from_json,
        lambda value: value.to_json(),
        Law.SETTLES,
    ),
    Decoder(
        "certificates",
        (
            "caimi.tls.certificates.parse_certificates",
            "caimi.tls.certificates.read_certificates",
        ),
        lambda: [AUTHORITY + SERVICE, SERVICE],
        _certificates,
    ),
    Decoder("certificate-shown", ("caimi.tls.certificates.peer_of_der",), _der, peer_of_der),
    Decoder(
        "certificate-request",
        ("caimi.tls.authority.parse_request", "caimi.tls.authority.read_wanted"),
        lambda: [REQUEST],
        _wanted,
    ),
)
