// The fake engine is one that other tests may trust: it keeps the contract that real Docker keeps.
import { createFakeEngine } from '../fake-runtime.ts';
import { uniqueOwner } from '../pods.ts';
import { describeRuntimeContract } from '../runtime-contract.ts';

describeRuntimeContract('the fake engine', async () => {
  const engine = createFakeEngine();
  return {
    runtime: engine.runtime(uniqueOwner()),
    neighbour: engine.runtime(uniqueOwner()),
    end: async (id) => engine.end(id),
    begin: async (id) => engine.begin(id),
    vanish: async (id) => engine.vanish(id),
    cutEvents: engine.cutEvents,
    close: async () => {},
  };
});
