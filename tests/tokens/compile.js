#!/usr/bin/env node
// Compiles Tokens.sol, or the file that is named, into a JSON file beside it, of its name in small letters:
// `node tests/tokens/compile.js`, `node tests/tokens/compile.js tests/multisig/Multisig.sol`, after `npm ci` in
// contracts/evm.
"use strict";
const { readFileSync, writeFileSync } = require("node:fs");
const { basename, dirname, join } = require("node:path");
const MODULES = join(__dirname, "../../contracts/evm/node_modules");
const solc = require(join(MODULES, "solc"));
const FILE = process.argv[2] ?? join(__dirname, "Tokens.sol");
const NAME = basename(FILE);

const input = {
  language: "Solidity",
  sources: { [NAME]: { content: readFileSync(FILE, "utf8") } },
  settings: {
    evmVersion: "cancun",
    optimizer: { enabled: true, runs: 1 },
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};
const read = (path) => ({ contents: readFileSync(join(MODULES, path), "utf8") });
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: read }));
const errors = (output.errors ?? []).filter((each) => each.severity === "error");
if (errors.length) throw new Error(errors.map((each) => each.formattedMessage).join("\n"));
const contracts = Object.fromEntries(
  Object.entries(output.contracts[NAME]).map(([name, made]) => [
    name,
    { abi: made.abi, bytecode: `0x${made.evm.bytecode.object}` },
  ]),
);
writeFileSync(
  join(dirname(FILE), NAME.toLowerCase().replace(/\.sol$/, ".json")),
  `${JSON.stringify({ compiler: solc.version(), contracts }, null, 1)}\n`,
);
