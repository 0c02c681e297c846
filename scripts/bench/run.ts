/** Prints the table of the benchmark; `--json FILE` also writes it. Other arguments choose figures by the name of their file. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { bytesPerEncrypt } from './allocations.ts'
import { encryptAgainstNullJournal } from './auditing.ts'
import { decodeWorstBodies } from './bodies.ts'
import { countEncryptions } from './counting.ts'
import { decisions } from './decisions.ts'
import { encryptAgainstEcho } from './encrypt.ts'
import { type Figure, isReached } from './figure.ts'
import { fleetFigures } from './fleet.ts'
import { encryptDuringGeneration } from './generation.ts'
import { decideAmongGrants } from './grants.ts'
import { applyIdentities } from './identities.ts'
import { callsBehindLatency } from './latency.ts'
import { decryptOverMaterials } from './materials.ts'
import { memoryAfterAMillion } from './memory.ts'
import { encryptWithProcesses } from './processes.ts'
import { rotateManyKeys } from './rotation.ts'
import { encryptAtScale } from './scale.ts'
import { encryptInASession } from './sessions.ts'
import { signAgainstToken } from './sign.ts'
import { simulatedLines } from './simulate.ts'
import { createSpareRsaKey } from './spares.ts'
import { startToReady } from './start.ts'
import { encryptOnOneConnection } from './unloaded.ts'
import { verifyAMillion } from './verify.ts'
import { encryptForXks } from './xks.ts'

const benchmarks: Readonly<Record<string, () => Promise<Figure | Figure[]>>> = {
  start: startToReady,
  encrypt: encryptAgainstEcho,
  auditing: encryptAgainstNullJournal,
  counting: countEncryptions,
  unloaded: encryptOnOneConnection,
  allocations: bytesPerEncrypt,
  sessions: encryptInASession,
  identities: applyIdentities,
  materials: decryptOverMaterials,
  sign: signAgainstToken,
  generation: encryptDuringGeneration,
  rotation: rotateManyKeys,
  spares: createSpareRsaKey,
  processes: encryptWithProcesses,
  latency: callsBehindLatency,
  scale: encryptAtScale,
  fleet: fleetFigures,
  grants: decideAmongGrants,
  decisions,
  simulate: simulatedLines,
  bodies: decodeWorstBodies,
  verify: verifyAMillion,
  xks: encryptForXks,
  memory: memoryAfterAMillion,
}

const { values, positionals } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true })
const unknown = positionals.find(name => !(name in benchmarks))
if (unknown !== undefined) {
  console.error(`bench: no figure ${unknown}; there are ${Object.keys(benchmarks).join(', ')}`)
  process.exit(2)
}
if (spawnSync('wrk', ['--version']).error) {
  console.error('bench: the load generator wrk is missing: apt-get install wrk')
  process.exit(1)
}

const figures: Figure[] = []
for (const name of positionals.length > 0 ? positionals : Object.keys(benchmarks)) {
  for (const figure of [await benchmarks[name]!()].flat()) {
    figures.push(figure)
    console.log(line(figure))
  }
}
if (values.json !== undefined) {
  const rows = figures.map(figure => ({
    name: figure.name,
    value: figure.value,
    reach: reachOf(figure),
    ok: isReached(figure),
  }))
  writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`)
}
if (!figures.every(isReached)) process.exitCode = 1

function line(figure: Figure): string {
  const value = `${figure.value.toFixed(2)}${figure.unit && ` ${figure.unit}`}`
  const verdict = isReached(figure) ? 'ok' : 'MISSED'
  return [
    figure.name.padEnd(50),
    value.padStart(12),
    reachOf(figure).padStart(10),
    verdict.padEnd(7),
    figure.details ?? '',
  ]
    .join('  ')
    .trimEnd()
}

function reachOf({ reach }: Figure): string {
  return 'atLeast' in reach ? `>= ${reach.atLeast}` : `<= ${reach.atMost}`
}
