"""Errors of certificates and of TLS between services (letter T)."""

from __future__ import annotations

from caimi.errors.base import CaimiError
from caimi.errors.node import NodeUnreachable


class CertificateInvalid(CaimiError):
    """A certificate, a request for one or a TLS key cannot be used."""

    code = "CAIMI-T001"
    why = "It is damaged, of another kind, or does not belong to its key."
    next_step = "Look at it with `caimi certificates show`, and name the right file."


class CertificateExpired(CaimiError):
    """A certificate is not valid at this time."""

    code = "CAIMI-T002"
    why = "Nobody believes a certificate outside of its time: calls would fail without a reason."
    next_step = (
        "Have its request signed again with `caimi certificates sign NAME.csr --replace`, put the "
        "new file in the old one's place, and send SIGHUP to the service or start it."
    )


class PeerNotTrusted(NodeUnreachable):
    """A service shows a certificate that this process does not believe."""

    code = "CAIMI-T003"
    why = "It is of another authority, expired, or made for another host."
    next_step = (
        "Compare its fingerprint with what its operator says, then name its authority's file "
        "under trust; an expired one its operator must renew."
    )


class OwnCertificateRefused(NodeUnreachable):
    """A service did not believe this process's certificate, or wants one."""

    code = "CAIMI-T004"
    why = "It trusts other authorities, or the certificate has expired."
    next_step = "Give your authority's certificate to its operator, who names it under trust."


class CertificateRequired(CaimiError):
    """A request needs a client certificate, and came without one."""

    code = "CAIMI-T005"
    why = "This part of a service is for other services, and not for everybody who reaches it."
    next_step = "Set certificate and key under [tls], signed by an authority that is trusted there."


class AuthorityExists(CaimiError):
    """There is an authority already where one should be made."""

    code = "CAIMI-T006"
    why = "Overwriting it would end what others trust."
    next_step = "Use the one that is there, or choose another place."


class RequestNotSigned(CaimiError):
    """An authority does not sign this request for a certificate."""

    code = "CAIMI-T007"
    why = "What it asks for is not what certificates of services are, or is another's."
    next_step = "Make it anew with `caimi certificates request`."


class CertificateExists(CaimiError):
    """There is a service's certificate already where one should be written."""

    code = "CAIMI-T008"
    why = "It may be in use, and another one is written over it only when that is said."
    next_step = "Add --replace to renew it, or choose another place with --output."
