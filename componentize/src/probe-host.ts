/** The host's imports as a package's top level meets them in the probe: they answer, and leave a trace. */

import vm from 'node:vm';

const INTERFACES: Readonly<Record<string, Record<string, unknown>>> = {
  'tasker:handler/log@0.1.0': { enabled: false, emit: undefined },
  'tasker:handler/execution@0.1.0': { remainingMs: 60_000, cancellationRequested: false, saveCheckpoint: undefined },
  'tasker:handler/config@0.1.0': { get: undefined, entries: [] },
};

export function hostModule(specifier: string, context: vm.Context, touch: (what: string) => void): vm.Module {
  const functions = INTERFACES[specifier];
  if (functions === undefined) {
    const known = Object.keys(INTERFACES).join(', ');
    throw new Error(`the component's world does not import '${specifier}'; it imports ${known}`);
  }
  const names = Object.keys(functions);
  return new vm.SyntheticModule(
    names,
    function () {
      for (const name of names) {
        this.setExport(name, () => {
          touch(`a host import, ${specifier}#${name}`);
          return functions[name];
        });
      }
    },
    { identifier: specifier, context },
  );
}
