"""Consumers and their requests, for the custody tests."""

from eth_account import Account

from caimi.custody.delivery import RecipientKey
from caimi.custody.request import ShareRequest, SignedShareRequest
from caimi.errors.ids import InvalidAccountId
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import LedgerId, account_named

NOW = 1_800_000_000
LEDGER = "eip155:31337"
MODEL = b"\x01" * 32
CONSUMERS = EvmAccounts(LedgerId("eip155:31338"))
"""The accounts of the ledger that consumers are on."""


def custodian_keys(count):
    """Make the keys that custodians sign what they give with, in their order."""
    return [LocalSigner.generate() for _ in range(count)]


class AccountSigner:
    """The port's Signer over an eth_account key in memory."""

    def __init__(self, account):
        self._account = account

    @property
    def account(self):
        return bytes.fromhex(self._account.address[2:])

    def sign_digest(self, digest):
        return bytes(self._account.unsafe_sign_hash(digest).signature)


def new_consumer():
    account = Account.create()
    return AccountSigner(account), f"eip155:31338:{account.address}"


def signed_request(sealed, recipient: RecipientKey, consumer=None, **changes):
    signer, name = consumer or new_consumer()
    fields = {
        "ledger": LEDGER,
        "model_id": MODEL,
        "version": "1.0.0",
        "consumer": name,
        "hpke_public_key": recipient.public_bytes,
        "ciphertext": sealed.to_bytes(),
        "issued_at": NOW,
    }
    request = ShareRequest(**(fields | changes))
    wallet = CONSUMERS.wallet(signer)
    return SignedShareRequest(request, wallet.sign_statement(request.statement))


def is_by_consumer(signed):
    """Tell whether the key of the account that a request names signed it."""
    try:
        consumer = account_named(signed.request.consumer, CONSUMERS)
    except InvalidAccountId:
        return False
    return CONSUMERS.verify(signed.request.statement, consumer, signed.signature)
