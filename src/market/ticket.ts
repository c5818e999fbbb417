import { randomBytes } from "node:crypto";

import { open, resultContext, seal } from "../envelope/index.ts";
import { NeuraError } from "../errors.ts";
import { parseFields } from "../fields.ts";
import { Secret } from "../secret.ts";

const SCHEMA = "neura/ticket/1";
/** More is no ticket [bytes]. */
const MAX_BYTES = 16 * 1024;

/** What lets its owner use a lease. */
export interface AccessTicket {
  /** The task's id, 32 bytes as lower-case hex with 0x. */
  readonly task: string;
  /** What the paths of requests are appended to; no slash at its end. */
  readonly url: string;
  /** Goes with each request as `Authorization: Bearer <token>`. */
  readonly token: Secret<string>;
  /** Of the certificate (DER) that the other side must have, as lower-case hex; without it, what every client trusts. */
  readonly certificateSha256?: string;
  /** When the lease ends unless somebody extends it, which this ticket outlives [Unix s]. */
  readonly expiresAt: number;
}

/** A token that nobody can guess: 256 random bits. */
export function createToken(): Secret<string> {
  return new Secret(randomBytes(32).toString("base64url"));
}

/**
 * The ticket, encrypted to the owner of the task: it may be published anywhere. `hash` is the envelope's.
 *
 * Errors: `ticket.invalid`, `envelope.bad-key`.
 */
export async function sealTicket(
  ticket: AccessTicket,
  { publicKey }: { /** The owner's, 33 bytes. */ publicKey: Uint8Array },
): Promise<{ bytes: Uint8Array; hash: string }> {
  const text = JSON.stringify({ schema: SCHEMA, ...ticket, token: ticket.token.reveal() });
  parseTicket(text);
  const sealed = seal({
    context: resultContext({ taskId: ticket.task }),
    compartments: [{ kind: "body", recipients: [publicKey], source: [Buffer.from(text)] }],
  });
  const bytes = await collect(sealed.stream);
  return { bytes, hash: sealed.result().hash };
}

/**
 * Opens a ticket for a task. Anybody can encrypt to the owner: what comes from elsewhere than from the provider needs
 * the `hash` that the provider named.
 *
 * Errors: `envelope.*`, `ticket.invalid`.
 */
export async function openTicket(
  sealed: Uint8Array,
  { taskId, secretKey, hash }: { taskId: string; secretKey: Secret<Uint8Array>; hash?: string | undefined },
): Promise<AccessTicket> {
  const context = resultContext({ taskId });
  const ticket = parseTicket(
    Buffer.from(await collect(open([sealed], { context, secretKey, hash }))).toString("utf8"),
  );
  if (ticket.task !== taskId.toLowerCase()) throw invalid(`it is for the task ${ticket.task}`);
  return ticket;
}

function parseTicket(text: string): AccessTicket {
  const format = {
    schema: SCHEMA,
    source: "The ticket",
    code: "ticket.invalid",
    next: NEXT,
    hasSecrets: true,
  };
  return parseFields(text, format, (file) => {
    const matching = (pattern: RegExp) => (value: string) => (pattern.test(value) ? value : undefined);
    const task = file.text("task", "is no task's id", matching(/^0x[0-9a-f]{64}$/));
    const url = file.text("url", "is no URL that paths could be appended to", readUrl);
    const token = file.text("token", "is no token", matching(/^[\w-]{43}$/));
    const certificate = file.text("certificateSha256", "is no SHA-256", matching(/^[0-9a-f]{64}$/));
    const expiresAt = file.whole("expiresAt");
    return {
      task: file.required("task", task, ""),
      url: file.required("url", url, ""),
      token: new Secret(file.required("token", token, "")),
      ...(certificate === undefined ? {} : { certificateSha256: certificate }),
      expiresAt: file.required("expiresAt", expiresAt, 0),
    };
  });
}

function readUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, username, password, search, hash, href } = new URL(text);
  const isPlain = username === "" && password === "" && search === "" && hash === "";
  const isCanonical = href === text || href === `${text}/`;
  return /^https?:$/.test(protocol) && isPlain && isCanonical && !text.endsWith("/") ? text : undefined;
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    size += piece.length;
    if (size > MAX_BYTES) throw invalid(`it has more than ${MAX_BYTES} bytes`);
    all.push(piece);
  }
  return Buffer.concat(all);
}

const NEXT = "Ask the provider for another one.";

function invalid(why: string): NeuraError {
  return new NeuraError("ticket.invalid", `This is no ticket for this task: ${why}.`, { next: NEXT });
}
