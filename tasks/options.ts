/** Options that many commands share. */

export const JSON_FLAG = {
  name: "json",
  description: "Print the result as one JSON object on stdout",
} as const;
