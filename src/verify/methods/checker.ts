import { messageOf } from "../../errors.ts";
import { defineMethod, unreadable } from "../method.ts";

/** How the owner's program ended; nothing: it did not. */
export interface CheckerReport {
  readonly exitCode: number | null;
  /** The last line that it said. */
  readonly message: string;
}

/** How the report is written, as the reference of a unit. */
export function encodeReport(report: CheckerReport): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(report));
}

/**
 * The owner's own program decides: 0 passes, 1 fails, anything else (a program that was killed, too) decides nothing.
 * `program` is the SHA-256 of what decides, so that it is fixed before the work begins; the reference is its report.
 */
export const checker = defineMethod({
  description: "The owner's own program decides.",
  tolerance: "zero",
  isRechecked: true,
  parameters: (fields) => ({
    program: fields.required(
      "program",
      fields.text("program", "is no SHA-256, 32 bytes as lower-case hex with 0x", readHash),
      "",
    ),
  }),
  readUnit: ({ output }) => output,
  readReference: (reference) => readReport(reference),
  compare(_, { exitCode, message }) {
    const said = message === "" ? "" : `: ${message}`;
    if (exitCode === 0) return { distance: 0, why: `the owner's program passes it${said}` };
    if (exitCode === 1) return { distance: 1, why: `the owner's program fails it${said}` };
    const end = exitCode === null ? "did not come to its end" : `ended with ${exitCode}`;
    return { distance: undefined, why: `the owner's program ${end}${said}` };
  },
});

function readHash(text: string): string | undefined {
  return /^0x[0-9a-f]{64}$/.test(text) ? text : undefined;
}

function readReport(bytes: Uint8Array): CheckerReport {
  const next = "Write it with encodeReport.";
  try {
    const report: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof report === "object" && report !== null && "exitCode" in report && "message" in report) {
      const { exitCode, message } = report;
      if ((exitCode === null || typeof exitCode === "number") && typeof message === "string")
        return { exitCode, message };
    }
  } catch (error) {
    throw unreadable(`The report is not JSON: ${messageOf(error)}.`, next);
  }
  throw unreadable("The report has no exit code or no message.", next);
}
