"""Sealing and signing a package of 1 GiB, against OpenSSL doing the least that has to be done.

The peer hashes the same file with SHA-256 and encrypts it with AES-256-GCM in 4 MiB pieces, through
OpenSSL's own library calls, on one thread, without writing anything. Ours also hashes what it
encrypted, writes it durably to a store, and signs. Looking for code among the file's bytes comes
before, and is a figure of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.result import Result
from caimi.models.content_key import ContentKey
from caimi.models.package import Package
from caimi.models.sealing import seal
from caimi.models.signing import PackageSigner
from caimi.storage.local import LocalStore

SIZE = 1 << 30
PIECE = 4 << 20
ROUNDS = 5


def measure() -> list[Result]:
    """Seal, hash and encrypt, and sign with the official tool, in turns; medians of the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "model" / "weights.bin"
        file.parent.mkdir()
        with file.open("wb") as output:
            for _ in range(SIZE // PIECE):
                output.write(os.urandom(PIECE))
        rows = []
        for number in range(ROUNDS):
            store = folder / f"store-{number}"
            sealed = _seal(file.parent, store)
            shutil.rmtree(store)
            rows.append(
                (sealed, _openssl(file), _official(folder, file.parent), _look(file.parent))
            )
        memory = _memory(file.parent, folder / "store-memory")
    middle = ROUNDS // 2
    ours = sorted(row[0] for row in rows)[middle]
    peer = sorted(row[1] for row in rows)[middle]
    official = sorted(row[2] for row in rows)[middle]
    speed = sorted(row[1] / row[0] for row in rows)[middle]
    looking = sorted(row[1] / row[3] for row in rows)[middle]
    return [
        Result(
            "seal_ratio",
            speed,
            "of the peer's speed",
            "SHA-256 and AES-256-GCM by OpenSSL, nothing written",
            SIZE / peer / 1e6,
            speed,
            floor=0.7,
        ),
        Result(
            "look_for_code_ratio",
            looking,
            "of the peer's speed",
            "SHA-256 and AES-256-GCM by OpenSSL, nothing written",
            SIZE / peer / 1e6,
            looking,
            floor=0.3,
        ),
        Result("seal_megabytes_per_second", SIZE / ours / 1e6, "MB/s"),
        Result(
            "sign_vs_model_signing_ratio",
            sorted(row[0] / row[2] for row in rows)[middle],
            "of the peer's time (ours seals too)",
            "model_signing sign key",
            official,
            ours / official,
        ),
        Result("seal_memory", memory / 1e6, "MB above the interpreter", ceiling=200),
    ]


def _seal(model: Path, store: Path) -> float:
    signer, package = PackageSigner.generate(), Package.from_path(model)
    os.sync()  # what earlier rounds left to write is not ours
    began = time.perf_counter()
    asyncio.run(
        seal(
            package,
            LocalStore(store),
            key=ContentKey.generate(),
            model_id=bytes(32),
            version="1.0.0",
            publisher="eip155:1:0x" + "11" * 20,
            signer=signer,
        )
    )
    return time.perf_counter() - began


def _look(model: Path) -> float:
    began = time.perf_counter()
    Package.from_path(model)
    return time.perf_counter() - began


def _openssl(file: Path) -> float:
    cipher, hasher = AESGCM(os.urandom(32)), hashlib.sha256()
    buffer, output = bytearray(PIECE), bytearray(PIECE + 16)
    began = time.perf_counter()
    with file.open("rb", buffering=0) as source:
        number = 0
        while count := source.readinto(buffer):
            view = memoryview(buffer)[:count]
            hasher.update(view)
            cipher.encrypt_into(number.to_bytes(12), view, None, memoryview(output)[: count + 16])
            number += 1
    hasher.digest()
    return time.perf_counter() - began


def _official(folder: Path, model: Path) -> float:
    key = folder / "key.pem"
    if not key.exists():
        subprocess.run(
            ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key)],
            check=True,
        )
    began = time.perf_counter()
    subprocess.run(
        [
            *(sys.executable, "-m", "model_signing", "sign", "key", str(model)),
            *("--private_key", str(key), "--signature", str(folder / "official.sig")),
        ],
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def _memory(model: Path, store: Path) -> float:
    """Seal in a process of its own, and give its peak above that of the same imports alone."""
    peaks = []
    for work in ("pass", f"bench.sealing._seal(Path({str(model)!r}), Path({str(store)!r}))"):
        code = (
            f"import bench.sealing\nfrom pathlib import Path\n{work}\nprint(bench.sealing._peak())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout))
    return peaks[1] - peaks[0]


def _peak() -> int:
    """Give this program's peak resident memory in bytes (what the kernel calls VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
