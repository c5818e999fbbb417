/** What came of a canary, in words. */
export const VERDICTS = {
  pass: "as it should be",
  fail: "NOT WHAT IT SHOULD BE",
  inconclusive: "nothing can be said",
  none: "no result",
  open: "under way",
} as const;
