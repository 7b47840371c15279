// What the machine gives to a container when it is made: a file for its last words, and the seccomp profile it names.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import { localSeccompProfile } from '../runtime/security-settings.ts';
import type { SettingsInput } from '../runtime/settings-input.ts';
import type { ExecuteParts } from './action-parts.ts';

type Given = Pick<SettingsInput, 'terminationLog' | 'seccompProfile'>;

export async function givenToContainer(
  { terminationLogs, seccompDirectory }: ExecuteParts,
  { pod, spec, attempt }: SettingsInput,
  container: Container,
): Promise<Given> {
  const profile = localSeccompProfile(spec, container);
  return {
    ...(container.terminationMessagePath
      ? { terminationLog: await terminationLogs.make(pod.uid, container.name, attempt) }
      : {}),
    ...(profile === undefined ? {} : { seccompProfile: await readProfile(seccompDirectory, profile) }),
  };
}

async function readProfile(directory: string, name: string): Promise<string> {
  const path = join(directory, name);
  try {
    const text = await readFile(path, 'utf8');
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw new Error(`cannot load seccomp profile ${JSON.stringify(path)}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
