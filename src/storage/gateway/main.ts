/**
 * The local Arweave gateway as a process of its own, which `./neura gateway` starts:
 *
 *     node --import tsx src/storage/gateway/main.ts --directory .neura/arweave --port 1984
 *
 * Prints one line of JSON with its URL when it is ready, and ends on SIGTERM or SIGINT. Exit codes: 1 where it cannot
 * start, 2 for wrong arguments.
 */
import { parseArgs } from "node:util";
import { isNeuraError, messageOf, NeuraError } from "../../errors.ts";
import { startGateway, type GatewayOptions } from "./gateway.ts";

const USAGE = `Usage: ./neura gateway [--port <port>] [--host <address>] [--directory <folder>]
                       [--block-seconds <seconds>] [--winston-per-byte <price>]

A local Arweave gateway, for as long as this runs.

  --port              where it listens; 0: any free port (1984 under ./neura)
  --host              address to listen on; only on a loopback address can wallets be credited (127.0.0.1)
  --directory         where it keeps everything (.neura/arweave under ./neura)
  --block-seconds     time between blocks; 0: only when it is asked for one (1)
  --winston-per-byte  price of storage (0)
`;

try {
  const options = readArguments(process.argv.slice(2));
  if (options === undefined) process.stdout.write(USAGE);
  else await run(options);
} catch (error) {
  const next = isNeuraError(error) && error.next !== undefined ? `${error.next}\n` : "";
  process.stderr.write(`Error: ${messageOf(error)}\n${next}`);
  process.exitCode = isNeuraError(error, "usage.arguments") ? 2 : 1;
}

async function run(options: GatewayOptions): Promise<void> {
  const gateway = await startGateway(options);
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => void gateway.close());
  }
  process.stdout.write(`${JSON.stringify({ url: gateway.url, directory: options.directory })}\n`);
}

/** `undefined`: help is asked for. Error: `usage.arguments`. */
function readArguments(texts: string[]): GatewayOptions | undefined {
  const values = parse(texts);
  if (values.help) return undefined;
  const { directory = "", host, port, "block-seconds": seconds, "winston-per-byte": price } = values;
  if (directory === "") throw wrong("--directory is missing: where the gateway keeps its data.");
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw wrong(`--port is ${JSON.stringify(port)}, which is not a number from 0 to 65535.`);
  }
  if (!/^\d{1,5}(\.\d+)?$/.test(seconds)) {
    throw wrong(
      `--block-seconds is ${JSON.stringify(seconds)}, which is not a number of seconds below 100000.`,
    );
  }
  if (!/^\d{1,30}$/.test(price)) {
    throw wrong(`--winston-per-byte is ${JSON.stringify(price)}, which is not a whole number of winston.`);
  }
  return {
    directory,
    host,
    port: Number(port),
    blockSeconds: Number(seconds),
    winstonPerByte: BigInt(price),
  };
}

function parse(texts: string[]) {
  try {
    return parseArgs({
      args: texts,
      options: {
        help: { type: "boolean", short: "h", default: false },
        directory: { type: "string" },
        host: { type: "string", default: "127.0.0.1" },
        port: { type: "string", default: "0" },
        "block-seconds": { type: "string", default: "1" },
        "winston-per-byte": { type: "string", default: "0" },
      },
    }).values;
  } catch (error) {
    throw wrong(messageOf(error));
  }
}

function wrong(message: string): NeuraError {
  return new NeuraError("usage.arguments", message, { next: "See what there is with --help." });
}
