"""What a receipt is worth: checked against its ledger, against data, and by running it again."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx_models as models
import pytest

from caimi.errors.ledgers import LedgerUnavailable
from caimi.inference.engine import Session
from caimi.inference.engines import checker_of
from caimi.inference.inclusion import Inclusion
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.receipt import Receipt, SignedReceipt
from caimi.inference.spread import Spread
from caimi.inference.tensors import Tensors, hash_tensors
from caimi.inference.verification import (
    FAILED,
    PASSED,
    UNCHECKED,
    Evidence,
    check_receipt,
)
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.port import Account, LedgerId
from caimi.merkle import MerkleTree, leaf_hash
from lying_world import LyingLedger

COIN = 10**18
ACCOUNTS = EvmAccounts(LedgerId("eip155:31337"))
MANIFEST = b"\x11" * 32
SIGNED, MODEL, ANCHORED = (
    "signed by its worker",
    "model version on its ledger",
    "anchored by its worker",
)
INPUT, OUTPUT = "its input is the one given", "its output is the one given"
AGAIN = "same answer when run again"


@dataclass(frozen=True)
class World:
    chain: EmbeddedChain
    deployment: Deployment
    worker: LocalSigner
    rival: LocalSigner
    model_id: bytes

    def ledger(self) -> EvmLedger:
        return EvmLedger(embedded_chain(self.chain), self.deployment)


@pytest.fixture(scope="module")
def world() -> World:
    worker, rival = LocalSigner.generate(), LocalSigner.generate()
    chain = EmbeddedChain(31337, {worker.account: 1000 * COIN, rival.account: 1000 * COIN})

    async def build() -> World:
        deployment = await deploy(embedded_chain(chain), worker)
        ledger = EvmLedger(embedded_chain(chain), deployment)
        await ledger.submit(ledger.registry.publish("perceptron", "1.0.0", MANIFEST), worker)
        model_id = ledger.registry.model_id(Account(ledger.id, worker.account), "perceptron")
        return World(chain, deployment, worker, rival, model_id)

    return asyncio.run(build())


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder: Path = tmp_path_factory.mktemp("perceptron")
    return OnnxEngine().load(models.saved(folder, models.perceptron()))


@pytest.fixture
def inputs() -> Tensors:
    return {"x": np.linspace(-1, 1, 20, dtype=np.float32).reshape(5, 4)}


def signed_by(world: World, inputs: Tensors, outputs: Tensors, **changes: object) -> SignedReceipt:
    receipt = Receipt(
        ledger="eip155:31337",
        model_id=world.model_id,
        version="1.0.0",
        manifest=MANIFEST,
        input_hash=hash_tensors(inputs),
        output_hash=hash_tensors(outputs),
        engine="onnxruntime/1/cpu",
        price=0,
        time=1_800_000_000,
        worker=ACCOUNTS.wallet(world.worker).name,
    )
    return replace(receipt, **changes).sign(ACCOUNTS.wallet(world.worker))


async def states(
    signed: SignedReceipt, world: World, evidence: Evidence | None = None
) -> dict[str, tuple[str, str]]:
    ledger = world.ledger()
    checks = await check_receipt(signed, ledger, ledger, evidence or Evidence())
    return {check.name: (check.state, check.detail) for check in checks}


async def anchored(
    world: World, receipts: list[SignedReceipt], anchorer: LocalSigner | None
) -> Inclusion:
    tree = MerkleTree(leaf_hash(signed.receipt.digest(ACCOUNTS)) for signed in receipts)
    if anchorer is not None:
        ledger = world.ledger()
        await ledger.submit(ledger.receipts.anchor(tree.root, len(receipts)), anchorer)
    return Inclusion(tree.root, tree.proof(0))


class Shifted:
    """The same model on a machine whose arithmetic differs: `shift` gives its outputs."""

    def __init__(self, session: Session, shift) -> None:
        self.inputs, self.outputs = session.inputs, session.outputs
        self._session, self._shift = session, shift

    def run(self, inputs: Tensors) -> dict[str, np.ndarray]:
        return self._shift(self._session.run(inputs))


def scores_times(factor: float):
    return lambda outputs: {**outputs, "scores": outputs["scores"] * np.float32(factor)}


async def test_an_honest_receipt_passes_every_check(
    world: World, session: Session, inputs: Tensors
) -> None:
    outputs = session.run(inputs)
    signed = signed_by(world, inputs, outputs)
    others = [signed_by(world, inputs, outputs) for _ in range(4)]
    inclusion = await anchored(world, [signed, *others], world.worker)
    found = await states(signed, world, Evidence(inclusion, inputs, outputs, session))
    assert [state for state, _ in found.values()] == [PASSED] * 6
    assert found[AGAIN][1] == "bit for bit"
    assert found[SIGNED][1] == signed.receipt.worker
    assert found[ANCHORED][1].endswith(" UTC")


async def test_what_is_not_given_is_told_as_unchecked(
    world: World, session: Session, inputs: Tensors
) -> None:
    found = await states(signed_by(world, inputs, session.run(inputs)), world)
    assert {name: state for name, (state, _) in found.items()} == {
        SIGNED: PASSED,
        MODEL: PASSED,
        ANCHORED: UNCHECKED,
        INPUT: UNCHECKED,
        OUTPUT: UNCHECKED,
        AGAIN: UNCHECKED,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ledger", "eip155:31338"),
        ("model_id", bytes(32)),
        ("version", "1.0.1"),
        ("manifest", bytes(32)),
        ("input_hash", bytes(32)),
        ("output_hash", bytes(32)),
        ("engine", "onnxruntime/2/cpu"),
        ("price", 1),
        ("time", 1_800_000_001),
        ("worker", "eip155:31337:0x" + "01" * 20),
        ("nonce", bytes(32)),
    ],
)
async def test_a_receipt_with_another_field_is_not_signed(
    world: World, inputs: Tensors, field: str, value: object
) -> None:
    signed = signed_by(world, inputs, inputs)
    forged = replace(signed, receipt=replace(signed.receipt, **{field: value}))
    assert (await states(forged, world))[SIGNED][0] == FAILED


@pytest.mark.parametrize("changes", [{"model_id": b"\x09" * 32}, {"version": "9.9.9"}])
async def test_a_version_that_the_ledger_does_not_have_fails(
    world: World, inputs: Tensors, changes: dict[str, object]
) -> None:
    found = await states(signed_by(world, inputs, inputs, **changes), world)
    assert found[SIGNED][0] == PASSED
    assert found[MODEL][0] == FAILED


async def test_another_manifest_fails_and_both_are_named(world: World, inputs: Tensors) -> None:
    found = await states(signed_by(world, inputs, inputs, manifest=b"\x22" * 32), world)
    assert found[MODEL][0] == FAILED
    assert "0x1111" in found[MODEL][1]
    assert "0x2222" in found[MODEL][1]


async def test_a_ledger_that_is_not_the_models_home_confirms_no_receipt_of_it(
    world: World, inputs: Tensors
) -> None:
    liar = LyingLedger(2)
    said = (world.worker.account, "perceptron", world.worker.account)
    liar.say_model(world.model_id, *said)
    liar.say_version(world.model_id, "1.0.0", MANIFEST)
    workers = world.ledger()
    found = await check_receipt(signed_by(world, inputs, inputs, ledger=liar.id), liar, workers)
    assert {check.name: check.state for check in found}[MODEL] == FAILED
    unknown = await check_receipt(signed_by(world, inputs, inputs), LyingLedger(3), workers)
    assert {check.name: check.state for check in unknown}[MODEL] == FAILED


async def test_a_ledger_that_does_not_answer_is_an_error_and_no_verdict(
    world: World, inputs: Tensors
) -> None:
    async def model(*_: object) -> None:
        raise LedgerUnavailable("no answer")

    dark = SimpleNamespace(registry=SimpleNamespace(model=model))
    with pytest.raises(LedgerUnavailable):
        await check_receipt(signed_by(world, inputs, inputs), dark, world.ledger())


async def test_a_batch_that_nobody_anchored_proves_nothing(world: World, inputs: Tensors) -> None:
    signed = signed_by(world, inputs, inputs)
    inclusion = await anchored(world, [signed], None)
    found = await states(signed, world, Evidence(inclusion))
    assert found[ANCHORED][0] == FAILED
    assert found[ANCHORED][1].endswith("never")


async def test_a_batch_that_another_anchored_proves_nothing(world: World, inputs: Tensors) -> None:
    signed = signed_by(world, inputs, inputs)
    inclusion = await anchored(world, [signed], world.rival)
    assert (await states(signed, world, Evidence(inclusion)))[ANCHORED][0] == FAILED


async def test_the_proof_of_another_receipt_proves_nothing(world: World, inputs: Tensors) -> None:
    signed, other = (signed_by(world, inputs, inputs) for _ in range(2))
    inclusion = await anchored(world, [other, signed], world.worker)
    assert (await states(other, world, Evidence(inclusion)))[ANCHORED][0] == PASSED
    assert (await states(signed, world, Evidence(inclusion)))[ANCHORED][0] == FAILED


async def test_another_input_fails_and_is_not_run(
    world: World, session: Session, inputs: Tensors
) -> None:
    outputs = session.run(inputs)
    other = {"x": inputs["x"] + 1}
    found = await states(
        signed_by(world, inputs, outputs), world, Evidence(None, other, None, session)
    )
    assert found[INPUT][0] == FAILED
    assert found[AGAIN] == (UNCHECKED, "the input given is not the receipt's")


async def test_a_worker_that_signs_one_output_and_shows_another_is_found_out(
    world: World, session: Session, inputs: Tensors
) -> None:
    honest = session.run(inputs)
    lie = {**honest, "scores": honest["scores"][:, ::-1].copy()}
    found = await states(
        signed_by(world, inputs, lie), world, Evidence(None, inputs, honest, session)
    )
    assert found[OUTPUT][0] == FAILED
    assert found[AGAIN][0] == FAILED


async def test_a_wrong_answer_is_found_by_running_again(
    world: World, session: Session, inputs: Tensors
) -> None:
    honest = session.run(inputs)
    lie = {**honest, "scores": honest["scores"][:, ::-1].copy()}
    found = await states(signed_by(world, inputs, lie), world, Evidence(None, inputs, lie, session))
    assert found[OUTPUT][0] == PASSED
    assert found[AGAIN] == (FAILED, "other values in scores")


async def test_the_model_alone_is_not_run(world: World, session: Session, inputs: Tensors) -> None:
    signed = signed_by(world, inputs, session.run(inputs))
    found = await states(signed, world, Evidence(None, None, None, session))
    assert found[AGAIN] == (UNCHECKED, "needs the model and the input")


async def test_whole_numbers_have_no_tolerance(
    world: World, session: Session, inputs: Tensors
) -> None:
    def counts(more: int):
        return lambda outputs: {"count": outputs["label"] + 1_000_000 + more}

    shown = counts(0)(session.run(inputs))
    signed = signed_by(world, inputs, shown)
    found = await states(signed, world, Evidence(None, inputs, shown, Shifted(session, counts(1))))
    assert found[AGAIN] == (FAILED, "other values in count")


async def test_other_bits_alone_do_not_pass_without_the_output(
    world: World, session: Session, inputs: Tensors
) -> None:
    signed = signed_by(world, inputs, session.run(inputs))
    elsewhere = Shifted(session, scores_times(1 + 1e-6))
    found = await states(signed, world, Evidence(None, inputs, None, elsewhere))
    assert found[AGAIN][0] == FAILED
    assert "give the receipt's output" in found[AGAIN][1]


@pytest.mark.parametrize(("factor", "state"), [(1 + 5e-5, PASSED), (1.001, FAILED)])
async def test_another_machines_arithmetic_passes_and_other_values_do_not(
    world: World, session: Session, inputs: Tensors, factor: float, state: str
) -> None:
    outputs = session.run(inputs)
    elsewhere = Shifted(session, scores_times(factor))
    found = await states(
        signed_by(world, inputs, outputs), world, Evidence(None, inputs, outputs, elsewhere)
    )
    assert found[OUTPUT][0] == PASSED
    assert found[AGAIN][0] == state


@pytest.mark.parametrize(
    ("shift", "named"),
    [
        (lambda o: {**o, "label": o["label"] + 1}, "label"),
        (lambda o: {**o, "label": o["label"].astype(np.int32)}, "label"),
        (lambda o: {**o, "scores": o["scores"].astype(np.float64)}, "scores"),
        (lambda o: {**o, "scores": o["scores"][:1]}, "scores"),
        (lambda o: {**o, "scores": o["scores"][None]}, "scores"),
        (lambda o: {**o, "scores": o["scores"] * np.float32("nan")}, "scores"),
        (lambda o: {"scores": o["scores"]}, "label"),
        (lambda o: {**o, "more": o["label"]}, "more"),
    ],
    ids=["value", "integer type", "float type", "rows", "rank", "nan", "missing", "additional"],
)
async def test_an_answer_of_another_form_is_another_answer(
    world: World, session: Session, inputs: Tensors, shift, named: str
) -> None:
    shown = shift(session.run(inputs))
    found = await states(
        signed_by(world, inputs, shown), world, Evidence(None, inputs, shown, session)
    )
    assert found[AGAIN] == (FAILED, f"other values in {named}")


async def test_not_a_number_is_the_same_not_a_number_elsewhere(
    world: World, session: Session, inputs: Tensors
) -> None:
    def holed(outputs: Tensors) -> dict[str, np.ndarray]:
        scores = outputs["scores"].copy()
        scores[0, 0] = np.nan
        return {**outputs, "scores": scores}

    shown = holed(session.run(inputs))
    elsewhere = Shifted(session, lambda outputs: holed(scores_times(1 + 1e-6)(outputs)))
    found = await states(
        signed_by(world, inputs, shown), world, Evidence(None, inputs, shown, elsewhere)
    )
    assert found[AGAIN][0] == PASSED


@pytest.mark.parametrize(("factor", "state"), [(1.004, PASSED), (1.05, FAILED)])
async def test_half_precision_has_a_tolerance_of_its_own(
    world: World, session: Session, inputs: Tensors, factor: float, state: str
) -> None:
    def halved(outputs: Tensors) -> dict[str, np.ndarray]:
        return {"scores": outputs["scores"].astype(np.float16)}

    shown = halved(session.run(inputs))
    elsewhere = Shifted(session, lambda outputs: halved(scores_times(factor)(outputs)))
    found = await states(
        signed_by(world, inputs, shown), world, Evidence(None, inputs, shown, elsewhere)
    )
    assert found[AGAIN][0] == state


async def test_an_input_that_the_model_does_not_take_fails_with_the_reason(
    world: World, session: Session
) -> None:
    strange = {"x": np.zeros((1, 7), np.float32)}
    found = await states(
        signed_by(world, strange, strange), world, Evidence(None, strange, None, session)
    )
    assert found[INPUT][0] == PASSED
    assert found[AGAIN][0] == FAILED
    assert "[1, 7]" in found[AGAIN][1]


@pytest.mark.parametrize(
    ("engine", "stated", "ours", "state"),
    [
        ("caimi-wasm/2/simd", "caimi/2/f32", "caimi/2/f32", FAILED),
        ("caimi-wasm/2/simd", "", "caimi/2/f32", FAILED),
        ("a native engine", "caimi/2/f32", "caimi/2/f32", FAILED),
        ("caimi-wasm/2/simd", "caimi/2/f32", "", PASSED),
        ("caimi-wasm/2/f64", "caimi/2/f64", "caimi/2/f32", PASSED),
        ("onnxruntime/1/cpu", "", "", PASSED),
        ("onnxruntime/1/cpu", "", "caimi/2/f32", PASSED),
    ],
)
async def test_one_other_bit_convicts_who_states_the_answer_id_of_the_engine_that_checks(
    world: World, session: Session, inputs: Tensors, engine: str, stated: str, ours: str, state: str
) -> None:
    outputs = session.run(inputs)
    near = {**outputs, "scores": np.nextafter(outputs["scores"], np.float32(2))}
    signed = signed_by(world, inputs, near, engine=engine, answer=stated)
    evidence = Evidence(None, inputs, near, session, ours)
    assert (await states(signed, world, evidence))[AGAIN][0] == state


async def test_an_honest_worker_of_a_model_that_rounding_moves_far_passes(
    world: World, session: Session, inputs: Tensors
) -> None:
    outputs = session.run(inputs)
    elsewhere = Shifted(session, lambda run: {**run, "scores": run["scores"] + np.float32(4.5e-3)})
    measured = Spread({"scores": 4e-3}, {}, ("rows one by one",))
    evidence = Evidence(None, inputs, outputs, elsewhere, spread=lambda: measured)
    found = await states(signed_by(world, inputs, outputs), world, evidence)
    assert found[AGAIN][0] == PASSED
    assert "within 4 times the 4.0e-03" in found[AGAIN][1]


async def test_what_no_rounding_explains_fails_whatever_was_measured(
    world: World, session: Session, inputs: Tensors
) -> None:
    outputs = session.run(inputs)
    elsewhere = Shifted(session, lambda run: {**run, "scores": run["scores"] + np.float32(0.1)})
    measured = Spread({"scores": 4e-3}, {}, ("rows one by one",))
    evidence = Evidence(None, inputs, outputs, elsewhere, spread=lambda: measured)
    found = await states(signed_by(world, inputs, outputs), world, evidence)
    assert found[AGAIN][0] == FAILED
    assert "other values in scores, over 4 times" in found[AGAIN][1]


async def test_nothing_is_measured_where_bits_or_values_are_the_same(
    world: World, session: Session, inputs: Tensors
) -> None:
    def never() -> Spread:
        raise AssertionError("measured without need")

    outputs = session.run(inputs)
    for machine in (session, Shifted(session, scores_times(1 + 1e-6))):
        evidence = Evidence(None, inputs, outputs, machine, spread=never)
        found = await states(signed_by(world, inputs, outputs), world, evidence)
        assert found[AGAIN][0] == PASSED


@pytest.mark.parametrize(
    ("engine", "stated", "name"),
    [
        ("caimi-wasm/2/simd", "caimi/2/f32", "wasm"),
        ("caimi-wasm/2/mvp", "", "wasm-mvp"),
        ("a native engine", "caimi/2/f32", "wasm"),
        ("a native engine", "caimi/2/int8", "wasm-int8"),
        ("caimi-wasm/1/simd", "", "onnx"),
        ("a native engine", "caimi/1/f32", "onnx"),
        ("onnxruntime/1/cpu", "", "onnx"),
    ],
)
def test_an_answer_is_checked_by_an_engine_of_its_answer_id(
    world: World, inputs: Tensors, engine: str, stated: str, name: str
) -> None:
    signed = signed_by(world, inputs, inputs, engine=engine, answer=stated)
    assert checker_of(signed.receipt).name == name
