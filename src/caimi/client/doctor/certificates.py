"""Checking the certificates that this configuration shows, and those of whom it believes."""

from __future__ import annotations

from pathlib import Path

from caimi.client.doctor.finding import Finding, failed
from caimi.config import Config
from caimi.errors.base import CaimiError
from caimi.tls.certificates import check_time, read_certificates
from caimi.tls.contexts import TlsFiles


def check_certificates(config: Config) -> list[Finding]:
    """Check that each can be used now and for a while; nothing is said where there are none."""
    own = config.tls
    trusted = [*own.trust, *(each.trust for each in config.workers)]
    if config.committee is not None:
        trusted += [each.trust for each in config.committee.custodians]
    found = []
    if own.certificate is not None and own.key is not None:
        found += _own(TlsFiles(config.path(own.certificate), config.path(own.key)))
    for text in dict.fromkeys(each for each in trusted if each is not None):
        found += _trusted(config.path(text))
    if found or not (own.certificate or trusted):
        return found
    return [Finding("certificates", "ok", "All are within their time.")]


def _own(files: TlsFiles) -> list[Finding]:
    try:
        files.check()
    except CaimiError as error:
        return [failed("certificate", error)]
    return _trusted(files.certificate)


def _trusted(file: Path) -> list[Finding]:
    try:
        said = [check_time(each, str(file)) for each in read_certificates(file)]
    except CaimiError as error:
        return [failed("certificate", error)]
    return [
        Finding("certificate", "warning", text, "Renew it before then.") for text in said if text
    ]
