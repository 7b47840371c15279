// One version for everything that is built from this repository.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { VERSION } from '../src/version.ts';

it.each(['', 'agent/', 'bench/', 'cli/', 'e2e/', 'plane/', 'proto/', 'scheduler-core/'])(
  '%spackage.json',
  (folder) => {
    const path = new URL(`../../${folder}package.json`, import.meta.url);
    expect(JSON.parse(readFileSync(path, 'utf8')).version).toBe(VERSION);
  },
);
