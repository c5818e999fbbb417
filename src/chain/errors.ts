import { isError } from "ethers";

import { messageOf, NeuraError } from "../errors.ts";

/** What a server answers when it is busy, and when it, or what is behind it, is down. */
const BUSY = new Set([408, 429, 502, 503, 504, 599]);

/**
 * Whether the chain's node did not answer, or had no time for the question: the same question may be answered
 * later. What it does answer, a refusal too, is none of these.
 */
export function isOutage(error: unknown): boolean {
  if (isError(error, "NETWORK_ERROR") || isError(error, "TIMEOUT")) return true;
  if (isError(error, "SERVER_ERROR")) return error.response == null || BUSY.has(error.response.statusCode);
  return /econn|enotfound|eai_again|epipe|socket hang up|fetch failed|too many requests|rate limit/i.test(
    describe(error),
  );
}

/** The error for a node that does not answer. */
export function unavailable(cause: unknown): NeuraError {
  if (cause instanceof NeuraError) return cause;
  return new NeuraError("chain.unavailable", `The chain's node does not answer: ${messageOf(cause)}.`, {
    next: "Check the node's URL and that it runs, then try again.",
    cause,
  });
}

/** What a contract tells, if it does. Error: `chain.unavailable`. */
export async function told<T>(question: Promise<T>): Promise<T | undefined> {
  try {
    return await question;
  } catch (error) {
    if (isOutage(error)) throw unavailable(error);
    return undefined;
  }
}

function describe(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return `${code} ${messageOf(error)}`;
}
