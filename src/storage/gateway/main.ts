/**
 * The local Arweave gateway as a process of its own:
 *
 *     node --import tsx src/storage/gateway/main.ts --directory .neura/arweave --port 1984
 *
 * Prints one line of JSON with its URL when it is ready, and ends on SIGTERM or SIGINT.
 */
import { parseArgs } from "node:util";
import { startGateway } from "./gateway.ts";

const { values } = parseArgs({
  options: {
    directory: { type: "string" },
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "0" },
    "block-seconds": { type: "string", default: "1" },
    "winston-per-byte": { type: "string", default: "0" },
  },
});
if (values.directory === undefined)
  throw new Error("--directory is missing: where the gateway keeps its data.");

const gateway = await startGateway({
  directory: values.directory,
  host: values.host,
  port: Number(values.port),
  blockSeconds: Number(values["block-seconds"]),
  winstonPerByte: BigInt(values["winston-per-byte"]),
});
process.stdout.write(`${JSON.stringify({ url: gateway.url, directory: values.directory })}\n`);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => void gateway.close());
}
