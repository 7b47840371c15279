// A process that signs a token, says it, and changes the signing key; and is killed at the step of it that it is told,
// counted in halves of what it renames: before it, and after it.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [, , directory = '', at = ''] = process.argv;
let step = 0;
const dieHere = () => {
  if (step++ === Number(at)) process.kill(process.pid, 'SIGKILL');
};
const { renameSync } = fs;
fs.renameSync = (from, to) => {
  dieHere();
  renameSync(from, to);
  dieHere();
};
syncBuiltinESMExports();
const { signToken } = await import('../../src/authentication/json-web-token.ts');
const { addTokenKey, openTokenKeys } = await import('../../src/identity/token-keys.ts');
fs.writeSync(1, signToken(openTokenKeys(directory).all()[0], { sub: 'me' }));
addTokenKey(directory, '2030-01-02T03:04:05Z');
