// A node whose plane gives its pods no tokens.
import type { PodTokens } from '../src/node/pod-tokens.ts';

export const NO_TOKENS: PodTokens = {
  of: () => () => 'none',
  stateOf: () => 'none',
  settled: async () => {},
  sync: () => {},
  connectedAnew: () => {},
  issued: () => {},
  stop: async () => {},
};
