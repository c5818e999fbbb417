/** Run by a test in a process of its own: stores a stream, reads it back, and prints the peak of its memory [MiB]. */
import { text } from "node:stream/consumers";
import { Secret } from "../../../src/secret.ts";
import { openArweave } from "../../../src/storage/arweave.ts";
import { parseArweaveKey } from "../../../src/storage/arweave/key.ts";

const [url = "", megabytes = ""] = process.argv.slice(2);
const key = parseArweaveKey(new Secret(await text(process.stdin)));
const block = Buffer.alloc(1_000_000, 1);

async function* source(): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < Number(megabytes); index++) {
    block.writeUInt32BE(index);
    yield await Promise.resolve(block);
  }
}

const storage = openArweave({ gateways: [url], key });
const stored = await storage.put(source);
await storage.readBack(stored);
let sizeBytes = 0;
for await (const piece of storage.get(stored.uri, { maxBytes: stored.sizeBytes })) sizeBytes += piece.length;
if (sizeBytes !== Number(megabytes) * block.length) throw new Error(`${sizeBytes} bytes came back`);
process.stdout.write(`${process.resourceUsage().maxRSS / 1024}\n`);
