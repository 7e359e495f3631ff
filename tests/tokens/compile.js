#!/usr/bin/env node
// Compiles Tokens.sol into tokens.json: `node tests/tokens/compile.js`, after `npm ci` in contracts/evm.
"use strict";
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const MODULES = join(__dirname, "../../contracts/evm/node_modules");
const solc = require(join(MODULES, "solc"));

const input = {
  language: "Solidity",
  sources: { "Tokens.sol": { content: readFileSync(join(__dirname, "Tokens.sol"), "utf8") } },
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
  Object.entries(output.contracts["Tokens.sol"]).map(([name, made]) => [
    name,
    { abi: made.abi, bytecode: `0x${made.evm.bytecode.object}` },
  ]),
);
writeFileSync(join(__dirname, "tokens.json"), `${JSON.stringify({ compiler: solc.version(), contracts }, null, 1)}\n`);
