import {
  getAddress,
  isAddress,
  isHexString,
  type TypedDataDomain,
  TypedDataEncoder,
  type TypedDataField,
} from "ethers";

import { messageOf, NeuraError } from "../errors.ts";
import { originOf } from "./attestations.ts";
import type { AttestationSigner } from "./attester.ts";

export interface RemoteSignerOptions {
  /** Which of its accounts signs. Default: the only one, or the only one of {@link expected}. */
  readonly account?: string | undefined;
  /** Accounts of which one is meant. */
  readonly expected?: readonly string[];
}

/** How long a signer may take, also where a person has to agree [ms]. */
const ANSWER_MS = 60_000;
/** The first name is that of nodes and wallets, the second that of signers that know one version only. */
const METHODS = ["eth_signTypedData_v4", "eth_signTypedData"] as const;
const UNKNOWN_METHOD = -32601;

/**
 * A signer that holds an attester's key elsewhere and answers `eth_accounts` and `eth_signTypedData_v4` (or
 * `eth_signTypedData`) as JSON-RPC over HTTP. Errors: `bridge.no-signer`; of a signature `bridge.signer-refuses`.
 */
export async function openRemoteSigner(
  url: string,
  { account, expected = [] }: RemoteSignerOptions = {},
): Promise<AttestationSigner> {
  const listed: unknown = await ask(url, "eth_accounts", []);
  const accounts = (Array.isArray(listed) ? listed : []).flatMap((each: unknown) =>
    isAddress(each) ? [getAddress(each)] : [],
  );
  const wanted =
    account === undefined ? accounts.filter((each) => expected.includes(each)) : [getAddress(account)];
  const [address, more] = wanted.length === 0 ? accounts : wanted;
  if (address === undefined || more !== undefined || !accounts.includes(address)) {
    throw new NeuraError(
      "bridge.no-signer",
      `The signer at ${originOf(url)} has ${accounts.join(", ") || "no accounts"}.`,
      { next: "Name the one that signs with --account 0x…." },
    );
  }
  return {
    getAddress: () => Promise.resolve(address),
    signTypedData: (domain, types, value) => sign(url, address, { domain, types, value }),
  };
}

async function sign(
  url: string,
  account: string,
  {
    domain,
    types,
    value,
  }: { domain: TypedDataDomain; types: Record<string, TypedDataField[]>; value: Record<string, unknown> },
): Promise<string> {
  const payload = JSON.stringify(TypedDataEncoder.getPayload(domain, types, value));
  for (const method of METHODS) {
    const signature = await ask(url, method, [account, payload]);
    if (isHexString(signature)) return signature;
    if (signature !== undefined) throw refusal(url, "its answer is no signature");
  }
  throw refusal(url, `it knows neither ${METHODS.join(" nor ")}`);
}

/** What it answers; nothing where it does not know the method. */
async function ask(url: string, method: string, params: readonly unknown[]): Promise<unknown> {
  let answer: unknown;
  try {
    const response = await fetch(url, {
      method: "POST",
      redirect: "error",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    answer = await response.json();
  } catch (cause) {
    throw refusal(url, messageOf(cause), cause);
  }
  const error = fieldOf(answer, "error");
  if (error === undefined || error === null) return fieldOf(answer, "result");
  if (fieldOf(error, "code") === UNKNOWN_METHOD) return undefined;
  throw refusal(url, String(fieldOf(error, "message")));
}

function refusal(url: string, why: string, cause?: unknown): NeuraError {
  return new NeuraError("bridge.signer-refuses", `The signer at ${originOf(url)} does not sign: ${why}.`, {
    next: "Check its URL, that it runs, and what it allows.",
    ...(cause === undefined ? {} : { cause }),
  });
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
