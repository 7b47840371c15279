// The facts as they are now: the agent begins with what is known at once, and the rest is filled in and kept fresh.
import { every } from '../every.ts';
import { pause } from '../pause.ts';
import { type AskedFacts, askMachine, knownAtOnce, type MachineFacts } from './machine-facts.ts';
import { nodeAddress } from './node-address.ts';

export interface KeptFacts {
  readonly now: () => MachineFacts;
  /** Until the signal; calls back when they have changed. */
  readonly keep: (signal: AbortSignal, onChange: () => void) => void;
}

export interface FactSources {
  readonly atOnce: () => MachineFacts;
  readonly address: () => string | undefined;
  readonly ask: () => Promise<AskedFacts>;
}

/** As often as a kubelet looks; sooner while there is none. */
const ADDRESS = { periodMs: 10_000, retryMs: 3000 };
/** Asking takes a process of its own: what the node has to start comes first. */
const PODS_FIRST_MS = 1000;
const REST = { periodMs: 3_600_000, retryMs: 60_000 };

const THIS_MACHINE: FactSources = { atOnce: knownAtOnce, address: nodeAddress, ask: askMachine };

export function createFacts({ atOnce, address, ask }: FactSources = THIS_MACHINE): KeptFacts {
  let facts = atOnce();
  const learn = (more: Partial<MachineFacts>, onChange: () => void) => {
    const before = JSON.stringify(facts);
    facts = { ...facts, ...more };
    if (JSON.stringify(facts) !== before) onChange();
  };
  return {
    now: () => facts,
    keep: (signal, onChange) => {
      void every(ADDRESS, signal, async () => {
        const ip = address();
        learn({ ip }, onChange);
        if (ip === undefined) throw new Error('the machine has no address yet');
      });
      const askRest = async () => {
        const asked = await ask();
        const { osImage, systemUuid } = { ...facts, ...asked };
        learn({ ...atOnce(), osImage, systemUuid }, onChange);
        if (asked.osImage === undefined || asked.systemUuid === undefined)
          throw new Error('the machine did not answer everything');
      };
      void pause(PODS_FIRST_MS, signal).then(() => every(REST, signal, askRest));
    },
  };
}
