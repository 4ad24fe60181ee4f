// fhir-kit-client does what a vendor's integration does, and reads every answer with its own code.
import assert from 'node:assert/strict';
import { Client } from 'fhir-kit-client';
import { base, bundleOf, person, prefix, refused, step, task, token, weight } from './steps.mjs';

const client = new Client({ baseUrl: `${base}/fhir`, bearerToken: token });
let patient, about;

await step('capability', async () => {
  const statement = await client.capabilityStatement();
  assert.equal(statement.fhirVersion, '4.0.1');
  const types = statement.rest[0].resource.map((r) => r.type);
  for (const type of ['Patient', 'CarePlan', 'Task', 'Observation', 'Consent']) assert.ok(types.includes(type), type);
  const system = statement.rest[0].interaction.map((i) => i.code);
  assert.ok(system.includes('batch') && system.includes('transaction'));
});

await step('create', async () => {
  patient = await client.create({ resourceType: 'Patient', body: person('Kit') });
  assert.ok(patient.id && patient.meta.versionId);
  about = `Patient/${patient.id}`;
});

await step('create with a chosen id', async () => {
  const id = `${prefix}kit-oppgave`;
  const made = await client.update({ resourceType: 'Task', id, body: { ...task(about, 9), id } });
  assert.equal(made.id, id);
});

await step('conditional create', async () => {
  const options = { headers: { 'If-None-Exist': 'identifier=urn:sluse:journal|Kit' } };
  const same = await client.create({ resourceType: 'Patient', body: person('Kit'), options });
  assert.ok(!same.id || same.id === patient.id);
  const found = await client.search({ resourceType: 'Patient', searchParams: { identifier: 'urn:sluse:journal|Kit' } });
  assert.equal(found.entry.filter((e) => e.search.mode === 'match').length, 1);
});

await step('read', async () => {
  const read = await client.read({ resourceType: 'Patient', id: patient.id });
  assert.deepEqual(read.name, person('Kit').name);
  assert.equal(read.birthDate, '1990-02');
});

await step('update', async () => {
  const body = { ...(await client.read({ resourceType: 'Patient', id: patient.id })), gender: 'female' };
  const updated = await client.update({ resourceType: 'Patient', id: patient.id, body });
  assert.equal(updated.gender, 'female');
  assert.notEqual(updated.meta.versionId, patient.meta.versionId);
});

await step('update of an old version', async () => {
  const options = { headers: { 'If-Match': `W/"${patient.meta.versionId}"` } };
  const body = { ...person('Kit'), id: patient.id };
  const error = await refused(() => client.update({ resourceType: 'Patient', id: patient.id, body, options }));
  assert.equal(error.response.status, 412);
  assert.equal(error.response.data.resourceType, 'OperationOutcome');
});

await step('patch', async () => {
  const jsonPatch = [{ op: 'replace', path: '/gender', value: 'other' }, { op: 'add', path: '/active', value: true }];
  const patched = await client.patch({ resourceType: 'Patient', id: patient.id, jsonPatch });
  assert.equal(patched.gender, 'other');
  assert.equal(patched.active, true);
});

await step('vread', async () => {
  const first = await client.vread({ resourceType: 'Patient', id: patient.id, version: patient.meta.versionId });
  assert.equal(first.gender, undefined);
});

await step('history', async () => {
  const history = await client.history({ resourceType: 'Patient', id: patient.id });
  assert.equal(history.type, 'history');
  assert.equal(history.entry.length, 3);
  assert.equal((await client.history({ resourceType: 'Patient' })).type, 'history');
  assert.equal((await client.history()).type, 'history');
});

await step('search with paging', async () => {
  for (let n = 1; n <= 7; n++) await client.create({ resourceType: 'Task', body: task(about, n) });
  const seen = [];
  let page = await client.search({ resourceType: 'Task', searchParams: { patient: about, _count: 3 } });
  for (let pages = 0; page && pages < 10; pages++) {
    seen.push(...page.entry.filter((e) => e.search.mode === 'match').map((e) => e.resource.id));
    page = await client.nextPage({ bundle: page });
  }
  assert.equal(seen.length, 8);
  assert.equal(new Set(seen).size, 8);
});

await step('search by POST', async () => {
  const found = await client.search({ resourceType: 'Task', searchParams: { patient: about, status: 'requested' }, options: { postSearch: true } });
  assert.equal(found.type, 'searchset');
  assert.ok(found.entry.length > 0);
});

await step('search with include, sort and total', async () => {
  const found = await client.search({
    resourceType: 'Task',
    searchParams: { patient: about, _include: 'Task:patient', _sort: '-authored-on', _total: 'accurate', _count: 50 },
  });
  assert.equal(found.total, 8);
  assert.deepEqual(found.entry.filter((e) => e.search.mode === 'include').map((e) => e.resource.id), [patient.id]);
  const dates = found.entry.filter((e) => e.search.mode === 'match').map((e) => e.resource.authoredOn);
  assert.deepEqual(dates, dates.toSorted().toReversed());
});

await step('chain and compartment', async () => {
  const chained = await client.search({ resourceType: 'Task', searchParams: { 'patient.family': 'kit', _count: 50 } });
  assert.equal(chained.entry.filter((e) => e.search.mode === 'match').length, 8);
  await client.create({ resourceType: 'Observation', body: weight(about, 71.5) });
  const mine = await client.search({ resourceType: 'Observation', compartment: { resourceType: 'Patient', id: patient.id } });
  assert.equal(mine.entry.filter((e) => e.search.mode === 'match').length, 1);
});

await step('batch', async () => {
  const answer = await client.batch({ body: bundleOf('batch',
    { request: { method: 'GET', url: about } },
    { request: { method: 'GET', url: 'Patient/finnes-ikke' } },
    { request: { method: 'GET', url: `Task?patient=${about}&_count=2` } },
    { resource: weight(about, 72.5), request: { method: 'POST', url: 'Observation' } }) });
  assert.equal(answer.type, 'batch-response');
  assert.deepEqual(answer.entry.map((e) => e.response.status.slice(0, 3)), ['200', '404', '200', '201']);
  assert.equal(answer.entry[1].response.outcome.resourceType, 'OperationOutcome');
});

await step('transaction', async () => {
  const answer = await client.transaction({ body: bundleOf('transaction',
    { fullUrl: 'urn:uuid:6f5d2f4e-4b0c-4c39-9a4b-7a5b6a3f9f01', resource: person('Samlet'), request: { method: 'POST', url: 'Patient' } },
    { resource: task('urn:uuid:6f5d2f4e-4b0c-4c39-9a4b-7a5b6a3f9f01', 8), request: { method: 'POST', url: 'Task' } }) });
  assert.equal(answer.type, 'transaction-response');
  const [made, second] = answer.entry.map((e) => e.response.location.split('/_history/')[0].split('/').slice(-2).join('/'));
  const [type, id] = second.split('/');
  assert.equal((await client.read({ resourceType: type, id })).for.reference, made);
});

await step('transaction that fails leaves nothing', async () => {
  const error = await refused(() => client.transaction({ body: bundleOf('transaction',
    { resource: person('Halv'), request: { method: 'POST', url: 'Patient' } },
    { resource: { resourceType: 'Task', status: 'requested' }, request: { method: 'POST', url: 'Task' } }) }));
  assert.equal(error.response.status, 422);
  assert.match(JSON.stringify(error.response.data.issue), /Bundle\.entry\[1\]/);
  const none = await client.search({ resourceType: 'Patient', searchParams: { identifier: 'urn:sluse:journal|Halv' } });
  assert.equal((none.entry ?? []).filter((e) => e.search.mode === 'match').length, 0);
});

await step('operations', async () => {
  const checked = await client.operation({ name: 'validate', resourceType: 'Patient', input: { ...person('Kit'), gender: 'kvinne' } });
  assert.equal(checked.resourceType, 'OperationOutcome');
  assert.deepEqual(checked.issue.find((i) => i.severity === 'error').expression, ['Patient.gender']);
  const all = await client.operation({ name: 'everything', resourceType: 'Patient', id: patient.id, method: 'GET' });
  assert.equal(all.resourceType, 'Bundle');
  const kinds = new Set(all.entry.map((e) => e.resource.resourceType));
  assert.ok(kinds.has('Patient') && kinds.has('Task') && kinds.has('Observation'));
});

await step('errors', async () => {
  const of = async (run) => {
    const { response } = await refused(run);
    assert.equal(response.data.resourceType, 'OperationOutcome');
    return [response.status, response.data.issue[0]];
  };
  assert.equal((await of(() => client.read({ resourceType: 'Patient', id: 'finnes-ikke' })))[0], 404);
  const [status, issue] = await of(() => client.create({ resourceType: 'Patient', body: { ...person('Feil'), gender: 'kvinne' } }));
  assert.equal(status, 422);
  assert.deepEqual(issue.expression, ['Patient.gender']);
  assert.ok(issue.details.coding[0].code);
  const [unknown, parameter] = await of(() => client.search({ resourceType: 'Patient', searchParams: { hemmelig: '1' } }));
  assert.equal(unknown, 400);
  assert.deepEqual(parameter.expression, ['http.hemmelig']);
  const stranger = new Client({ baseUrl: `${base}/fhir`, bearerToken: 'nei' });
  assert.equal((await of(() => stranger.read({ resourceType: 'Patient', id: patient.id })))[0], 401);
});

await step('delete', async () => {
  await client.delete({ resourceType: 'Task', id: `${prefix}kit-oppgave` });
  const error = await refused(() => client.read({ resourceType: 'Task', id: `${prefix}kit-oppgave` }));
  assert.equal(error.response.status, 410);
});
