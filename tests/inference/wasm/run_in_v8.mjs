// Runs a compiled module in Node: a job comes as JSON on standard input, its answers go to standard
// output, bytes in base64.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";

const job = JSON.parse(readFileSync(0, "utf8"));
let exports;

function read(weight, destination, first, size) {
  const { file, offset } = job.weights[weight];
  const opened = openSync(join(job.folder, file), "r");
  const into = new Uint8Array(exports.memory.buffer, destination >>> 0, size >>> 0);
  const got = readSync(opened, into, 0, size >>> 0, offset + (first >>> 0));
  closeSync(opened);
  if (got !== size >>> 0) throw new Error(`weight ${weight} is cut off`);
}

const code = Buffer.from(job.module, "base64");
const { instance } = await WebAssembly.instantiate(code, { caimi: { read } });
exports = instance.exports;
exports._initialize();
if (exports.caimi_load(0) !== 0) throw new Error("caimi_load failed");

const answers = job.calls.map((inputs) => {
  inputs.forEach((text, place) => {
    new Uint8Array(exports.memory.buffer).set(Buffer.from(text, "base64"), exports.caimi_input(place));
  });
  if (exports.caimi_run() !== 0) throw new Error("caimi_run failed");
  return job.outputs.map((size, place) =>
    Buffer.from(exports.memory.buffer, exports.caimi_output(place), size).toString("base64"),
  );
});
process.stdout.write(JSON.stringify(answers));
