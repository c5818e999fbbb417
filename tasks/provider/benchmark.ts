import { realpath } from "node:fs/promises";

import { NeuraError } from "../../src/errors.ts";
import { benchmarkMachine, benchmarkPath, saveBenchmark } from "../../src/provider/benchmark.ts";
import { nodeDirectory } from "../../src/provider/node.ts";
import { openProcessRunner } from "../../src/provider/runner/process-runner.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";

interface BenchmarkArguments {
  account: string | undefined;
  runs: number;
  pages: number;
}

const MOST = 100;

export default action("neura/provider-benchmark/1", async (args: BenchmarkArguments, context) => {
  const { home, out, signal } = context;
  for (const [name, count] of Object.entries({ runs: args.runs, pages: args.pages })) {
    if (count >= 1 && count <= MOST) continue;
    throw new NeuraError("usage.number", `--${name} is ${count}, where 1 to ${MOST} belong.`);
  }
  const named = args.account === undefined ? undefined : parseAddress(args.account, "account");
  const account = named ?? (await context.signer()).address;
  const directory = nodeDirectory(home, account);
  const runner = await openProcessRunner();
  const title = `Reading ${args.pages} pages ${args.runs} times in the node's sandbox`;
  const benchmark = await out.step(title, () =>
    benchmarkMachine({
      runner,
      directory,
      runs: args.runs,
      pages: args.pages,
      onProgress: (done, runs) => out.note(`  ${done} of ${runs}`),
      signal,
    }),
  );
  await saveBenchmark(directory, benchmark);
  const path = await realpath(benchmarkPath(directory));
  return {
    data: { account, path, isolation: runner.isolation, benchmark },
    text: fields([
      ["Provider", account],
      ["Pages", `${benchmark.unitsPerSecond} per second (median of ${benchmark.runs} runs)`],
      ["Processor", `${benchmark.cpuSecondsPerUnit} s of all cores for each page, ${benchmark.cpu}`],
      ["Memory", `${benchmark.peakMemoryMiB} MiB at most`],
      ["Written to", path],
      ["Next", "sign it with `provider metadata`; a node that gives quotes shows it at once"],
    ]),
  };
});
