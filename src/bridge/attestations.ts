import { getAddress, isHexString, recoverAddress } from "ethers";

import type { Abortable } from "../abort.ts";
import { told } from "../chain/errors.ts";
import { messageOf, NeuraError } from "../errors.ts";
import type { End } from "./context.ts";
import { attestationDigest, type Route } from "./message.ts";

/** What an attester says: that a message is final where it was sent. */
export interface Attestation {
  readonly epoch: bigint;
  readonly signer: string;
  /** 65 bytes as hex with 0x. */
  readonly signature: string;
}

/** Who has to sign for a gateway now. */
export interface Quorum {
  readonly epoch: bigint;
  readonly threshold: number;
  readonly attesters: readonly string[];
  readonly isDistrusted: boolean;
}

/** What was found of a message's attestations. */
export interface Collected {
  readonly quorum: Quorum;
  /** Good ones of the quorum's epoch, one of each signer, in the order in which the contract takes them. */
  readonly attestations: readonly Attestation[];
  /** What could not be asked, and why. */
  readonly troubles: readonly string[];
}

/** How long an attester may take to answer [ms], and how much it may say [bytes]. */
const ANSWER_MS = 10_000;
const MAX_ANSWER_BYTES = 256 * 1024;

/** Who has to sign for what is delivered at an end. */
export async function quorumOf({ gatewayContract }: Pick<End, "gatewayContract">): Promise<Quorum> {
  const { epoch, threshold, attesters, distrusted } = await gatewayContract.quorum();
  return {
    epoch,
    threshold: Number(threshold),
    attesters: attesters.map((each) => getAddress(each)),
    isDistrusted: distrusted,
  };
}

/**
 * Asks attesters for what they say of a message, and keeps what is good: nobody is believed. One that does not answer takes
 * nothing from what the others say.
 */
export async function collectAttestations(
  destination: End,
  route: Route,
  id: string,
  { urls, quorum, signal }: Abortable & { urls: readonly string[]; quorum?: Quorum | undefined },
): Promise<Collected> {
  const now = quorum ?? (await quorumOf(destination));
  const digest = attestationDigest(route, id, now.epoch);
  const troubles: string[] = [];
  const answers = await Promise.all(
    urls.map(async (url) => {
      try {
        return await askAttester(url, id, signal);
      } catch (error) {
        signal?.throwIfAborted();
        troubles.push(`${originOf(url)}: ${messageOf(error)}`);
        return [];
      }
    }),
  );
  const good = new Map<string, Attestation>();
  for (const { epoch, signature } of answers.flat()) {
    const signer = epoch === now.epoch ? signerOf(digest, signature) : undefined;
    if (signer !== undefined && now.attesters.includes(signer))
      good.set(signer, { epoch, signer, signature });
  }
  const attestations = [...good.values()].toSorted((one, other) =>
    BigInt(one.signer) < BigInt(other.signer) ? -1 : 1,
  );
  return { quorum: now, attestations, troubles };
}

/** Whether a message has arrived at an end. Error: `chain.unavailable`. */
export async function isDelivered(
  { gatewayContract }: Pick<End, "gatewayContract">,
  id: string,
  blockTag: number | "latest" = "latest",
): Promise<boolean> {
  return (await told(gatewayContract.isDelivered(id, { blockTag }))) ?? false;
}

/** What one attester says of a message. */
async function askAttester(url: string, id: string, signal: AbortSignal | undefined): Promise<Attestation[]> {
  const address = new URL("attestations", url.endsWith("/") ? url : `${url}/`);
  address.searchParams.set("message", id);
  const limit = AbortSignal.timeout(ANSWER_MS);
  const response = await fetch(address, {
    redirect: "error",
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
  });
  if (!response.ok) throw new Error(`it answers ${response.status}`);
  return parseAttestations(await textOf(response));
}

/** Reads what {@link encodeAttestations} wrote. Error: `bridge.bad-answer`. */
export function parseAttestations(text: string): Attestation[] {
  const answer: unknown = JSON.parse(text);
  const list: unknown = fieldOf(answer, "attestations");
  if (!Array.isArray(list)) throw new NeuraError("bridge.bad-answer", "It answers with no attestations.");
  return list.map((each: unknown) => {
    const [epoch, signer, signature] = ["epoch", "signer", "signature"].map((name) => fieldOf(each, name));
    if (
      typeof epoch !== "string" ||
      !/^\d{1,20}$/.test(epoch) ||
      !isHexString(signer, 20) ||
      !isHexString(signature, 65)
    ) {
      throw new NeuraError("bridge.bad-answer", "It answers with something that is no attestation.");
    }
    return { epoch: BigInt(epoch), signer: getAddress(signer), signature };
  });
}

/** What an attester answers about a message. */
export function encodeAttestations(message: string, attestations: readonly Attestation[]): string {
  const list = attestations.map(({ epoch, signer, signature }) => ({ epoch: `${epoch}`, signer, signature }));
  return JSON.stringify({ schema: "neura/attestations/1", message, attestations: list });
}

/** The part of a URL that can be shown. */
export function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "no URL";
}

async function textOf(response: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_ANSWER_BYTES) throw new NeuraError("bridge.bad-answer", "Its answer is too long.");
  }
  return text;
}

function signerOf(digest: string, signature: string): string | undefined {
  try {
    return recoverAddress(digest, signature);
  } catch {
    return undefined;
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
