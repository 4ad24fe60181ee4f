// Steps of one client run: each prints a line, and the first that fails ends the run.
import assert from 'node:assert/strict';

export const base = process.env.SLUSE_BASE;
export const token = process.env.SLUSE_TOKEN;
export const prefix = process.env.SLUSE_PREFIX; // of ids that the party may choose

export async function step(name, run) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`failed ${name}: ${error?.stack ?? error}`);
    const answer = error?.response?.data ?? error?.outcome;
    if (answer) console.log(JSON.stringify(answer));
    process.exit(1);
  }
}

// refused runs what has to fail, and gives the error.
export async function refused(run) {
  try {
    await run();
  } catch (error) {
    return error;
  }
  return assert.fail('it was not refused');
}

export const person = (family) => ({
  resourceType: 'Patient',
  name: [{ family, given: ['Åse', 'Ærlig'] }],
  birthDate: '1990-02',
  identifier: [{ system: 'urn:sluse:journal', value: family }],
});

export const task = (patient, n) => ({
  resourceType: 'Task',
  status: 'requested',
  intent: 'order',
  identifier: [{ system: 'urn:sluse:oppgave', value: `${n}` }],
  description: `Oppgave ${n}`,
  for: { reference: patient },
  authoredOn: `2026-03-${`${n}`.padStart(2, '0')}`,
});

export const weight = (patient, value) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'Vekt' },
  subject: { reference: patient },
  valueQuantity: { value, unit: 'kg', system: 'http://unitsofmeasure.org', code: 'kg' },
});

export function bundleOf(type, ...entries) {
  return { resourceType: 'Bundle', type, entry: entries };
}
