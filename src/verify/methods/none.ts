import { defineMethod } from "../method.ts";

/** What only people can judge: a named arbiter decides, and nothing is compared. */
export const none = defineMethod({
  description: "Nothing is compared: a named arbiter decides.",
  tolerance: "never",
  parameters: () => ({}),
  readUnit: ({ output }) => output,
  readReference: (reference) => reference,
  compare: () => ({ distance: undefined, why: "by this method a named arbiter decides" }),
});
