"""A worker with models in memory and its receipts on disk."""

import secrets
from pathlib import Path

import numpy as np
import onnx_models as models

from caimi.errors.inference import ModelNotServed
from caimi.inference.batch import ReceiptWriter
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.receipt import Receipt, SignedReceipt
from caimi.inference.receipt_store import KeptReceipt, ReceiptStore
from caimi.inference.worker import ServedModel, Worker
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import LedgerId, Wallet
from caimi.uri import ModelUri

LEDGER = "eip155:31337"
URI = ModelUri(LEDGER, b"\x01" * 32, "1.0.0")
NOW = 1_700_000_000
SIGNER = LocalSigner.generate()
ACCOUNTS = EvmAccounts(LedgerId(LEDGER))
WALLET = ACCOUNTS.wallet(SIGNER)


class ModelsInMemory:
    """Serves what it was given (port `Models`)."""

    def __init__(self, *served: ServedModel) -> None:
        self._served = {model.uri: model for model in served}

    async def serve(self, uri: ModelUri) -> ServedModel:
        if uri not in self._served:
            raise ModelNotServed(f"This worker does not serve {uri}.")
        return self._served[uri]


def served_perceptron(folder: Path) -> ServedModel:
    session = OnnxEngine().load(models.saved(folder, models.perceptron()))
    return ServedModel(URI, b"\x02" * 32, session)


def worker_of(*served: ServedModel, store: ReceiptStore, **options: object) -> Worker:
    log = ReceiptWriter(store, ACCOUNTS)
    return Worker(OnnxEngine(), ModelsInMemory(*served), WALLET, log, lambda: NOW, **options)


def rows(count: int) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(count).standard_normal((count, 4)).astype(np.float32)}


def receipts(count: int, wallet: Wallet = WALLET) -> list[SignedReceipt]:
    return [
        Receipt(
            ledger=LEDGER,
            model_id=URI.model_id,
            version="1.0.0",
            manifest=b"\x02" * 32,
            input_hash=secrets.token_bytes(32),
            output_hash=secrets.token_bytes(32),
            engine="test",
            price=0,
            time=NOW,
            worker=wallet.name,
        ).sign(wallet)
        for _ in range(count)
    ]


def kept(signed: list[SignedReceipt]) -> list[KeptReceipt]:
    return [KeptReceipt.of(receipt, ACCOUNTS) for receipt in signed]


def digest(signed: SignedReceipt) -> bytes:
    return signed.receipt.digest(ACCOUNTS)
