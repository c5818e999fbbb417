import { getAddress, isHexString, recoverAddress } from "ethers";

import type { Abortable } from "../abort.ts";
import { told, unavailable } from "../chain/errors.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { asking } from "../market/context.ts";
import type { End } from "./context.ts";
import { attestationDigest, type Message, type Route, type SentMessage } from "./message.ts";

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
  /** Until then what the set before has signed is good [Unix s of the chain]. */
  readonly overlapUntilSeconds: number;
}

/** What was found of a message's attestations. */
export interface Collected {
  readonly quorum: Quorum;
  /**
   * Good ones of one epoch, one of each signer, in the order in which the contract takes them, and no more than are needed:
   * of the quorum's epoch, or of the one before where only those are enough.
   */
  readonly attestations: readonly Attestation[];
  readonly needed: number;
  readonly isEnough: boolean;
  /** What could not be asked, and why. */
  readonly troubles: readonly string[];
}

/** How long an attester may take to answer [ms], and how much it may say [bytes]. */
const ANSWER_MS = 10_000;
const MAX_ANSWER_BYTES = 256 * 1024;
/** `QuorumGateway` takes no more of an epoch. */
const MAX_ATTESTERS = 32;

/** Who has to sign for what is delivered at an end. */
export async function quorumOf({ gatewayContract }: Pick<End, "gatewayContract">): Promise<Quorum> {
  const { epoch, threshold, attesters, distrusted, overlapUntil } = await gatewayContract.quorum();
  return {
    epoch,
    threshold: Number(threshold),
    attesters: attesters.map((each) => getAddress(each)),
    isDistrusted: distrusted,
    overlapUntilSeconds: Number(overlapUntil),
  };
}

export interface CollectOptions extends Abortable {
  readonly urls: readonly string[];
  readonly quorum?: Quorum | undefined;
  /** What was found before; where that is enough, nobody is asked. */
  readonly known?: readonly Attestation[] | undefined;
}

/**
 * Asks attesters for what they say of a message, and keeps what is good: nobody is believed. One that does not answer takes
 * nothing from what the others say.
 */
export async function collectAttestations(
  destination: End,
  route: Route,
  sent: Pick<SentMessage, "id" | "message">,
  { urls, quorum: given, known = [], signal }: CollectOptions,
): Promise<Collected> {
  const quorum = given ?? (await quorumOf(destination));
  const before = await enoughOf(destination, route, sent, quorum, [known]);
  if (before.isEnough || urls.length === 0) return { quorum, ...before, troubles: [] };
  const troubles: string[] = [];
  const answers = await Promise.all(
    urls.map(async (url) => {
      try {
        return await askAttester(url, sent.id, signal);
      } catch (error) {
        signal?.throwIfAborted();
        troubles.push(`${originOf(url)}: ${messageOf(error)}`);
        return [];
      }
    }),
  );
  return { quorum, ...(await enoughOf(destination, route, sent, quorum, [known, ...answers])), troubles };
}

/** What is enough of what was said; else what is good of the newest epoch. */
async function enoughOf(
  destination: End,
  route: Route,
  { id, message }: Pick<SentMessage, "id" | "message">,
  quorum: Quorum,
  answers: readonly (readonly Attestation[])[],
): Promise<Pick<Collected, "attestations" | "needed" | "isEnough">> {
  const { epoch, threshold, attesters, isDistrusted, overlapUntilSeconds } = quorum;
  const current = goodOf(attestationDigest(route, id, epoch), epoch, answers).filter(({ signer }) =>
    attesters.includes(signer),
  );
  const found = { attestations: current.slice(0, threshold), needed: threshold };
  if (current.length >= threshold || isDistrusted || overlapUntilSeconds === 0)
    return { ...found, isEnough: current.length >= threshold && !isDistrusted };
  const before = goodOf(attestationDigest(route, id, epoch - 1n), epoch - 1n, answers);
  const { gatewayContract } = destination;
  const isOne = await Promise.all(
    before.map(({ signer }) => told(gatewayContract.isAttester(epoch - 1n, signer))),
  );
  const previous = before.filter((_, index) => isOne[index] === true);
  const needed = previous.length === 0 ? undefined : await thresholdOf(destination, message, epoch - 1n);
  if (needed === undefined || previous.length < needed) return { ...found, isEnough: false };
  return { attestations: previous.slice(0, needed), needed, isEnough: true };
}

/** How many have to sign in an epoch, as the gateway says that refuses a message of which none has; nothing: it is over. */
async function thresholdOf(
  { gatewayContract }: Pick<End, "gatewayContract">,
  message: Message,
  epoch: bigint,
): Promise<number | undefined> {
  try {
    await asking(gatewayContract.deliver.staticCall(message, epoch, []));
  } catch (error) {
    if (!isNeuraError(error)) throw unavailable(error);
    const { error: refusal, threshold } = error.details;
    if (refusal === "QuorumGateway_TooFewSignatures") return Number(threshold);
  }
  return undefined;
}

/** What was signed as it is said to be, one of each signer, in ascending order: not more of an answer than an epoch can have. */
function goodOf(digest: string, epoch: bigint, answers: readonly (readonly Attestation[])[]): Attestation[] {
  const good = new Map<string, Attestation>();
  for (const answer of answers) {
    const said = new Map(answer.flatMap((each) => (each.epoch === epoch ? [[each.signer, each]] : [])));
    for (const each of [...said.values()].slice(0, MAX_ATTESTERS)) {
      if (!good.has(each.signer) && signerOf(digest, each.signature) === each.signer)
        good.set(each.signer, each);
    }
  }
  return [...good.values()].toSorted((one, other) => (BigInt(one.signer) < BigInt(other.signer) ? -1 : 1));
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
function parseAttestations(text: string): Attestation[] {
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

/** Error: `bridge.no-attesters`. */
export function requireAttesters(urls: readonly string[]): readonly string[] {
  if (urls.length > 0 && urls.every((url) => /^https?:\/\//.test(url) && URL.canParse(url))) return urls;
  throw new NeuraError(
    "bridge.no-attesters",
    "No attesters are named, or one of them by something that is no URL.",
    {
      next: "Name them with --attesters https://…,https://… or in NEURA_ATTESTERS.",
    },
  );
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
