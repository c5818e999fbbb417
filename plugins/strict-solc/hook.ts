import type { HookContext, SolidityHooks } from "hardhat/types/hooks";
import type { CompilerOutput, CompilerOutputError } from "hardhat/types/solidity";

/** What stays a warning: its number, and where. */
const EXEMPT = [
  // Transient storage as such; the only use is the reentrancy guard of OpenZeppelin, which clears it.
  { code: "2394", path: "@openzeppelin/" },
  // A name that a later language version takes; it is in their sources.
  { code: "6335", path: "@openzeppelin/" },
  // Size of code and of init code: tests are not deployed.
  { code: "5574", path: "/test/" },
  { code: "3860", path: "/test/" },
];

const hooks: Partial<SolidityHooks> = {
  // Its successor runs after the artifacts have been written, when the next build would not warn again.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  invokeSolc: async (context, compiler, input, config, next) => {
    const output = await next(context, compiler, input, config);
    return isCoverage(context) ? output : strict(output);
  },
};

export default () => Promise.resolve(hooks);

function strict(output: CompilerOutput): CompilerOutput {
  const errors = (output.errors ?? []).filter((error) => !isExempt(error));
  return {
    ...output,
    errors: errors.map((error) =>
      error.severity === "warning" ? { ...error, type: "Error", severity: "error" } : error,
    ),
  };
}

function isExempt({ severity, errorCode, formattedMessage = "" }: CompilerOutputError): boolean {
  return (
    severity === "warning" &&
    EXEMPT.some(({ code, path }) => code === errorCode && formattedMessage.includes(path))
  );
}

/** Instrumented code is longer, and warned about for that. */
function isCoverage({ globalOptions }: HookContext): boolean {
  return globalOptions.coverage;
}
