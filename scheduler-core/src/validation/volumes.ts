// Volumes of a pod template: a name, one source, and what a hostPath may be.
import type { Volume } from '../schema/volume.ts';
import {
  checked,
  duplicate,
  type FieldError,
  forbidden,
  invalid,
  notSupported,
  required,
} from './field-error.ts';
import { dnsLabelProblem } from './names.ts';

export const HOST_PATH_TYPES = [
  '',
  'DirectoryOrCreate',
  'Directory',
  'FileOrCreate',
  'File',
  'Socket',
  'CharDevice',
  'BlockDevice',
] as const;

export function validateVolumes(field: string, volumes: readonly Volume[]): FieldError[] {
  const names = volumes.map(({ name }) => name);
  return volumes.flatMap((volume, index) => {
    const at = `${field}[${index}]`;
    const [source, ...more] = Object.keys(volume).filter((key) => key !== 'name');
    return [
      ...(volume.name ? checked(`${at}.name`, volume.name, dnsLabelProblem) : [required(`${at}.name`)]),
      ...(names.indexOf(volume.name) < index ? [duplicate(`${at}.name`, volume.name)] : []),
      ...(source === undefined ? [required(at, 'must specify a volume type')] : []),
      ...more.map((extra) => forbidden(`${at}.${extra}`, 'may not specify more than 1 volume type')),
      ...validateHostPath(`${at}.hostPath`, volume.hostPath),
    ];
  });
}

function validateHostPath(at: string, hostPath: Volume['hostPath']): FieldError[] {
  if (!hostPath) return [];
  const { path, type = '' } = hostPath;
  return [
    ...(path ? [] : [required(`${at}.path`)]),
    ...(path?.split('/').includes('..') ? [invalid(`${at}.path`, path, "must not contain '..'")] : []),
    ...((HOST_PATH_TYPES as readonly string[]).includes(type)
      ? []
      : [notSupported(`${at}.type`, type, HOST_PATH_TYPES)]),
  ];
}
