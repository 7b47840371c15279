// The process that asks systeminformation, and prints what it says as JSON. The only file that imports it.
import { osInfo, uuid } from 'systeminformation';
import type { AskedFacts } from './machine-facts.ts';

const QUESTION_TIMEOUT_MS = 5000;

/** Undefined when no answer comes: the other questions may have one. */
const inTime = <T>(answer: Promise<T>): Promise<T | undefined> =>
  Promise.race([
    answer.catch(() => undefined),
    new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), QUESTION_TIMEOUT_MS)),
  ]);

const [os, ids] = await Promise.all([inTime(osInfo()), inTime(uuid())]);
const facts: AskedFacts = {
  ...(os ? { osImage: imageOf(os) } : {}),
  ...(ids ? { systemUuid: ids.hardware || ids.os } : {}),
};
// What still hangs does not keep it.
process.stdout.write(JSON.stringify(facts), () => process.exit());

function imageOf({ distro, release, codename }: Awaited<ReturnType<typeof osInfo>>): string {
  return [distro, release, codename ? `(${codename})` : ''].filter((part) => part !== '').join(' ');
}
