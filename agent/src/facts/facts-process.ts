// The process that asks systeminformation, and prints each answer as a line of JSON when it has it: the next question
// may hang (dead DNS, a network filesystem that is gone). The only file that imports it.
import { osInfo, uuid } from 'systeminformation';
import type { AskedFacts } from './machine-facts.ts';

const tell = (facts: AskedFacts) => process.stdout.write(`${JSON.stringify(facts)}\n`);

// One after the other: what asks for the system blocks this process meanwhile.
const { hardware, os } = await uuid();
tell({ systemUuid: hardware || os });
const { distro, release, codename } = await osInfo();
tell({ osImage: [distro, release, codename && `(${codename})`].filter((part) => part !== '').join(' ') });
