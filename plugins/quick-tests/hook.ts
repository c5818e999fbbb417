import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { ConfigHooks } from "hardhat/types/hooks";

const hooks: Partial<ConfigHooks> = {
  resolveUserConfig: async (userConfig, resolveVariable, next) => {
    const config = await next(userConfig, resolveVariable);
    const { root, tests } = config.paths;
    const names = await readdir(tests.solidity, { recursive: true });
    const sources = names
      .filter((name) => name.endsWith(".sol"))
      .map((name) => relative(root, join(tests.solidity, name)).split(sep).join("/"));
    for (const profile of Object.values(config.solidity.profiles)) {
      const [compiler] = profile.compilers;
      if (compiler === undefined) continue;
      // One object for all: sources of the same configuration object are compiled in one go.
      const quick = quickened(compiler);
      for (const source of sources) profile.overrides[source] = quick;
    }
    return config;
  },
};

const quickened = <Compiler extends { settings: object }>(compiler: Compiler): Compiler => ({
  ...compiler,
  settings: { ...compiler.settings, viaIR: false, optimizer: { enabled: false } },
});

export default () => Promise.resolve(hooks);
