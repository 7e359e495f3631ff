"""Errors of keys that other machines keep (letter C)."""

from __future__ import annotations

from caimi.errors.operations import RemoteSignerFailed


class RemoteSignerUnreachable(RemoteSignerFailed):
    """A remote signer gives no answer."""

    code = "CAIMI-C087"
    why = "It is down, hangs, or a network is between this machine and it."
    next_step = "Start it or look at its log, and check its URL; nothing was signed."


class RemoteSignerNotTrusted(RemoteSignerFailed):
    """A remote signer shows a certificate that this program does not believe."""

    code = "CAIMI-C088"
    why = "It is of another authority than the settings trust, or made for another host."
    next_step = (
        "Compare its fingerprint with what its operator says (`caimi certificates show FILE`), and "
        "name its authority's file, or its certificate's own, as the signer's trust."
    )


class RemoteSignerRefusesCertificate(RemoteSignerFailed):
    """A remote signer does not believe this program's certificate, or wants one."""

    code = "CAIMI-C089"
    why = "It signs only for certificates that it was told of, and this one expired or is none."
    next_step = (
        "Set certificate and key under [tls], look at them with `caimi certificates show`, and "
        "give their authority to the signer's operator."
    )


class RemoteSignerExpired(RemoteSignerFailed):
    """A remote signer's certificate has expired, by this machine's clock."""

    code = "CAIMI-C090"
    why = "Nobody believes a certificate outside of its time."
    next_step = (
        "Have its operator renew it with `caimi certificates sign NAME.csr --replace`; check this "
        "machine's clock with `caimi doctor`."
    )
