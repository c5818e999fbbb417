import { getAddress, isAddress } from "ethers";

import { NeuraError } from "../src/errors.ts";

/** The address in `text`, checksummed; `name` is what the error calls it. Error: `usage.address`. */
export function parseAddress(text: string, name: string): string {
  if (isAddress(text)) return getAddress(text);
  throw new NeuraError("usage.address", `The ${name} ${JSON.stringify(text)} is not an address.`, {
    next: "Give 0x and 40 hexadecimal digits.",
  });
}

/** Addresses as a command takes several: `0x…,0x…`. Error: `usage.address`. */
export function parseAddresses(text: string | undefined, name: string): string[] | undefined {
  return text?.split(",").map((each) => parseAddress(each.trim(), name));
}
