// Finalizers and owners of an object: what may be written.
import { describe, expect, it } from 'vitest';
import { validateDeletion } from '../../src/validation/deletion.ts';

const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: '1' };
const told = (...given: Parameters<typeof validateDeletion>) =>
  validateDeletion(...given).map(({ field, message }) => `${field}: ${message}`);

describe('finalizers', () => {
  it.each([['example.com/a'], ['orphan'], ['foregroundDeletion'], ['kubernetes']])('%s may be set', (one) => {
    expect(told({ finalizers: [one] }, undefined)).toEqual([]);
  });

  it.each([
    ['!!', /^metadata.finalizers: Invalid value: "!!": name part must consist/],
    ['', /name part must be non-empty/],
    ['unqualified', /name is neither a standard finalizer name nor is it fully qualified/],
  ])('%j may not', (one, why) => {
    expect(told({ finalizers: [one] }, undefined)).toEqual([expect.stringMatching(why)]);
    expect(told({ finalizers: [one] }, { finalizers: [one] })).toEqual([]);
  });

  it('of two cascades are one too many', () => {
    expect(told({ finalizers: ['orphan', 'foregroundDeletion'] }, undefined)).toHaveLength(1);
  });

  it('are not added to what is being deleted, only taken off', () => {
    const old = { finalizers: ['a.b/c', 'a.b/d'], deletionTimestamp: '2026-01-01T00:00:00Z' };
    expect(told({ finalizers: ['a.b/c', 'a.b/e'] }, old)).toEqual([
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ["a.b/e"]',
    ]);
    expect(told({ finalizers: ['a.b/d'] }, old)).toEqual([]);
  });
});

describe('owners', () => {
  it('are named in full', () => {
    expect(told({ ownerReferences: [owner] }, undefined)).toEqual([]);
    const empty = { apiVersion: '', kind: '', name: '', uid: '' };
    expect(told({ ownerReferences: [empty] }, undefined)).toEqual([
      'metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty',
      'metadata.ownerReferences.kind: Invalid value: "": must not be empty',
      'metadata.ownerReferences.name: Invalid value: "": must not be empty',
      'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
    ]);
    expect(told({ ownerReferences: [empty] }, { ownerReferences: [empty] })).toEqual([]);
  });

  it('are no events, and one of them is the controller', () => {
    expect(told({ ownerReferences: [{ ...owner, kind: 'Event' }] }, undefined)[0]).toContain('disallowed');
    const two = ['a', 'b'].map((name) => ({ ...owner, name, controller: true }));
    expect(told({ ownerReferences: two }, undefined)[0]).toContain('references for a and b');
    expect(told({ ownerReferences: [two[0] ?? owner, owner] }, undefined)).toEqual([]);
  });
});
