import type { AttestationStanding } from "../../src/market/attested.ts";
import { momentText, printable } from "../../src/text.ts";

/** What can be said of a provider's attestation: `attested` only where this client has verified it. */
export function attestationText(standing: AttestationStanding | undefined): string {
  switch (standing?.state) {
    case undefined:
      return "none claimed";
    case "verified":
      return `attested: ${standing.platform}, until ${momentText(standing.validUntilSeconds)}`;
    case "claimed":
      return `claims attestation (not checked): ${standing.platforms.join(", ")}`;
    case "refused":
      return `not attested: ${printable(standing.reason)}`;
  }
}
