"""Checking the certificates that a configuration shows and believes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from caimi.client.doctor.finding import Finding, failed
from caimi.composition.ledgers import family_of
from caimi.config import Config
from caimi.errors.base import CaimiError
from caimi.ledgers.port import Certified
from caimi.tls.certificates import check_time, read_certificates
from caimi.tls.contexts import TlsFiles

_RENEW: Final = (
    "Have its request signed again with `caimi certificates sign NAME.csr --replace`, put the new "
    "file in its place, and send SIGHUP to the services that use it."
)
_ASK: Final = "Ask its operator for the new one, put it in its place, and send SIGHUP to services."

_OF_A_LEDGER: Final = (
    "Have the authority of its organisation certify anew, put the new file in its place, and start "
    "services again that use it."
)


def check_certificates(config: Config) -> list[Finding]:
    """Check this program's own certificate and key, and every one that is named as trusted."""
    tls, found = config.tls, []
    if tls.certificate is not None and tls.key is not None:
        own = TlsFiles(config.path(tls.certificate), config.path(tls.key))
        found += _of_file(own.certificate, _RENEW, own)
    listed = [
        *tls.trust,
        *(each.trust for each in (config.committee.custodians if config.committee else ())),
        *(each.trust for each in config.workers),
        *(each.trust for each in config.keys.remote.values()),
    ]
    for text in dict.fromkeys(each for each in listed if each is not None):
        found += _of_file(config.path(text), _ASK)
    for section in config.ledgers:
        family = family_of(section)
        if isinstance(family, Certified):
            for file in family.certificates(section):
                found += _of_file(file, _OF_A_LEDGER)
    return found


def _of_file(file: Path, next_step: str, own: TlsFiles | None = None) -> list[Finding]:
    subject = f"certificate {file.name}"
    try:
        if own is not None:
            own.check()
        certificates = read_certificates(file)
        soon = [text for each in certificates if (text := check_time(each, str(file)))]
    except CaimiError as error:
        return [failed(subject, error)]
    if soon:
        return [Finding(subject, "warning", soon[0].rpartition(": ")[0] + ".", next_step)]
    ends = min(each.not_valid_after_utc for each in certificates)
    return [Finding(subject, "ok", f"{file} is valid until {ends:%Y-%m-%d}.")]
