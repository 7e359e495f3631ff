"""What a package's signature is about: one version of one model, by one account.

The name in the signed statement says so, so that the holder of the signing key vouches for all
three; files alone would let anybody put the signature under a version of their own. That the
account vouches for the key is for its ledger to say: the manifest that names the key is there.
"""

from __future__ import annotations

from caimi.chains import AccountId
from caimi.uri import ModelUri


def signed_name(model_id: bytes, version: str, publisher: str) -> str:
    """Give the name that a version's signed statement carries; `publisher` is CAIP-10, at home.

    Raises:
        InvalidAccountId, InvalidLedgerId, InvalidModelUri: a part is out of form.
    """
    account = AccountId.parse(publisher)
    return f"{ModelUri(account.ledger, model_id, version)} by {account}"
