// Runs the scenarios of the MCP conformance suite that are about authorization, in both versions of the suite, and prints a table.
//
//   node scenarios.mjs CLIENT [TEXT]
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { promisify } from 'node:util';

const { APP, RESULTS } = process.env;
const [client, text = ''] = process.argv.slice(2);
// The clients of a few scenarios wait for a login that never ends.
const CONCURRENCY = 4;
const VERSION = '2026-07-28';

// The suite's `--suite` ignores the exit status of clients, so each scenario has its own process.
const RUNS = [
  { suite: '0.1', label: '0.1.16', scenarios: 22 },
  { suite: '0.2', label: '0.2.0-alpha.12', scenarios: 33 },
  // Without this option, scenarios of earlier versions of MCP run with 2025-11-25.
  { suite: '0.2', label: `0.2.0-alpha.12, MCP ${VERSION}`, scenarios: 14, only: VERSION, options: ['--spec-version', VERSION] },
];

const program = (suite) => path.join(APP, 'node_modules', `conformance-${suite}`, 'dist', 'index.js');
const run = promisify(execFile);

async function list({ suite, scenarios, only }) {
  const { stdout } = await run(process.execPath, [program(suite), 'list', '--client']);
  const found = [...stdout.matchAll(/^ *- (auth\/\S+) \[(.*)\]/gm)]
    .filter(([, , versions]) => !only || (versions.includes(only) && versions !== only))
    .map(([, name]) => name);
  if (found.length !== scenarios) throw new Error(`suite ${suite} has ${found.length} scenarios, not ${scenarios}: update scenarios.mjs`);
  return found;
}

async function play({ suite, label, options = [] }, scenario) {
  const folder = path.join(RESULTS, label.replaceAll(/[^\w.-]+/g, '-'));
  const began = Date.now();
  let passed = true;
  let output = '';
  try {
    const args = [program(suite), 'client', '--command', client, '--scenario', scenario, '-o', folder, ...options];
    ({ stdout: output } = await run(process.execPath, args, { timeout: 60_000, maxBuffer: 1 << 26 }));
  } catch (error) {
    passed = false;
    output = `${error.stdout ?? ''}\n${error.stderr ?? ''}\n${error.message}`;
  }
  return { label, scenario, passed, seconds: (Date.now() - began) / 1000, ...checks(folder, scenario), output };
}

// The newest result of a scenario: how many checks passed, and why others did not.
function checks(folder, scenario) {
  const parent = path.join(folder, path.dirname(scenario));
  const name = `${path.basename(scenario)}-2`;
  const results = fs.existsSync(parent) ? fs.readdirSync(parent).filter((entry) => entry.startsWith(name)).sort() : [];
  try {
    const all = JSON.parse(fs.readFileSync(path.join(parent, results.at(-1), 'checks.json'), 'utf8'));
    const successes = all.filter(({ status }) => status === 'SUCCESS').length;
    const failures = all.filter(({ status }) => status === 'FAILURE' || status === 'WARNING');
    const stderr = fs.readFileSync(path.join(parent, results.at(-1), 'stderr.txt'), 'utf8');
    return { successes, reasons: failures.map((check) => `${check.status} ${check.id}: ${check.errorMessage ?? check.description}`), stderr };
  } catch {
    return { successes: 0, reasons: ['no result was written'], stderr: '' };
  }
}

fs.rmSync(RESULTS, { recursive: true, force: true });
const queue = [];
for (const suite of RUNS) {
  for (const scenario of await list(suite)) if (scenario.includes(text)) queue.push({ suite, scenario });
}
if (queue.length === 0) throw new Error(`no scenario contains '${text}'`);
const results = [];
const work = async () => {
  for (let next = queue.shift(); next; next = queue.shift()) results.push(await play(next.suite, next.scenario));
};
await Promise.all(Array.from({ length: CONCURRENCY }, work));

const order = ({ label }) => RUNS.findIndex((suite) => suite.label === label);
results.sort((a, b) => order(a) - order(b) || a.scenario.localeCompare(b.scenario));
const width = (name) => Math.max(...results.map((result) => result[name].length));
for (const { label, scenario, passed, successes, reasons, seconds, stderr, output } of results) {
  const columns = [label.padEnd(width('label')), scenario.padEnd(width('scenario')), passed ? 'passed' : 'FAILED',
    `${String(successes).padStart(3)} checks`, `${seconds.toFixed(1).padStart(5)} s`];
  console.log(columns.join('  '));
  if (passed) continue;
  for (const reason of reasons) console.log(`    ${reason}`);
  for (const line of (stderr || (reasons.length ? '' : output)).trim().split('\n')) if (line) console.log(`    client: ${line}`);
}
const failed = results.filter(({ passed }) => !passed).length;
console.log(`${results.length} scenarios, ${failed} failed; the details are in ${path.resolve(RESULTS)}`);
process.exitCode = failed === 0 ? 0 : 1;
