// node run.mjs MODEL.onnx INPUTS.json: runs a model on onnxruntime-web's WebAssembly, one thread.
//
// INPUTS.json: {name: {"dtype": "float32", "shape": [1, 3], "data": base64 of the raw values}}.
// Prints "ready" when the model is loaded and has run once; then runs it for each line of standard
// input and prints the milliseconds, so that the caller can take turns with other engines.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import * as ort from "onnxruntime-web";

const TYPES = { float32: Float32Array, int64: BigInt64Array, int32: Int32Array, bool: Uint8Array };

const [model, inputs] = process.argv.slice(2);
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(readFileSync(model), {
  executionProviders: ["wasm"],
  graphOptimizationLevel: "all",
});
const feeds = {};
for (const [name, each] of Object.entries(JSON.parse(readFileSync(inputs, "utf8")))) {
  const bytes = new Uint8Array(Buffer.from(each.data, "base64"));
  feeds[name] = new ort.Tensor(each.dtype, new TYPES[each.dtype](bytes.buffer), each.shape);
}
await session.run(feeds);
console.log("ready");
for await (const _ of createInterface({ input: process.stdin })) {
  const start = performance.now();
  await session.run(feeds);
  console.log(performance.now() - start);
}
