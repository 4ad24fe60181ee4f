// @medplum/core is written against another server: what it takes for granted is FHIR, or found here.
import assert from 'node:assert/strict';
import { MedplumClient } from '@medplum/core';
import { base, bundleOf, person, prefix, refused, step, task, token, weight } from './steps.mjs';

const client = new MedplumClient({ baseUrl: `${base}/`, fhirUrlPath: 'fhir/', cacheTime: 0, autoBatchTime: 0 });
client.setAccessToken(token);
let patient, about;

await step('capability', async () => {
  const statement = await client.get(client.fhirUrl('metadata'));
  assert.equal(statement.resourceType, 'CapabilityStatement');
  assert.equal(statement.rest[0].mode, 'server');
});

await step('create', async () => {
  patient = await client.createResource(person('Med'));
  about = `Patient/${patient.id}`;
  assert.ok(patient.meta.lastUpdated);
});

await step('conditional create', async () => {
  const same = await client.createResourceIfNoneExist(person('Med'), 'identifier=urn:sluse:journal|Med');
  assert.equal(same.id, patient.id);
});

await step('upsert', async () => {
  const body = { ...person('Med'), gender: 'male' };
  const upserted = await client.upsertResource(body, 'identifier=urn:sluse:journal|Med');
  assert.equal(upserted.id, patient.id);
  assert.equal(upserted.gender, 'male');
});

await step('create with a chosen id', async () => {
  const id = `${prefix}med-oppgave`;
  assert.equal((await client.updateResource({ ...task(about, 9), id })).id, id);
});

await step('read', async () => {
  const read = await client.readResource('Patient', patient.id, { cache: 'reload' });
  assert.deepEqual(read.name, person('Med').name);
});

await step('update', async () => {
  const updated = await client.updateResource({ ...person('Med'), id: patient.id, gender: 'female' });
  assert.equal(updated.gender, 'female');
});

await step('patch', async () => {
  const patched = await client.patchResource('Patient', patient.id, [{ op: 'add', path: '/active', value: true }]);
  assert.equal(patched.active, true);
  assert.equal(patched.gender, 'female');
});

await step('vread', async () => {
  const first = await client.readVersion('Patient', patient.id, patient.meta.versionId);
  assert.equal(first.gender, undefined);
});

await step('history', async () => {
  const history = await client.readHistory('Patient', patient.id);
  assert.equal(history.type, 'history');
  assert.equal(history.entry.length, 4);
});

// The client takes every entry for a find, also the OperationOutcome that a searchset of records
// carries (search.mode = outcome).
const finds = (list) => list.filter((r) => r.resourceType !== 'OperationOutcome');

await step('search', async () => {
  for (let n = 1; n <= 5; n++) await client.createResource(task(about, n));
  const list = finds(await client.searchResources('Task', { patient: about, status: 'requested' }));
  assert.equal(list.length, 6);
  const one = await client.searchOne('Task', { identifier: 'urn:sluse:oppgave|3', patient: about });
  assert.equal(one.description, 'Oppgave 3');
});

await step('search with paging', async () => {
  const seen = [];
  for await (const page of client.searchResourcePages('Task', { patient: about, _count: '2' })) seen.push(...finds(page).map((r) => r.id));
  assert.equal(new Set(seen).size, 6);
  assert.equal(seen.length, 6);
});

await step('batch', async () => {
  const answer = await client.executeBatch(bundleOf('batch',
    { request: { method: 'GET', url: about } },
    { request: { method: 'GET', url: 'Patient/finnes-ikke' } },
    { resource: weight(about, 72.5), request: { method: 'POST', url: 'Observation' } }));
  assert.deepEqual(answer.entry.map((e) => e.response.status.slice(0, 3)), ['200', '404', '201']);
});

await step('transaction', async () => {
  const answer = await client.executeBatch(bundleOf('transaction',
    { fullUrl: 'urn:uuid:6f5d2f4e-4b0c-4c39-9a4b-7a5b6a3f9f02', resource: person('Felles'), request: { method: 'POST', url: 'Patient' } },
    { resource: task('urn:uuid:6f5d2f4e-4b0c-4c39-9a4b-7a5b6a3f9f02', 8), request: { method: 'POST', url: 'Task' } }));
  assert.equal(answer.type, 'transaction-response');
  assert.ok(answer.entry.every((e) => e.response.status.startsWith('201')));
});

await step('operations', async () => {
  const checked = await client.validateResource({ ...person('Med'), gender: 'kvinne' });
  assert.ok(checked.issue.some((i) => i.severity === 'error' && i.expression[0] === 'Patient.gender'));
  const all = await client.readPatientEverything(patient.id);
  assert.ok(all.entry.some((e) => e.resource.resourceType === 'Task'));
});

await step('errors', async () => {
  const missing = await refused(() => client.readResource('Patient', 'finnes-ikke'));
  assert.equal(missing.outcome.resourceType, 'OperationOutcome');
  assert.equal(missing.outcome.issue[0].code, 'not-found');
  const invalid = await refused(() => client.createResource({ ...person('Feil'), gender: 'kvinne' }));
  assert.deepEqual(invalid.outcome.issue[0].expression, ['Patient.gender']);
  const unknown = await refused(() => client.search('Patient', { hemmelig: '1' }));
  assert.deepEqual(unknown.outcome.issue[0].expression, ['http.hemmelig']);
});

await step('delete', async () => {
  await client.deleteResource('Task', `${prefix}med-oppgave`);
  const gone = await refused(() => client.readResource('Task', `${prefix}med-oppgave`, { cache: 'reload' }));
  assert.equal(gone.outcome.resourceType, 'OperationOutcome');
});
