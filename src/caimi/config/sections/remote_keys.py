"""`[keys.remote.NAME]` of caimi.toml: a key that another machine keeps, as a KMS or an HSM."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from caimi.chains import EVM_ADDRESS

_Path = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", max_length=4096)]


class RemoteKeySection(BaseModel):
    """A name's own key behind a signing service: see `caimi.services.remote_signer`.

    Who asks is known by the certificate under `[tls]`, by the token in `token_file`, or by both.
    `trust` alone may answer at `url`, an authority or a single certificate; else those of `[tls]`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]{1,500}$")]
    account: Annotated[str, StringConstraints(pattern=f"^{EVM_ADDRESS}$")]
    token_file: _Path | None = None
    trust: _Path | None = None
