// What stands in a bundle for the yaml library where a program reads its configuration file: the library is loaded for
// that alone and let go of again, with its 160 KB of source. An agent keeps 1 MiB less for months.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';

export function parse(text: string): unknown {
  const source = readFileSync(new URL('yaml.cjs', import.meta.url), 'utf8');
  const module = { exports: {} as { parse: (text: string) => unknown } };
  const load = compileFunction(source, ['module', 'exports', 'require']);
  load(module, module.exports, createRequire(import.meta.url));
  return module.exports.parse(text);
}
