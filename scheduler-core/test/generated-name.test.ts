// Names of pods and of what is created with generateName.
import { expect, it } from 'vitest';
import { generatedName } from '../src/generated-name.ts';

it.each<[string, string, string]>([
  ['a short beginning is kept', 'web-', 'web-bbbbb'],
  ['a long one is cut: the name may be a label', `${'a'.repeat(253)}-`, `${'a'.repeat(58)}bbbbb`],
])('%s', (_what, base, name) => {
  expect(generatedName(base, () => 0)).toBe(name);
});
