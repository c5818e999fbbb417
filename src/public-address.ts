import { lookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

import { NeuraError } from "./errors.ts";
import { printable } from "./text.ts";

/**
 * Servers that strangers name, and that are asked all the same: only such as everybody can reach. Without this, an entry
 * in a public registry could make an owner's machine ask the services of its own network.
 */

/** IANA's special-purpose registries: whatever is not globally reachable. */
const SPECIAL = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const)
  SPECIAL.addSubnet(network, prefix, "ipv4");
// Teredo and other protocols, documentation, 6to4: each can stand for any IPv4 address.
for (const [network, prefix] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const)
  SPECIAL.addSubnet(network, prefix, "ipv6");
/** All that is global in IPv6 is in here. */
const GLOBAL = new BlockList();
GLOBAL.addSubnet("2000::", 3, "ipv6");

/** Whether this IP address is one of the public internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !SPECIAL.check(address, "ipv4");
  return family === 6 && GLOBAL.check(address, "ipv6") && !SPECIAL.check(address, "ipv6");
}

/** Finds a name's addresses for a connection; fails where one of them is not public. */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) {
      callback(error, "", 0);
      return;
    }
    const [first] = addresses;
    const hidden = addresses.find(({ address }) => !isPublicAddress(address));
    if (hidden) callback(new Error(`${hostname} is at ${hidden.address}, which is not public`), "", 0);
    else if (first === undefined) callback(new Error(`${hostname} has no address`), "", 0);
    else if (options.all === true) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

/**
 * The URL of a server that a stranger named: `https`, and not the address of a private network. With `allowLoopback`
 * also one on this machine, over `http` too: for development. Error: `url.not-public`.
 */
export function publicUrl(text: string, { allowLoopback = false } = {}): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const host = url?.hostname.replace(/^\[|\]$/g, "") ?? "";
  const isLoopback = host === "127.0.0.1" || host === "::1";
  const isPublic = url?.protocol === "https:" && (isIP(host) === 0 || isPublicAddress(host));
  const isAllowed = isPublic || (allowLoopback && isLoopback && /^https?:$/.test(url?.protocol ?? ""));
  if (url !== undefined && isAllowed && url.username === "" && url.password === "") return url;
  throw new NeuraError("url.not-public", `"${printable(text)}" is no address of a public server.`, {
    next: isLoopback
      ? "For development, allow servers on this machine with NEURA_ALLOW_LOOPBACK=1."
      : "It has to begin with https:// and name a host that everybody can reach.",
  });
}
