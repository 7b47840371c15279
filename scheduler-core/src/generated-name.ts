// Names that are made of a given beginning and five letters, as Kubernetes makes them.
import { SAFE_LETTERS } from './template-hash.ts';

const SUFFIX_LENGTH = 5;
/** With the suffix no longer than a label may be. */
const LONGEST_BASE = 58;

/** `pick`: a whole number below the given one. */
export const generatedName = (base: string, pick: (below: number) => number): string =>
  base.slice(0, LONGEST_BASE) +
  Array.from({ length: SUFFIX_LENGTH }, () => SAFE_LETTERS[pick(SAFE_LETTERS.length)]).join('');
