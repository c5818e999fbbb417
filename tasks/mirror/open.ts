import { join } from "node:path";

import type { Deployment } from "../../src/deployment.ts";
import { messageOf, NeuraError } from "../../src/errors.ts";
import { type MirrorContext, uploadKeyPath } from "../../src/mirror/accounts.ts";
import type { Context } from "../context.ts";
import { openMarketOf } from "../task/request.ts";

/** The market for mirrors and canaries, whose accounts pay for their uploads with keys of their own. */
export async function openMirrors(
  context: Context,
  { signing = false }: { signing?: boolean } = {},
): Promise<{ mirrors: MirrorContext; deployment: Deployment }> {
  const market = await openMarketOf(context, { signing });
  const storageOf: MirrorContext["storageOf"] = (account) => {
    const keyPath = uploadKeyPath(context.home, account);
    return async (options) => await context.storage({ ...options, keyPath });
  };
  return { mirrors: { ...market, storageOf }, deployment: market.deployment };
}

/** A probability from 0 to 1. Error: `usage.probability`. */
export function parseProbability(text: string): number {
  const value = /^(?:0|1|[01]?\.\d{1,9}|0\.\d{1,9}|1\.0+)$/.test(text.trim()) ? Number(text) : NaN;
  if (value >= 0 && value <= 1) return value;
  throw new NeuraError("usage.probability", `The probability ${JSON.stringify(text)} is none.`, {
    next: "Give a number from 0 to 1: 0.1 mirrors one task in ten.",
  });
}

/** The object in text. Error: `usage.parameters`. */
export function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
    throw new Error("it is no object");
  } catch (error) {
    throw new NeuraError(
      "usage.parameters",
      `The parameters ${text} are not a JSON object: ${messageOf(error)}.`,
    );
  }
}

/** Where a mirror account's key lies, for commands that say how to use it. */
export function accountPath(home: string, account: string): string {
  return join(home, "mirror", "accounts", `${account}.json`);
}
