"""What lies beside a model by accident: hidden files, and keys and tokens under any name.

Hidden files stay behind, as with the tools that people know; what is a secret by its name or its
first bytes stops the publication, since it cannot be taken back. Both go along when they are named.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Final

from caimi.errors.models import SecretFile
from caimi.models.files import PackageFile, is_gits_own

_SEARCHED: Final = 4 * 1024 * 1024
_NAMES: Final = {
    "an SSH key": ("id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"),
    "a key store": ("*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "wallet.dat"),
    "an account's key": ("utc--*",),
    "a file of credentials": (
        *("netrc", "_netrc", "htpasswd", "pgpass", "credentials", "credentials.*"),
        *("client_secret*.json", "service-account*.json", "service_account*.json"),
        *("secret.*", "secrets.*", "*.env", "env.local", "terraform.tfstate*"),
    ),
    "CAIMI's own configuration": ("caimi.toml",),
}
_CONTENTS: Final = {
    "a private key": (
        rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----",
        rb"PuTTY-User-Key-File-\d",
        rb"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    ),
    "an account's key": (rb'"kdfparams"\s*:',),
    "a token": (
        *(rb"\bhf_[A-Za-z0-9]{34}", rb"\bgh[pousr]_[A-Za-z0-9]{36}", rb"\bgithub_pat_\w{50}"),
        *(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", rb"\bAIza[0-9A-Za-z_-]{35}", rb"\bxox[abprs]-\w{10}"),
        *(rb"\bsk-[A-Za-z0-9_-]{32}", rb"\b[rs]k_live_[0-9A-Za-z]{20}", rb"\bnpm_[A-Za-z0-9]{36}"),
        *(rb"\bpypi-AgEI[\w-]{40}", rb"\bglpat-[\w-]{20}"),
    ),
}
_PATTERNS: Final = {what: re.compile(b"|".join(parts)) for what, parts in _CONTENTS.items()}


def stays_behind(path: str, include: Collection[str]) -> bool:
    """Tell whether a path is hidden, or below what is, and nothing of it is named."""
    if is_gits_own(path):
        return True
    hidden = any(part.startswith(".") for part in path.split("/"))
    leads_on = any(name.startswith(f"{path}/") for name in include)
    return hidden and not is_named(path, include) and not leads_on


def check_no_secret(file: PackageFile, include: Collection[str]) -> None:
    """Refuse a file that must be nobody else's, unless it is named.

    Raises:
        SecretFile: with what it seems to be.
    """
    if is_named(file.path, include):
        return
    what = _by_name(file.path) or _by_content(file)
    if what is not None:
        raise SecretFile(f"{file.path!r} would be published, and seems to {what}.")


def is_named(path: str, include: Collection[str]) -> bool:
    """Tell whether a path, or a directory that it is in, is one of those that were named."""
    return any(path == name or path.startswith(f"{name}/") for name in include)


def _by_name(path: str) -> str | None:
    name = path.rpartition("/")[2].lower().lstrip(".")
    for what, patterns in _NAMES.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return f"be {what}"
    return None


def _by_content(file: PackageFile) -> str | None:
    with file.open() as content:
        head = content.read(_SEARCHED)
    for what, pattern in _PATTERNS.items():
        if pattern.search(head):
            return f"hold {what}"
    return None
