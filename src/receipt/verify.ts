import { createReadStream } from "node:fs";
import { join } from "node:path";
import { getAddress, type Log } from "ethers";

import type { Abortable } from "../abort.ts";
import { messageOf } from "../errors.ts";
import { canonicalJson } from "../json.ts";
import { checkInputPath } from "../manifest.ts";
import type { MarketContext } from "../market/context.ts";
import { decodeTaskEvent, TASK_TOPICS, type TaskEvent } from "../market/events.ts";
import { evidenceHash } from "../market/evidence.ts";
import { outcomeName } from "../market/outcome.ts";
import { taskStatus, type TaskStatus } from "../market/status.ts";
import { type MarketDomain, taskId } from "../market/terms.ts";
import { momentText } from "../text.ts";
import {
  decodeHeader,
  type Header,
  provenLogs,
  type ProvenName,
  type ProvenLog,
  trustedHeaders,
} from "./chain-proof.ts";
import { descriptorOf, runFacts } from "./create.ts";
import { type DisclosedFile, disclosedFile } from "./disclosure.ts";
import { isSignedBy } from "./dsse.ts";
import { parseReceipt, type Receipt } from "./receipt.ts";
import {
  accountId,
  chainIdOf,
  type Descriptor,
  type LogPlace,
  type ReceiptStatement,
  RUN,
  type Settlement,
} from "./statement.ts";

/** One thing that the receipt states, held against what proves it. */
export interface ReceiptCheck {
  readonly name: string;
  /** `unchecked`: at this level nothing is there to compare it with. */
  readonly verdict: "match" | "mismatch" | "unchecked";
  readonly reason: string;
}

/** How a receipt can be checked: by itself, with the hash of a block that one trusts, and with a node of the chain. */
export const LEVELS = ["offline", "trusted-block", "online"] as const;
export type LevelName = (typeof LEVELS)[number];

export interface LevelReport {
  readonly level: LevelName;
  readonly verdict: "passed" | "failed" | "not-checked";
  /** Why it was not checked. */
  readonly reason?: string;
  readonly checks: readonly ReceiptCheck[];
}

export interface ReceiptReport {
  readonly receipt: Receipt;
  readonly levels: readonly LevelReport[];
  /** Whether nothing is a mismatch. */
  readonly sound: boolean;
  /** The strongest thing that vouches for it. `signature`: the owner's or the provider's, as the terms name them. */
  readonly backing: "nothing" | "signature" | "trusted-block" | "chain";
  /** Files that were shown and belong to the delivery. */
  readonly disclosed: readonly DisclosedFile[];
  /** What it shows, in words; never that the work is right. */
  readonly summary: string;
}

export interface VerifyOptions extends Abortable {
  /** Hashes of blocks that one trusts, from somewhere else than the receipt. A block vouches for those before it. */
  readonly blockHashes?: readonly string[] | undefined;
  /** The market that one means: anybody can set up another one. */
  readonly market?: MarketDomain | undefined;
  /** A node of the chain, and what is deployed there. */
  readonly online?: MarketContext | undefined;
  /** A folder whose files are compared with those that the receipt names. */
  readonly directory?: string | undefined;
}

/** Checks a receipt, from whoever it is. Errors: `receipt.malformed`, those of the node. */
export async function verifyReceipt(text: string, options: VerifyOptions = {}): Promise<ReceiptReport> {
  const receipt = parseReceipt(text);
  const { blockHashes = [], online } = options;
  const disclosed: DisclosedFile[] = [];
  const offline = levelOf("offline", await checkOffline(receipt, options, disclosed));
  const trusted =
    blockHashes.length === 0
      ? notChecked("trusted-block", "no hash of a block that you trust was given")
      : levelOf("trusted-block", await checkProofs(receipt, blockHashes));
  const chain =
    online === undefined
      ? notChecked("online", "no node was asked")
      : levelOf("online", await checkOnline(receipt, online, options));
  const levels = [offline, trusted, chain];
  const backing = offline.verdict === "failed" ? "nothing" : backingOf(receipt, trusted, chain);
  return {
    receipt,
    levels,
    sound: levels.every(({ verdict }) => verdict !== "failed"),
    backing,
    disclosed,
    summary: summaryOf(receipt.statement.settlement, receipt.statement.provider),
  };
}

function levelOf(level: LevelName, checks: ReceiptCheck[]): LevelReport {
  const failed = checks.some(({ verdict }) => verdict === "mismatch");
  return { level, verdict: failed ? "failed" : "passed", checks };
}

function notChecked(level: LevelName, reason: string): LevelReport {
  return { level, verdict: "not-checked", reason, checks: [] };
}

function backingOf(
  { statement, payload, signatures }: Receipt,
  trusted: LevelReport,
  chain: LevelReport,
): ReceiptReport["backing"] {
  if (chain.verdict === "passed") return "chain";
  if (trusted.verdict === "passed") return "trusted-block";
  const { chain: name, terms } = statement.settlement;
  const isOurs = signatures.some((signature) =>
    [terms.owner, terms.provider].some(
      (account) => signature.keyid === accountId(name, account) && isSignedBy(account, payload, signature),
    ),
  );
  return isOurs ? "signature" : "nothing";
}

/** What a settlement says and what it does not. */
function summaryOf(
  { outcome, settled, terms, assurance, secondsUsed }: Settlement,
  provider: string,
): string {
  const paid = ((): string => {
    if (settled === undefined) return "not paid yet";
    switch (settled.event) {
      case "TaskDelivered":
        return "paid at once, since its terms give no time to challenge it";
      case "TaskSettled":
        return "paid after a time to challenge it";
      case "TaskResolved":
        return `disputed, which ended as ${settled.outcome}`;
    }
  })();
  const known = assurance.map((each) => {
    switch (each.kind) {
      case "unchallenged":
        return `unchallenged for ${each.seconds} of ${terms.conditions.challengePeriodSeconds ?? 0} s`;
      case "dispute":
        return `${each.providerBps / 100} % of the price was due after the dispute`;
      case "unit-audit":
        return `${each.units} of ${each.of} units done again by ${each.by === "other" ? "somebody else" : `the ${each.by}`}, of which ${each.passed} passed`;
    }
  });
  return [
    `Delivered (${outcome}, ${secondsUsed} s) by ${provider}; ${paid}.`,
    `Assurance: ${known.join("; ") || "none"}.`,
    "Neither delivery nor payment shows that the work is right.",
  ].join(" ");
}

// ---- Offline ----

async function checkOffline(
  receipt: Receipt,
  { market, directory }: VerifyOptions,
  disclosed: DisclosedFile[],
): Promise<ReceiptCheck[]> {
  const { statement, payload, signatures, disclosures } = receipt;
  const { settlement, evidence, files, inputs, provider } = statement;
  const { terms, work, chain } = settlement;
  const domain = { chainId: chainIdOf(chain), market: settlement.market };
  const checks = [
    compare("taskId", settlement.taskId, taskId(domain, terms, work)),
    compare("evidenceHash", settlement.evidenceHash, evidenceHash(evidence)),
    market === undefined
      ? unchecked("market", `compare ${chain}:${settlement.market} with the market that you mean`)
      : compare("market", `eip155:${market.chainId}:${market.market}`, `${chain}:${settlement.market}`),
    provider === terms.provider
      ? match("provider", provider)
      : unchecked("provider", `${provider} is not named in the terms: the chain says who took it`),
    settlementCheck(settlement, statement.finishedOn),
  ];
  for (const signature of signatures) {
    const account = accountIn(signature.keyid, chain);
    const isValid = account !== undefined && isSignedBy(account, payload, signature);
    checks.push(
      isValid
        ? match("signature", `of ${account}, ${roleIn(settlement, provider, account)}`)
        : mismatch("signature", `it is not by the key of ${signature.keyid || "anybody named"}`),
    );
  }
  if (signatures.length === 0)
    checks.push(unchecked("signature", "none: the delivery's transaction is the provider's, see below"));
  for (const each of disclosures) {
    const name = `disclosure ${each.path}`;
    try {
      const file = await disclosedFile(each, evidence);
      const listed = [...files, ...inputs].find((one) => one.name === each.path);
      const found = await descriptorOf(each.path, [file.content]);
      if (sameFile(listed, found)) checks.push(match(name, `bound to the delivery by ${file.by}`));
      else checks.push(mismatch(name, "the statement has another hash for it"));
      if (each.kind === "run") checks.push(runCheck(statement, file.content));
      disclosed.push(file);
    } catch (error) {
      checks.push(mismatch(name, messageOf(error)));
    }
  }
  const run = files.find(({ name }) => name === RUN);
  if (run !== undefined) checks.push(compare("runHash", evidence.runHash, `0x${run.digest?.sha256 ?? ""}`));
  const shown = new Set(disclosures.map(({ path }) => path));
  const words = [...files, ...inputs].filter(({ name }) => !shown.has(name) && name !== RUN);
  if (directory !== undefined) {
    for (const each of words) checks.push(await compareFile(each, directory));
  } else if (words.length > 0) {
    checks.push(unchecked("files", `${words.length} are named on the word of whoever made the receipt`));
  }
  return checks;
}

/** Whether the statement says of the run what `run.json` does. */
function runCheck({ application, dtype, seed, models }: ReceiptStatement, content: Uint8Array): ReceiptCheck {
  const facts = runFacts(Buffer.from(content).toString());
  const stated = { application, dtype, seed, models: models.filter(({ uri }) => uri === undefined) };
  return compare("run", canonicalJson(facts), canonicalJson(stated));
}

/** Whether what the statement says of the payment can be, by its own terms. */
function settlementCheck(settlement: Settlement, finishedOn: string): ReceiptCheck {
  const { terms, settled, assurance, tx, block, logIndex } = settlement;
  const { challengePeriodSeconds: period = 0 } = terms.conditions;
  const name = "settlement";
  if (period === 0) {
    const isSame =
      settled?.event === "TaskDelivered" &&
      [settled.tx, settled.block, settled.logIndex].join() === [tx, block, logIndex].join() &&
      settled.at === finishedOn;
    if (!isSame) return mismatch(name, "without a challenge period, delivering pays");
  } else if (settled?.event === "TaskDelivered") {
    return mismatch(name, "with a challenge period, delivering does not pay");
  }
  const kindOf = { TaskDelivered: undefined, TaskSettled: "unchallenged", TaskResolved: "dispute" } as const;
  const due = settled === undefined ? undefined : kindOf[settled.event];
  const listed = assurance.map(({ kind }) => kind).filter((kind) => kind !== "unit-audit");
  if (listed.join() !== (due ?? "")) return mismatch(name, "its assurance is not of how it was paid");
  return match(name, settled === undefined ? "not paid yet" : settled.event);
}

async function compareFile(listed: Descriptor, directory: string): Promise<ReceiptCheck> {
  const name = `file ${listed.name}`;
  try {
    // A stranger's path must not lead out of the folder.
    checkInputPath(`input/${listed.name}`);
    const found = await descriptorOf(
      listed.name,
      createReadStream(join(directory, ...listed.name.split("/"))),
    );
    return sameFile(listed, found) ? match(name, "as listed") : mismatch(name, "it is another file");
  } catch (error) {
    return mismatch(name, messageOf(error));
  }
}

function sameFile(listed: Descriptor | undefined, found: Descriptor): boolean {
  return (
    listed !== undefined &&
    listed.digest?.sha256 === found.digest?.sha256 &&
    listed.digest?.keccak256 === found.digest?.keccak256
  );
}

function accountIn(keyid: string, chain: string): string | undefined {
  if (!keyid.startsWith(`${chain}:`)) return undefined;
  const text = keyid.slice(chain.length + 1);
  return /^0x[0-9a-fA-F]{40}$/.test(text) && getAddress(text.toLowerCase()) === text ? text : undefined;
}

function roleIn({ terms }: Settlement, provider: string, account: string): string {
  if (account === terms.owner) return "the owner";
  if (account === terms.provider) return "the provider";
  if (account === provider) return "who says to be the provider";
  return "whom the terms do not name";
}

// ---- With a trusted block ----

async function checkProofs(receipt: Receipt, blockHashes: readonly string[]): Promise<ReceiptCheck[]> {
  const { statement, proofs, unproven } = receipt;
  const { settlement, provider, finishedOn } = statement;
  const { settled, terms } = settlement;
  if (proofs === undefined) return [mismatch("proofs", unproven ?? "the file has none")];
  let headers: Header[];
  try {
    headers = proofs.headers.map(decodeHeader);
  } catch (error) {
    return [mismatch("proofs", messageOf(error))];
  }
  const trusted = trustedHeaders(headers, blockHashes);
  const checks: ReceiptCheck[] = [];
  /** The events of the task in a proven receipt, and their block. */
  const proven = async (name: ProvenName): Promise<Proven | undefined> => {
    const proof = proofs.receipts[name];
    const header = headers[proof?.header ?? -1];
    try {
      if (proof === undefined || header === undefined) throw new Error("the file has no proof of it");
      if (!trusted.has(header))
        throw new Error(`block ${header.number} has the hash ${header.hash}, which you do not trust`);
      return { header, events: eventsIn(await provenLogs(header, proof), settlement) };
    } catch (error) {
      checks.push(mismatch(name, messageOf(error)));
      return undefined;
    }
  };
  const delivered = await proven("delivered");
  if (delivered !== undefined)
    checks.push(deliveryCheck("delivered", settlement, delivered, { finishedOn, block: settlement.block }));
  if (provider !== terms.provider) {
    const assigned = await proven("assigned");
    if (assigned !== undefined) checks.push(assignmentCheck(assigned.events, provider));
  }
  if (settled !== undefined && settled.event !== "TaskDelivered") {
    const end = await proven("settled");
    if (end !== undefined) {
      checks.push(endCheck(settlement, end));
      if (delivered !== undefined) checks.push(assuranceCheck(settlement, delivered, end));
    }
  }
  return checks;
}

interface Proven {
  readonly header: Pick<Header, "number" | "timestamp">;
  readonly events: readonly TaskEvent[];
}

function eventsIn(
  logs: readonly Pick<ProvenLog, "address" | "topics" | "data">[],
  { market, taskId: id }: Settlement,
): TaskEvent[] {
  return logs.flatMap(({ address, topics, data }) => {
    if (getAddress(address) !== market || topics[1] !== id) return [];
    const event = decodeTaskEvent({ topics, data });
    return event === undefined ? [] : [event];
  });
}

function deliveryCheck(
  name: string,
  settlement: Settlement,
  { header, events }: Proven,
  { finishedOn, block }: { finishedOn: string; block: number },
): ReceiptCheck {
  const found = events.find((event) => event.name === "TaskDelivered")?.delivery;
  if (found === undefined) return mismatch(name, "its transaction delivered no such task");
  const { evidenceHash: hash, resultHash, result, outcome, secondsUsed } = settlement;
  const stated = { hash, resultHash, result, outcome, secondsUsed, block, at: finishedOn };
  const seen = {
    hash: found.evidenceHash,
    resultHash: found.resultHash,
    result: found.result,
    outcome: outcomeName(found.outcome),
    secondsUsed: found.secondsUsed,
    block: header.number,
    at: momentText(header.timestamp),
  };
  return sameFacts(name, stated, seen, `in block ${header.number}, ${seen.at}`);
}

function assignmentCheck(events: readonly TaskEvent[], provider: string): ReceiptCheck {
  const found = events.find((event) => event.name === "TaskAssigned");
  return compare("assigned", found?.provider ?? "nobody", provider);
}

function endCheck({ settled, outcome }: Settlement, { header, events }: Proven): ReceiptCheck {
  const name = "settled";
  const closed = events.find((event) => event.name === "TaskClosed");
  const end = events.find((event) => event.name === settled?.event);
  if (settled === undefined || end === undefined) return mismatch(name, "its transaction paid no such task");
  const stated = { block: settled.block, at: settled.at, outcome: settled.outcome };
  const seen = {
    block: header.number,
    at: momentText(header.timestamp),
    outcome: closed === undefined ? outcome : outcomeName(closed.outcome),
  };
  return sameFacts(name, stated, seen, `${settled.event} in block ${header.number}, ${seen.at}`);
}

function assuranceCheck({ assurance, terms }: Settlement, delivered: Proven, end: Proven): ReceiptCheck {
  const { challengePeriodSeconds: period = 0 } = terms.conditions;
  const passed = Math.min(end.header.timestamp - delivered.header.timestamp, period);
  const resolved = end.events.find((event) => event.name === "TaskResolved");
  const seen =
    resolved === undefined
      ? `unchallenged for ${passed} s`
      : `${resolved.resolution.providerBps} bps after a dispute`;
  const stated = assurance.flatMap((each) => {
    if (each.kind === "unchallenged") return [`unchallenged for ${each.seconds} s`];
    return each.kind === "dispute" ? [`${each.providerBps} bps after a dispute`] : [];
  });
  return compare("assurance", seen, stated.join());
}

// ---- Online ----

async function checkOnline(
  { statement, payload, signatures }: Receipt,
  context: MarketContext,
  { signal }: VerifyOptions,
): Promise<ReceiptCheck[]> {
  const { domain, provider: node } = context;
  const { settlement, provider, finishedOn } = statement;
  const { settled, terms, chain, market, taskId: id } = settlement;
  const ours = compare("market", `eip155:${domain.chainId}:${domain.market}`, `${chain}:${market}`);
  if (ours.verdict === "mismatch") return [ours];
  const checks = [ours];
  const delivered = await eventsAt(context, settlement, settlement, "TaskDelivered");
  if (typeof delivered === "string") checks.push(mismatch("delivered", delivered));
  else
    checks.push(deliveryCheck("delivered", settlement, delivered, { finishedOn, block: settlement.block }));
  if (settled !== undefined && settled.event !== "TaskDelivered") {
    const end = await eventsAt(context, settlement, settled, settled.event);
    if (typeof end === "string") checks.push(mismatch("settled", end));
    else {
      checks.push(endCheck(settlement, end));
      if (typeof delivered !== "string") checks.push(assuranceCheck(settlement, delivered, end));
    }
  }
  // Nothing more can be asked about a task that is not there.
  if (checks.some(({ verdict }) => verdict === "mismatch")) return checks;
  checks.push(await finalityCheck(node, Math.max(settlement.block, settled?.block ?? 0)));
  const status = await taskStatus(context, id, { signal });
  checks.push(compare("provider", status.provider ?? terms.provider, provider));
  checks.push(compare("startedOn", timeOf(status.accepted?.atSeconds), statement.startedOn ?? "never"));
  checks.push(statusCheck(settlement, status), await keyCheck(context, status, provider));
  const operator = await operatorAt(context, provider, settlement.block);
  for (const signature of signatures) {
    const account = accountIn(signature.keyid, chain);
    const roles = [
      ...(account === terms.owner ? ["the owner"] : []),
      ...(account === provider ? ["the provider"] : []),
      ...(account === operator.account ? [`the provider's operator ${operator.when}`] : []),
    ];
    const isValid = account !== undefined && isSignedBy(account, payload, signature);
    checks.push(
      isValid && roles.length > 0
        ? match("signer", `${account} is ${roles.join(" and ")}`)
        : mismatch("signer", `${signature.keyid} has no part in the task`),
    );
  }
  return checks;
}

/** The task's events in the transaction that the receipt names, or why they are not there. */
async function eventsAt(
  { provider }: MarketContext,
  settlement: Settlement,
  { tx, block, logIndex }: LogPlace,
  name: TaskEvent["name"],
): Promise<Proven | string> {
  const found = await provider.getTransactionReceipt(tx);
  if (found === null) return `the chain has no transaction ${tx}`;
  if (found.blockNumber !== block) return `transaction ${tx} is in block ${found.blockNumber}, not ${block}`;
  const isNamed = ({ index, topics, address }: Log): boolean =>
    index === logIndex &&
    topics[0] === TASK_TOPICS[name] &&
    topics[1] === settlement.taskId &&
    address === settlement.market;
  if (!found.logs.some(isNamed)) return `log ${logIndex} of block ${block} is not the task's ${name}`;
  const header = await provider.getBlock(block);
  if (header === null) return `the chain has no block ${block}`;
  return { header, events: eventsIn(found.logs, settlement) };
}

async function finalityCheck(provider: MarketContext["provider"], block: number): Promise<ReceiptCheck> {
  const final = await provider.getBlock("finalized").catch(() => null);
  if (final === null) {
    const head = await provider.getBlockNumber();
    return unchecked("finality", `the node does not say what is final; ${head - block} blocks followed`);
  }
  return final.number >= block
    ? match("finality", `block ${final.number} is final`)
    : unchecked("finality", `block ${block} can still be replaced: ${final.number} is the last final one`);
}

function statusCheck({ settled }: Settlement, { status, ended, outcome, dispute }: TaskStatus): ReceiptCheck {
  const disputed = dispute === undefined ? "never disputed" : "disputed";
  if (settled === undefined) {
    const since = ended || dispute !== undefined ? "since the receipt was made: " : "";
    return match("status", `${since}${status}, ${outcome}, ${disputed}`);
  }
  if (!ended || outcome !== settled.outcome || (dispute !== undefined) !== (settled.event === "TaskResolved"))
    return mismatch("status", `it is ${status}, ${outcome}, ${disputed}`);
  return match("status", `${status}, ${outcome}, ${disputed}`);
}

/** The key that the payload was encrypted to: the provider's newest at the submission. */
async function keyCheck(
  { contracts }: MarketContext,
  { submitted, delivered }: TaskStatus,
  provider: string,
): Promise<ReceiptCheck> {
  const name = "key";
  for (let epoch = Number(await contracts.keys.latestEpoch(provider)); epoch > 0; epoch--) {
    const { publishedAt, revokedAt } = await contracts.keys.keyAt(provider, epoch);
    if (publishedAt > submitted.atSeconds) continue;
    const revoked = Number(revokedAt);
    if (revoked !== 0 && revoked <= submitted.atSeconds)
      return mismatch(name, `epoch ${epoch} of the provider was revoked before the task was submitted`);
    const isLater = revoked !== 0 && revoked <= (delivered?.atSeconds ?? 0);
    return match(
      name,
      isLater
        ? `epoch ${epoch} of the provider was revoked while the task was under way`
        : `epoch ${epoch} of the provider was valid at the delivery`,
    );
  }
  return unchecked(name, "the provider had published none when the task was submitted");
}

/** Nodes that keep no old states can only say who it is now. */
async function operatorAt(
  { contracts }: MarketContext,
  provider: string,
  blockTag: number,
): Promise<{ account: string; when: string }> {
  try {
    return { account: await contracts.registry.operatorOf(provider, { blockTag }), when: "at the delivery" };
  } catch {
    return { account: await contracts.registry.operatorOf(provider), when: "now" };
  }
}

function timeOf(seconds: number | undefined): string {
  return seconds === undefined ? "never" : momentText(seconds);
}

// ---- Checks ----

function sameFacts(
  name: string,
  stated: Readonly<Record<string, string | number>>,
  seen: Readonly<Record<string, string | number>>,
  where: string,
): ReceiptCheck {
  const wrong = Object.keys(seen).filter((key) => seen[key] !== stated[key]);
  return wrong.length === 0
    ? match(name, where)
    : mismatch(
        name,
        wrong.map((key) => `the chain says ${seen[key] ?? ""}, the receipt ${stated[key] ?? ""}`).join("; "),
      );
}

function compare(name: string, expected: string, found: string): ReceiptCheck {
  return expected === found ? match(name, found) : mismatch(name, `${found} where ${expected} belongs`);
}

function match(name: string, reason: string): ReceiptCheck {
  return { name, verdict: "match", reason };
}

function mismatch(name: string, reason: string): ReceiptCheck {
  return { name, verdict: "mismatch", reason };
}

function unchecked(name: string, reason: string): ReceiptCheck {
  return { name, verdict: "unchecked", reason };
}
