import type { Secret } from "../secret.ts";
import { type OpeningWords, proveSharedPoint, wordsForChain } from "./dleq.ts";
import type { CompartmentKind, Header } from "./format.ts";
import { badOpening, compartmentFor, type Opening, provenWrap, publicKeyOf } from "./keys.ts";

/**
 * Shows what one compartment of an envelope holds, for one of its recipients, without giving the key away: `open`,
 * `openEach` and `unwrap` take it as one of `openings` and read with it what the recipient reads, or fail as the
 * recipient fails. It fits this wrap and no other.
 *
 * Warning: whoever has it can read the compartment. Nothing is shown of a wrap whose author has not proven that it made
 * the ephemeral point: it could be the point of a letter of somebody else, which would then be open, too. With the proof
 * its author knows the shared point already, and learns nothing.
 *
 * Errors: `envelope.no-compartment`, `envelope.wrong-context`, `envelope.not-a-recipient`, `envelope.unproven` (which is
 * a finding of its own: anybody sees it in the header), `envelope.bad-key`.
 *
 * @example
 * const opening = proveOpening(await readHeader(file), { kind: "body", context, secretKey });
 * // Anybody, with the envelope that the chain names:
 * for await (const bytes of open(file, { openings: [opening], context, hash })) write(bytes);
 */
export function proveOpening(
  header: Header,
  {
    secretKey,
    ...wanted
  }: {
    kind: CompartmentKind;
    /** The task that the envelope must belong to, 32 bytes as hex with 0x. */
    context: string;
    secretKey: Secret<Uint8Array>;
  },
): Opening {
  const recipient = publicKeyOf(secretKey);
  const { statement } = provenWrap(compartmentFor(header, wanted), recipient);
  return { kind: wanted.kind, recipient, ...proveSharedPoint(statement, secretKey.reveal()) };
}

/**
 * What is shown of an envelope as `OpeningProofs.verify` takes it, the library for contracts.
 *
 * Errors: `envelope.bad-opening`, and those of {@link proveOpening} about the header.
 */
export function openingWords(
  header: Header,
  opening: Opening,
  { context }: { /** As for {@link proveOpening}. */ context: string },
): OpeningWords {
  const { kind, recipient } = opening;
  const { statement } = provenWrap(compartmentFor(header, { kind, context }), recipient);
  const words = wordsForChain(statement, opening);
  if (words === undefined) throw badOpening(kind);
  return words;
}
