// The machine's time zone by its IANA name.
import { readlinkSync } from 'node:fs';

/** `wanted`: TZ of the environment. Most machines say it by a link; Intl, which knows all the ways, costs a process 8 MiB. */
export function machineTimeZone(wanted: string | undefined, file = '/etc/localtime'): string {
  const linked = wanted === undefined ? linkedZone(file) : undefined;
  return linked ?? Intl.DateTimeFormat().resolvedOptions().timeZone ?? '';
}

function linkedZone(file: string): string | undefined {
  try {
    const name = /\/zoneinfo\/(?:posix\/|right\/)?(.+)$/.exec(readlinkSync(file))?.[1];
    return name === 'Etc/UTC' ? 'UTC' : name;
  } catch (error) {
    // As the C library does.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'UTC' : undefined;
  }
}
