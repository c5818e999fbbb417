import { ArgumentType } from "hardhat/types/arguments";

/** Options that many commands share. */

export const JSON_FLAG = {
  name: "json",
  description: "Print the result as one JSON object on stdout",
} as const;

/** An option that may be left out, then `undefined`. */
export function optional<const Name extends string>(name: Name, description: string) {
  return { name, description, type: ArgumentType.STRING_WITHOUT_DEFAULT, defaultValue: undefined } as const;
}
