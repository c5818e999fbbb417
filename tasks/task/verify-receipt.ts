import { readFile } from "node:fs/promises";

import { deploymentPath, parseDeployment } from "../../src/deployment.ts";
import { messageOf, NeuraError } from "../../src/errors.ts";
import type { MarketDomain } from "../../src/market/terms.ts";
import { parseReceipt } from "../../src/receipt/receipt.ts";
import { chainIdOf } from "../../src/receipt/statement.ts";
import { type ReceiptReport, verifyReceipt, type VerifyOptions } from "../../src/receipt/verify.ts";
import { action, offlineAction } from "../context.ts";
import type { Environment } from "../host.ts";
import { type CommandResult, EXIT, fields } from "../output.ts";
import { openMarketOf } from "./request.ts";

interface VerifyArguments {
  file: string;
  blockHash: string | undefined;
  files: string | undefined;
  offline: boolean;
}

const SCHEMA = "neura/task-verify-receipt/1";

const withNode = action(SCHEMA, async (given: VerifyArguments, context) => {
  const online = await openMarketOf(context);
  return await verify(given, { online, market: online.domain, signal: context.signal });
});

const withoutNode = offlineAction(SCHEMA, async (given: VerifyArguments, { environment, signal }) => {
  const { statement } = parseReceipt(await textOf(given.file));
  const market = await knownMarket(chainIdOf(statement.settlement.chain), environment);
  return await verify(given, { market, signal });
});

const verifyAction: typeof withNode = async (given, hre) => {
  await (given.offline ? withoutNode : withNode)(given, hre);
};
export default verifyAction;

async function verify(given: VerifyArguments, options: VerifyOptions): Promise<CommandResult> {
  const report = await verifyReceipt(await textOf(given.file), {
    ...options,
    blockHashes: given.blockHash?.split(",").map(hashOf),
    directory: given.files,
  });
  const { receipt, levels, sound, backing, disclosed, summary } = report;
  const { settlement } = receipt.statement;
  return {
    data: {
      file: given.file,
      id: settlement.taskId,
      sound,
      backing,
      levels,
      disclosed: disclosed.map(({ path, content, by }) => ({ path, sizeBytes: content.length, by })),
      outcome: settlement.outcome,
      settled: settlement.settled ?? null,
      assurance: settlement.assurance,
      summary,
    },
    text: textFor(report),
    exitCode: sound && backing !== "nothing" ? EXIT.done : EXIT.failed,
  };
}

const TITLES = {
  offline: "Level 1, by itself",
  "trusted-block": "Level 2, by a block that you trust",
  online: "Level 3, by the chain",
} as const;
const MARKS = { match: "✔", mismatch: "✘", unchecked: "?" } as const;
const VOUCHES = {
  nothing:
    "nothing: nobody that the terms name signed it, and neither a trusted block nor the chain was asked",
  signature: "the signature of a side of the task",
  "trusted-block": "the block that you trust",
  chain: "the chain",
} as const;

function textFor({ receipt, levels, sound, backing, summary }: ReceiptReport): string {
  const { taskId, chain, market } = receipt.statement.settlement;
  const parts = levels.map(({ level, verdict, reason, checks }) => {
    const outcome = verdict === "not-checked" ? `not checked: ${reason ?? ""}` : verdict.toUpperCase();
    const rows = checks.map((each) => [`  ${MARKS[each.verdict]} ${each.name}`, each.reason] as const);
    return `${TITLES[level]}: ${outcome}${rows.length > 0 ? `\n${fields(rows)}` : ""}`;
  });
  return [
    fields([
      ["Task", taskId],
      ["Market", `${chain}:${market}`],
    ]),
    ...parts,
    fields([
      ["Receipt", sound ? "holds as far as it was checked" : "DOES NOT HOLD: do not rely on it"],
      ["Vouched for by", sound ? VOUCHES[backing] : "nothing"],
      ["Says", summary],
    ]),
  ].join("\n\n");
}

async function textOf(file: string): Promise<string> {
  return await readFile(file, "utf8").catch((error: unknown) => {
    throw new NeuraError("usage.file", `${file} cannot be read: ${messageOf(error)}.`, {
      next: "Name the file that `task receipt` wrote.",
    });
  });
}

function hashOf(text: string): string {
  if (/^0x[0-9a-fA-F]{64}$/.test(text.trim())) return text.trim().toLowerCase();
  throw new NeuraError("usage.block-hash", `${JSON.stringify(text)} is no hash of a block.`, {
    next: "It has 64 hexadecimal digits after 0x; several are separated by commas.",
  });
}

/** The market that is known for a chain on this machine. */
async function knownMarket(chainId: bigint, environment: Environment): Promise<MarketDomain | undefined> {
  const path = deploymentPath({ chainId, environment });
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const deployment = parseDeployment(text, path);
  if (BigInt(deployment.chainId) !== chainId) return undefined;
  return { chainId, market: deployment.contracts.TaskMarket };
}
