"""Errors of running models, receipts and their verification (letter R)."""

from __future__ import annotations

from caimi.errors.base import CaimiError


class InferenceError(CaimiError):
    """A model cannot be run, or an answer cannot be trusted."""

    code = "CAIMI-R000"
    why = "The model, its input or its receipt is not as it must be."
    next_step = "See the message above."


class UnreadableTensors(InferenceError):
    """An input or output file holds no tensors that CAIMI reads."""

    code = "CAIMI-R001"
    why = "Inputs are .npy, .npz or .json files of bounded size, without pickled objects."
    next_step = "Save plain arrays with numpy.save or numpy.savez, or write JSON lists."


class WrongInput(InferenceError):
    """An input does not fit the model's signature."""

    code = "CAIMI-R002"
    why = "Every input must have the name, type and shape that the model declares."
    next_step = "Run `caimi show URI` to see the model's inputs."


class ModelNotRunnable(InferenceError):
    """A model cannot be loaded by this engine."""

    code = "CAIMI-R003"
    why = "The file is damaged or too large, or it has what this engine does not take."
    next_step = (
        "Give sizes for open dimensions, export it with standard ONNX operators, or choose another "
        "engine: `caimi engines` lists them."
    )


class RunFailed(InferenceError):
    """The engine failed while running the model."""

    code = "CAIMI-R004"
    why = "The inputs fit the signature, but an operator refused them."
    next_step = "Check the inputs' values and batch size."


class ReceiptMalformed(InferenceError):
    """A text is no receipt."""

    code = "CAIMI-R005"
    why = "A receipt is one JSON object with exactly the fields in docs/protocol.md."
    next_step = "Ask the worker for the receipt again."


class ReceiptInvalid(InferenceError):
    """A receipt does not say what it must, or is not signed by its worker."""

    code = "CAIMI-R006"
    why = "A bit was changed, or the receipt is of another answer."
    next_step = "Do not trust the answer; keep the receipt as evidence."


class ModelNotServed(InferenceError):
    """The worker does not serve that model."""

    code = "CAIMI-R007"
    why = "A worker serves only versions that it holds a licence of."
    next_step = "Ask another worker, or buy a licence for the worker's account."


class WorkerBusy(InferenceError):
    """The worker has too many requests at once."""

    code = "CAIMI-R008"
    why = "The number of requests at a time is bounded."
    next_step = "Try again in a moment."


class ReceiptStoreDamaged(InferenceError):
    """A worker's record of receipts cannot be read."""

    code = "CAIMI-R009"
    why = "The file is no receipt store, or it is damaged."
    next_step = "Restore it from a backup; do not delete it while receipts wait to be anchored."


class NotAnchored(InferenceError):
    """A receipt is in no anchored batch yet."""

    code = "CAIMI-R010"
    why = "Workers anchor receipts in batches."
    next_step = "Ask again after the worker's batch window."


class TensorsNotWritten(InferenceError):
    """Outputs cannot be written to the file."""

    code = "CAIMI-R011"
    why = "The file's name or place is unfit, the disk is full, or JSON lacks a value such as NaN."
    next_step = "Name a .npz file: it holds every value, in a directory that can be written to."


class ModuleMalformed(ModelNotRunnable):
    """A file is no compiled model."""

    code = "CAIMI-R012"
    why = "A compiled model imports nothing but its weights, exports what its host calls, no more."
    next_step = "Compile it again from its ONNX file."


class CompilerFailed(InferenceError):
    """A model could not be compiled to WebAssembly."""

    code = "CAIMI-R030"
    why = "The code generator or the C compiler is missing, of another version, or refused."
    next_step = "Install CAIMI's locked requirements again; if it persists, report the model."


class CompilerFault(InferenceError):
    """CAIMI's compiler failed while it translated a model: a fault of ours, and no refusal."""

    code = "CAIMI-R055"
    why = "The program has a fault; the model itself may be as it should."
    next_step = "Run the model with --engine onnx, and report it with the model's operators."


class ModuleTrapped(RunFailed):
    """A compiled model stopped in the middle of a run."""

    code = "CAIMI-R013"
    why = "It divided by zero, left its memory, overflowed its stack, or gave up by itself."
    next_step = "Check the inputs' values; compile the model again if they are right."


class ModelEndsItsProcess(ModelNotRunnable):
    """Loading a model ends the process that loads it, or takes more than its time or memory."""

    code = "CAIMI-R060"
    why = "Models are loaded in processes of their own, since a file may crash what reads it."
    next_step = "Export the model again, or choose another engine; `caimi engines` lists them."


class FuelExhausted(RunFailed):
    """A compiled model used up its fuel."""

    code = "CAIMI-R014"
    why = "The fuel of a run is bounded, so that none goes on for ever."
    next_step = "Give fewer rows at a time, or run the model with --engine onnx."


class RunTimedOut(RunFailed):
    """A model used up its time."""

    code = "CAIMI-R015"
    why = "The time of a run is bounded, including that of fetching weights."
    next_step = "Give fewer rows at a time, or run the model with --engine onnx."


class ModuleMemoryExceeded(RunFailed):
    """A model needs more memory than it may have."""

    code = "CAIMI-R016"
    why = "The memory of a model, and of the tensors of one run, is bounded."
    next_step = "Give fewer rows at a time, or run the model with --engine onnx."


class ModuleLied(RunFailed):
    """A model says of its outputs, or asks of its weights, what cannot be."""

    code = "CAIMI-R017"
    why = (
        "Outputs lie inside of its memory, apart from each other; weights are as long as declared."
    )
    next_step = "Do not use this module; compile it again from its ONNX file."


class RunnerDied(RunFailed):
    """The process that ran a model ended."""

    code = "CAIMI-R018"
    why = "It was killed, ran out of memory, or the model crashed the library that runs it."
    next_step = "Try again: a fresh process is started. If it dies again, report the model."


class WeightsUnavailable(RunFailed):
    """A compiled model's weights cannot be read."""

    code = "CAIMI-R019"
    why = "A file of the package is missing, too short, no plain file, or outside of the package."
    next_step = "Fetch the package again with `caimi pull`."


class CacheUnsafe(InferenceError):
    """The cache of machine code cannot be trusted."""

    code = "CAIMI-R020"
    why = "Machine code is run: a directory that others can write to would let them run theirs."
    next_step = "Give another directory, or make it yours alone: chmod 700."


class RemoteUnreachable(RunFailed):
    """A remote server gives no whole answer in time."""

    code = "CAIMI-R040"
    why = "It is down, too slow, or speaks another protocol."
    next_step = "Check the server's URL, and that it is up; then ask again."


class RemoteRefused(RunFailed):
    """A remote server refuses to run the model."""

    code = "CAIMI-R041"
    why = "The model failed there, or the server does not take such a request."
    next_step = "See what the server says; run the model on another engine to compare."


class RemoteAnswerInvalid(RunFailed):
    """A remote server's answer is none to the request, or none of the model."""

    code = "CAIMI-R042"
    why = "It must be the protocol's, of bounded size, and fit the model's signature."
    next_step = "Do not use this server for the model."


class RemoteModelDiffers(ModelNotRunnable):
    """A remote server has no such model, or one of another signature."""

    code = "CAIMI-R043"
    why = "Names, types and sizes of inputs and outputs must be those of the package."
    next_step = "Name the model as the server does, or put this version on the server."


class ProviderMissing(InferenceError):
    """ONNX Runtime does not offer what models are to run on."""

    code = "CAIMI-R044"
    why = "The installed ONNX Runtime was built without it, or there is no such device."
    next_step = 'Install onnxruntime-gpu and its driver, or set provider to "cpu".'


class ModelTooLarge(ModelNotServed):
    """A model is larger than all that a worker keeps open."""

    code = "CAIMI-R045"
    why = "The memory for open models is bounded."
    next_step = "Ask another worker; its operator can raise models_mib in [serving]."


class ModelNotWanted(ModelNotServed):
    """A worker's operator did not agree to serve that model."""

    code = "CAIMI-R061"
    why = "Anyone may grant a worker a licence; it runs what its own key bought or [serving] lists."
    next_step = "Ask another worker; its operator can buy it, or add it to models in [serving]."


class ModelStillOpening(ModelNotServed):
    """A worker has not fetched and loaded the model yet."""

    code = "CAIMI-R062"
    why = "On first use a model's chunks are fetched, opened, checked, and loaded."
    next_step = "Ask again in some minutes."


class ScheduleMalformed(InferenceError):
    """A document is no schedule of fuel."""

    code = "CAIMI-R050"
    why = "A schedule is canonical JSON of one version: prices by name, each within bounds."
    next_step = "Take the schedule of a release, or fit one: python -m bench.fuel fit."


class PricesMalformed(InferenceError):
    """A worker's price list is out of form."""

    code = "CAIMI-R051"
    why = "Prices are whole numbers of the smallest unit, as text or integers within bounds."
    next_step = "Correct the field that is named; docs/gas.md describes the list."


class PriceTooHigh(InferenceError):
    """A worker asks more than the requester allows."""

    code = "CAIMI-R052"
    why = "Its price list, or the receipt that it signed, goes beyond the limit that was given."
    next_step = "Allow more, send fewer rows, or ask another worker."
