"""Unlocking with 6 of 9 custodians in process, against nucypher-core's ferveo doing the same."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from statistics import median

from coincurve import PrivateKey
from nucypher_core import ferveo

from bench.result import Result
from caimi.custody import tdh2
from caimi.custody.dkg import generate_in_process
from caimi.custody.label import label_for

THRESHOLD, CUSTODIANS, ROUNDS = 6, 9, 30


def measure() -> list[Result]:
    """Time both: six shares made, verified (ours alone can), combined, and the secret opened."""
    ours, theirs = _tdh2(), _ferveo()
    pairs = [(_timed(ours), _timed(theirs)) for _ in range(ROUNDS)]
    our_time, their_time = median(a for a, _ in pairs), median(b for _, b in pairs)
    return [
        Result(
            "unlock_6of9_ratio_ferveo",
            median(a / b for a, b in pairs),
            "of the peer's time",
            "nucypher-core ferveo (precomputed)",
            their_time,
            our_time / their_time,
            ceiling=0.5,
        ),
        Result("unlock_6of9_seconds", our_time, "s", "nucypher-core ferveo", their_time),
    ]


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _tdh2() -> Callable[[], None]:
    identities = [PrivateKey(secrets.token_bytes(32)) for _ in range(CUSTODIANS)]
    shares = generate_in_process(identities, THRESHOLD)
    group = shares[0].group
    secret = secrets.token_bytes(32)
    sealed = tdh2.encrypt(group.public_key, secret, label_for(bytes(32), "1.0.0")).to_bytes()

    def unlock() -> None:
        ciphertext = tdh2.Ciphertext.from_bytes(sealed)
        tdh2.verify_ciphertext(ciphertext, group.public_key)
        made = [tdh2.decryption_share(ciphertext, share) for share in shares[:THRESHOLD]]
        for share in made:
            tdh2.verify_share(ciphertext, share, group)
        if tdh2.open_with(ciphertext, made, group) != secret:
            raise AssertionError("the wrong secret was opened")

    return unlock


def _ferveo() -> Callable[[], None]:
    def account(number: int) -> str:
        return f"0x{number:040x}"

    keypairs = [ferveo.Keypair.random() for _ in range(CUSTODIANS)]
    validators = [
        ferveo.Validator(account(index), pair.public_key(), index)
        for index, pair in enumerate(keypairs)
    ]
    validators.sort(key=lambda validator: validator.address)
    messages = [
        ferveo.ValidatorMessage(
            sender,
            ferveo.Dkg(1, CUSTODIANS, THRESHOLD, validators, sender).generate_transcript(),
        )
        for sender in validators
    ]
    dkg = ferveo.Dkg(1, CUSTODIANS, THRESHOLD, validators, validators[0])
    aggregated = dkg.aggregate_transcripts(messages)
    secret, label = secrets.token_bytes(32), label_for(bytes(32), "1.0.0")
    ciphertext = ferveo.encrypt(secret, label, aggregated.public_key)
    dkgs = [
        ferveo.Dkg(1, CUSTODIANS, THRESHOLD, validators, validator)
        for validator in validators[:THRESHOLD]
    ]
    chosen = validators[:THRESHOLD]

    def unlock() -> None:
        shares = [
            aggregated.create_decryption_share_precomputed(
                dkgs[index], ciphertext.header, label, keypairs[index], chosen
            )
            for index in range(THRESHOLD)
        ]
        shared = ferveo.combine_decryption_shares_precomputed(shares)
        if bytes(ferveo.decrypt_with_shared_secret(ciphertext, label, shared)) != secret:
            raise AssertionError("the wrong secret was opened")

    return unlock
