import { getAddress, isAddress } from "ethers";

import { NeuraError } from "../src/errors.ts";

/** The address in `text`, checksummed; `name` is what the error calls it. Error: `usage.address`. */
export function parseAddress(text: string, name: string): string {
  if (isAddress(text)) return getAddress(text);
  throw new NeuraError("usage.address", `The ${name} ${JSON.stringify(text)} is not an address.`, {
    next: "Give 0x and 40 hexadecimal digits.",
  });
}
