"""A signing service is believed only when the account signed, and its token is never shown."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from caimi.errors.operations import RemoteSignatureInvalid, RemoteSignerFailed
from caimi.keystore import LocalSigner
from caimi.services.remote_signer import MAX_ANSWER_BYTES, RemoteSigner
from caimi.signatures import ORDER

KEY = LocalSigner(b"\x09" * 32)
DIGEST = b"\x42" * 32


def signer(
    answer: Callable[[bytes], httpx.Response], url: str = "https://kms/sign"
) -> RemoteSigner:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer secret"
        body = json.loads(request.content)
        assert list(body) == ["digest"]
        return answer(bytes.fromhex(body["digest"][2:]))

    return RemoteSigner(url, KEY.account, "secret", transport=httpx.MockTransport(handle))


def told(signature: bytes) -> httpx.Response:
    return httpx.Response(200, json={"signature": f"0x{signature.hex()}"})


def test_it_signs_as_a_key_in_this_process_does_whatever_form_the_service_has() -> None:
    expected = KEY.sign_digest(DIGEST)
    high = (ORDER - int.from_bytes(expected[32:64])).to_bytes(32)
    for answer in (
        lambda digest: told(KEY.private_key.sign(digest, hasher=None)),
        lambda digest: told(KEY.sign_digest(digest)[:64]),
        lambda digest: told(KEY.sign_digest(digest)[:32] + high),
    ):
        assert signer(answer).sign_digest(DIGEST) == expected


@pytest.mark.parametrize("token", ["schlüssel", "two\nlines", "nothing\0", "\x80"])
def test_a_token_that_no_header_takes_is_refused_by_name_and_not_shown(token: str) -> None:
    with pytest.raises(RemoteSignerFailed, match="The token for kms") as refused:
        RemoteSigner("https://kms/sign", KEY.account, token)
    assert token not in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        lambda digest: told(LocalSigner.generate().sign_digest(digest)),
        lambda digest: told(KEY.sign_digest(bytes(32))),
        lambda digest: told(b""),
        lambda digest: httpx.Response(200, text="yes"),
        lambda digest: httpx.Response(200, json={"signature": 5}),
        lambda digest: httpx.Response(200, json={"signature": "0xzz"}),
        lambda digest: httpx.Response(200, json=["[" * 50]),
        lambda digest: httpx.Response(200, text="[" * 4000),
        lambda digest: httpx.Response(200, text=" " * (MAX_ANSWER_BYTES + 1)),
    ],
)
def test_an_answer_that_is_not_the_accounts_signature_is_refused(answer) -> None:
    with pytest.raises(RemoteSignatureInvalid):
        signer(answer).sign_digest(DIGEST)


def test_a_service_that_refuses_redirects_or_is_down_is_named_without_the_token() -> None:
    def down(digest: bytes) -> httpx.Response:
        raise httpx.ConnectError("no")

    for answer in (
        down,
        lambda digest: httpx.Response(403),
        lambda digest: httpx.Response(307, headers={"location": "https://elsewhere"}),
    ):
        with pytest.raises(RemoteSignerFailed, match="kms") as raised:
            signer(answer).sign_digest(DIGEST)
        assert "secret" not in str(raised.value)


def test_a_token_is_sent_over_https_or_on_this_machine_only() -> None:
    with pytest.raises(RemoteSignerFailed):
        signer(told, "http://kms.example/sign")
    signer(told, "http://127.0.0.1:9000/sign")


def test_it_shows_its_account_and_nothing_secret() -> None:
    text = repr(signer(told, "https://kms/sign?key=hidden"))
    assert KEY.account.hex() in text
    assert "secret" not in text
    assert "hidden" not in text
