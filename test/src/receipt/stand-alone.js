/**
 * A second verifier of receipts, written from docs/receipts.md: nothing of the library, only hashes and a curve.
 *
 *     node stand-alone.js receipt.json [hash of a block that one trusts …]
 *
 * Prints what it could show as JSON, or ends with an error at the first thing that does not hold.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 } from "@noble/hashes/sha3.js";

const hexOf = (bytes, ...range) => Buffer.from(bytes).toString("hex", ...range);
const bytesOf = (part) => (typeof part === "string" ? Buffer.from(part.replace(/^0x/, ""), "hex") : part);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const keccak = (...parts) => hexOf(keccak_256(Buffer.concat(parts.map(bytesOf))));
const hashOf = (text) => keccak(Buffer.from(text));
/** 32 bytes: a number, an address, a hash. */
const word = (value = "") =>
  (typeof value === "string" ? value.replace(/^0x/, "").toLowerCase() : value.toString(16)).padStart(64, "0");

function must(holds, what) {
  if (!holds) throw new Error(`it does not hold: ${what}`);
}

function verify(file, trustedBlocks) {
  const { payloadType, payload, signatures, neura } = JSON.parse(file);
  must(payloadType === "application/vnd.in-toto+json", "the type of its payload");
  const body = Buffer.from(payload, "base64");
  const statement = JSON.parse(body.toString());
  must(statement._type === "https://in-toto.io/Statement/v1", "the type of its statement");
  must(statement.predicateType === "urn:neura:compute-receipt:v1", "the type of its predicate");
  const { buildDefinition, runDetails, settlement } = statement.predicate;

  const [result, ...subjects] = statement.subject;
  const [input, ...inputs] = buildDefinition.resolvedDependencies;
  const [run, units, draw] = runDetails.byproducts;
  const evidence = {
    inputRoot: input.digest.keccak256,
    resultRoot: result.digest.keccak256,
    unitsRoot: units.digest.keccak256,
    unitCount: word(units.annotations.count),
    runHash: run.digest.sha256,
    drawCommit: draw.digest.keccak256,
  };
  const evidenceHash = keccak(hashOf(EVIDENCE), ...Object.values(evidence));
  must(`0x${evidenceHash}` === settlement.evidenceHash, "the hash of its evidence");
  must(idOf(settlement) === settlement.taskId, "the task's id");

  const files = {};
  for (const shown of neura.disclosures) {
    const content = contentOf(shown, evidence);
    const listed = [...subjects, ...inputs].find(({ name }) => name === shown.path);
    must(listed.digest.sha256 === sha256(content), `${shown.path}, as it is listed`);
    must(listed.digest.keccak256 === keccak(content), `${shown.path}, as it is listed`);
    files[shown.path] = sha256(content);
  }
  const signers = signatures.map((each) => signerOf(each, payloadType, body));
  return { signers, files, events: eventsOf(neura.proofs, settlement, trustedBlocks) };
}

// ---- The task and its evidence (EIP-712) ----

const EVIDENCE =
  "Evidence(bytes32 inputRoot,bytes32 resultRoot,bytes32 unitsRoot,uint256 unitCount,bytes32 runHash,bytes32 drawCommit)";
const DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const WORK = "Work(uint256 resources,bytes32 payloadHash,string payload,address backup)";
const TASK =
  "Task(address owner,address provider,uint256 price,uint256 conditions,uint256 assurance,bytes32 salt,Work work)";

function idOf({ chain, market, terms, work }) {
  const { owner, provider, price, conditions, assurance, salt } = terms;
  const workHash = keccak(
    hashOf(WORK),
    ...[word(work.resources), work.payloadHash, hashOf(work.payload), word(work.backup)],
  );
  const words = [owner, provider, price, conditions, assurance, salt].map(word);
  const task = keccak(hashOf(TASK + WORK), ...words, workHash);
  const chainId = word(BigInt(chain.replace("eip155:", "")));
  const domain = keccak(hashOf(DOMAIN), hashOf("Neura TaskMarket"), hashOf("1"), chainId, word(market));
  return `0x${keccak("1901", domain, task)}`;
}

// ---- Signatures (DSSE, ES256K) ----

function signerOf({ keyid, sig }, type, body) {
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${body.length} `), body]);
  const isBy = [0, 1].some((parity) => {
    const signature = Buffer.concat([Uint8Array.of(parity), Buffer.from(sig, "base64")]);
    const key = secp256k1.Point.fromBytes(secp256k1.recoverPublicKey(signature, signed)).toBytes(false);
    return keyid.toLowerCase().endsWith(`:0x${keccak(key.subarray(1)).slice(24)}`);
  });
  must(isBy, `the signature of ${keyid}`);
  return keyid;
}

// ---- Files that are shown ----

function contentOf(shown, evidence) {
  const { kind, path, index, unit, leaves, branch, root, offset } = shown;
  const climb = (leaf, steps) => steps.reduce((at, step) => keccak(...[at, step.slice(2)].toSorted()), leaf);
  if (kind === "leaves") {
    const chunks = leaves.map((leaf) => {
      const chunk = Buffer.from(leaf.bytes, "base64");
      const hash = keccak(word(leaf.index).slice(56), leaf.salt, sha256(chunk));
      must(climb(hash, leaf.branch) === evidence[root], `leaf ${leaf.index}`);
      return chunk;
    });
    // An entry of a tar archive: 512 bytes with name and size, then the content.
    const entry = Buffer.concat(chunks).subarray(offset);
    must(entry.toString("utf8", 0, 100).replace(/\0+$/, "") === path, `the name of ${path}`);
    return entry.subarray(512, 512 + parseInt(entry.toString("latin1", 124, 136), 8));
  }
  const content = Buffer.from(shown.content, "base64");
  if (kind === "run") {
    must(sha256(content) === evidence.runHash, "the hash of run.json");
    return content;
  }
  const { inputHash, outputHash, stateHash, sketchHash } = unit;
  const leaf = keccak(word(index), inputHash, outputHash, stateHash, sketchHash);
  must(climb(leaf, branch) === evidence.unitsRoot, `unit ${index}`);
  must(`0x${sha256(content)}` === unit[shown.side], `the content of unit ${index}`);
  return content;
}

// ---- Events, by blocks that are trusted ----

const DELIVERED = "TaskDelivered(bytes32,uint256,bytes32,bytes32,string)";
const EVENTS = [DELIVERED, "TaskSettled(bytes32)", "TaskResolved(bytes32,uint256,uint256,uint256)"];

function eventsOf({ headers, receipts }, { market, taskId, evidenceHash }, trustedBlocks) {
  const events = [];
  const trusted = new Set(trustedBlocks);
  for (const [place, header] of [...headers.entries()].toReversed()) {
    if (!trusted.has(`0x${keccak(header)}`)) continue;
    const [parent, , , , , receiptsRoot] = rlp(bytesOf(header));
    trusted.add(`0x${hexOf(parent)}`);
    for (const proof of Object.values(receipts).filter((each) => each.header === place)) {
      const receipt = walk(hexOf(receiptsRoot), proof);
      // Behind its type, where it has one: status, gas, bloom, logs.
      const [, , , logs] = rlp(receipt[0] > 0x7f ? receipt : receipt.subarray(1));
      for (const [address, topics, data] of logs) {
        const [topic, id] = topics.map((each) => hexOf(each));
        const event = EVENTS.find((name) => hashOf(name) === topic);
        if (word(hexOf(address)) !== word(market) || `0x${id}` !== taskId || event === undefined) continue;
        // Report, hash of the result, hash of the evidence.
        if (event === DELIVERED) must(`0x${hexOf(data).slice(128, 192)}` === evidenceHash, "the delivery");
        events.push(event.split("(")[0]);
      }
    }
  }
  return events;
}

/** The value below a key of a Merkle-Patricia trie, whose nodes from the root on are given. */
function walk(root, { transactionIndex, nodes }) {
  const number = transactionIndex === 0 ? "" : BigInt(transactionIndex).toString(16);
  const digits = number.padStart(number.length + (number.length % 2), "0");
  const isShort = digits.length === 2 && transactionIndex < 128;
  let path = isShort ? digits : (0x80 + digits.length / 2).toString(16) + digits;
  let wanted = root;
  for (const node of nodes) {
    must(keccak(node) === wanted, "a node of the trie");
    const items = rlp(bytesOf(node));
    if (items.length === 17) {
      wanted = hexOf(path === "" ? items[16] : items[parseInt(path[0], 16)]);
      if (path === "") return items[16];
      path = path.slice(1);
    } else {
      const [compact, next] = [hexOf(items[0]), items[1]];
      const part = compact.slice(/^[13]/.test(compact) ? 1 : 2);
      must(path.startsWith(part), "the way through the trie");
      path = path.slice(part.length);
      if (/^[23]/.test(compact) && path === "") return next;
      wanted = hexOf(next);
    }
  }
  throw new Error("it does not hold: the trie's branch ends too early");
}

function rlp(bytes) {
  const first = bytes[0];
  const { start, end } = extentOf(bytes);
  if (first < 0xc0) return bytes.subarray(start, end);
  const items = [];
  for (let rest = bytes.subarray(start, end); rest.length > 0; rest = rest.subarray(extentOf(rest).end))
    items.push(rlp(rest));
  return items;
}

function extentOf(bytes) {
  const length = bytes[0] < 0x80 ? -1 : bytes[0] - (bytes[0] < 0xc0 ? 0x80 : 0xc0);
  if (length < 0) return { start: 0, end: 1 };
  const wide = Math.max(0, length - 55);
  const size = wide === 0 ? length : parseInt(hexOf(bytes.subarray(1, 1 + wide)), 16);
  return { start: 1 + wide, end: 1 + wide + size };
}

const [path, ...hashes] = process.argv.slice(2);
console.log(JSON.stringify(verify(readFileSync(path, "utf8"), hashes)));
