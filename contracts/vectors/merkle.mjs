// Writes merkle.json: what OpenZeppelin's own library makes of leaves like ours.
// Run: node contracts/vectors/merkle.mjs   (after `npm ci --prefix contracts/evm`)
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../evm/package.json", import.meta.url));
const { StandardMerkleTree } = require("@openzeppelin/merkle-tree");
const { version } = require("@openzeppelin/merkle-tree/package.json");

const word = (number) => "0x" + BigInt(number).toString(16).padStart(64, "0");
// Spread over all bytes, different for every leaf, the same in every run.
const MULTIPLIER = 0x9e3779b97f4a7c15f39cc0605cedc8341082276bf3a27251f86c6a11d0c18e95n;
const spread = (number) => word((BigInt(number) * MULTIPLIER) % (1n << 256n));

function vector(types, values, subsets) {
  const tree = StandardMerkleTree.of(values, types);
  return {
    types,
    values,
    leaves: values.map((value) => tree.leafHash(value)),
    root: tree.root,
    proofs: values.map((_, index) => tree.getProof(index)),
    multiproofs: subsets.map((indices) => {
      const { leaves, proof, proofFlags } = tree.getMultiProof(indices);
      return { indices, order: leaves.map((leaf) => values.indexOf(leaf)), proof, flags: proofFlags };
    }),
  };
}

const vectors = [
  vector(
    ["address", "uint256"],
    [
      ["0x1111111111111111111111111111111111111111", "5000000000000000000"],
      ["0x2222222222222222222222222222222222222222", "2500000000000000000"],
    ],
    [[0, 1]],
  ),
];
for (const count of [1, 2, 3, 4, 5, 7, 8, 11, 16]) {
  const values = Array.from({ length: count }, (_, i) => [spread(2 * i + 1), spread(2 * i + 2)]);
  const all = values.map((_, i) => i);
  const subsets = [all, all.filter((i) => i % 2 === 0), all.filter((i) => i % 3 === 1), [count - 1]];
  vectors.push(vector(["bytes32", "bytes32"], values, subsets.filter((s) => s.length > 0)));
}
const document = { source: `@openzeppelin/merkle-tree ${version}, StandardMerkleTree`, vectors };
writeFileSync(new URL("merkle.json", import.meta.url), JSON.stringify(document, null, 1) + "\n");
