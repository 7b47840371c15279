// Where tests may not mount: a volume in memory is a plain directory. What is bound cannot be had.
import type { Mounts } from '../src/volumes/mounts.ts';

export const plainMounts: Mounts = {
  tmpfs: async () => {},
  bind: () => Promise.reject(new Error('nothing is bound in this test')),
  unmountOther: async () => {},
  unmountAll: async () => {},
};
