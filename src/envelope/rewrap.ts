import { type CompartmentKind, equalBytes, type Header } from "./format.ts";
import { type OpeningKey, unwrap, wrapForAll } from "./keys.ts";

/**
 * A header for the same bodies that lets other recipients open one compartment. Nothing else changes, neither the
 * bodies nor the envelope's hash; `encodeHeader` gives its bytes, `open` takes it as `header`.
 *
 * Whoever can open the compartment can do this. Recipients of the old header are left out, unless `keep` is set.
 *
 * Errors: those of `unwrap`; `envelope.bad-key` for the new recipients; `envelope.bad-request` where the compartment
 * would have no recipient, one twice, or more than 256, the kept ones among them.
 *
 * @example
 * // Jurors get the body, never the secrets.
 * const forJurors = rewrap(header, { kind: "body", context, secretKey, recipients: jurors });
 */
export function rewrap(
  header: Header,
  options: OpeningKey & {
    kind: CompartmentKind;
    context: string;
    /** Compressed secp256k1 keys, 33 bytes each. Those that are kept anyway may be among them. */
    recipients: readonly Uint8Array[];
    /** Whether all that can open the envelope now can still do so with the new header. */
    keep?: boolean;
  },
): Header {
  const { kind, recipients, keep = false } = options;
  const contentKey = unwrap(header, options);
  return {
    compartments: header.compartments.map((compartment) => {
      const kept = keep ? compartment.recipients : [];
      if (compartment.kind !== kind) return { ...compartment, recipients: kept };
      const added = recipients.filter((key) => !kept.some(({ publicKey }) => equalBytes(publicKey, key)));
      return { ...compartment, recipients: wrapForAll(compartment, contentKey, added, kept) };
    }),
  };
}
