import type { TestSummary } from "hardhat/types/test";

/** What each runner counted in this process. */
const summaries: Pick<TestSummary, "passed" | "failed" | "skipped">[] = [];

export function count(summary: Pick<TestSummary, "passed" | "failed" | "skipped">): void {
  summaries.push(summary);
}

export function closingLine(): string {
  const [passed, failed, skipped] = (["passed", "failed", "skipped"] as const).map((name) =>
    summaries.reduce((sum, summary) => sum + summary[name], 0),
  );
  return `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
}
