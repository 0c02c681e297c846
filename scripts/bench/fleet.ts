import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { openDatabase } from '../../src/assemble/backends.ts'
import { readConfig } from '../../src/config.ts'
import { Changes } from '../../src/storage/storage.ts'
import { home, type WrittenConfig } from '../../test/end-to-end/gateway.ts'
import { FaultHsm } from '../../test/fault-hsm/fault-hsm.ts'
import { Fleet, type Member } from '../../test/fleet/fleet.ts'
import { ownPostgresql } from '../../test/postgresql.ts'
import { encryptScript } from './encrypt.ts'
import { type Figure, median } from './figure.ts'
import { DataFolder } from './gateway.ts'
import { load, writeSigned } from './load.ts'
import { aRecord } from './scale.ts'

/** Several gateways on one PostgreSQL, against one. */

const gateways = 4
/** Milliseconds of a call to the simulated HSM. One session each keeps it from using the cores up. */
const latency = 2

export async function fleetFigures(): Promise<Figure[]> {
  await using server = await ownPostgresql()
  return [...(await behindLatency(server)), await postgresqlAgainstSqlite(server), ...(await startWithManyKeys(server))]
}

type Server = Awaited<ReturnType<typeof ownPostgresql>>

async function behindLatency(server: Server): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-bench-'))
  const faults = new FaultHsm(folder)
  faults.set(`delay C_Encrypt ${latency}ms`)
  writeFileSync(join(folder, 'remote.yaml'), 'name: remote\nbasedOn: softhsm2\nmode: asynchronous\n')
  const configure = ({ hsms }: WrittenConfig) => {
    const remote = { library: faults.library, profile: join(folder, 'remote.yaml'), sessionsPerWorker: 1 }
    Object.assign(hsms.softhsm!, remote)
    Object.assign(hsms.softhsm!.environment, faults.environment())
  }
  await using fleet = await Fleet.start({ server, gateways, configure })
  const targets = await Promise.all(fleet.members.map(member => target(fleet, member)))
  const figures = [await scaling(targets), ...(await costOfChanges(fleet))]
  await fleet.stop()
  return figures
}

interface Target {
  readonly url: string
  readonly script: string
}

async function target({ clients }: Fleet, { url, installation }: Member): Promise<Target> {
  const { KeyMetadata } = await clients.administrator.expect(url, 'CreateKey', {})
  const { KeyId } = KeyMetadata as { KeyId: string }
  const bodies = Array.from({ length: 200 }, (_, i) => ({ KeyId, Plaintext: Buffer.alloc(32, i).toString('base64') }))
  const script = join(installation.folder, 'encrypt.lua')
  await writeSigned(script, url, 'Encrypt', bodies, installation.credentials[home]!)
  return { url, script }
}

/** Requests a second of all of them together. */
async function rateOf(targets: readonly Target[], seconds: number): Promise<number> {
  const results = await Promise.all(targets.map(({ url, script }) => load(url, script, seconds, 8)))
  return results.reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0)
}

async function scaling(targets: readonly Target[]): Promise<Figure> {
  await rateOf(targets, 5)
  const rates: [number[], number[]] = [[], []]
  for (let round = 0; round < 3; round++) {
    rates[0].push(await rateOf(targets.slice(0, 1), 3))
    rates[1].push(await rateOf(targets, 3))
  }
  const [one, all] = rates.map(median) as [number, number]
  return {
    name: `Encrypt by ${gateways} gateways / by 1, HSM of ${latency} ms`,
    value: all / one,
    unit: '',
    reach: { atLeast: 3.2 },
    details: `${Math.round(all)}/s against ${Math.round(one)}/s`,
  }
}

/** A change is answered once every gateway shows it: what others add is the time until they do. */
async function costOfChanges(fleet: Fleet): Promise<Figure[]> {
  const { administrator } = fleet.clients
  const [first, ...others] = fleet.members
  const { KeyMetadata } = await administrator.expect(first!.url, 'CreateKey', {})
  const { KeyId } = KeyMetadata as { KeyId: string }
  const change = async (number: number) => {
    const start = performance.now()
    await administrator.expect(first!.url, 'UpdateKeyDescription', { KeyId, Description: `${number}` })
    return performance.now() - start
  }
  const times: number[] = []
  const measure = async () => {
    const taken: number[] = []
    for (let number = 0; number < 200; number++) taken.push(await change(number))
    times.push(median(taken))
  }
  await measure()
  for (const other of others) await other.stop()
  times.length = 1
  await measure()
  for (const other of others) {
    await other.start()
    await measure()
  }
  const [, alone, ...several] = times as [number, number, ...number[]]
  const all = several.at(-1)!
  const details = [alone, ...several].map((time, i) => `${i + 1}: ${time.toFixed(1)} ms`).join(', ')
  return [
    {
      name: `until a change is visible at ${gateways} gateways, beyond its commit`,
      value: all - alone,
      unit: 'ms',
      reach: { atMost: 20 },
      details,
    },
    {
      name: `a change with ${gateways} gateways / with 2`,
      value: all / several[0]!,
      unit: '',
      reach: { atMost: 2 },
      details,
    },
  ]
}

/** The database is not on the path of cryptography. */
async function postgresqlAgainstSqlite(server: Server): Promise<Figure> {
  await using fleet = await Fleet.start({ server, gateways: 1, configure: ({ hsms }) => delete hsms.softhsm!.workers })
  const folder = new DataFolder()
  const sqlite = await folder.serve()
  const targets = [
    await target(fleet, fleet.members[0]!),
    { url: sqlite.url, script: await encryptScript(folder, sqlite) },
  ]
  const rates = await inTurns(targets)
  await sqlite.stop()
  folder.remove()
  return ratio('Encrypt on PostgreSQL / on SQLite', rates, 0.97)
}

async function inTurns(targets: readonly Target[]): Promise<number[]> {
  for (const { url, script } of targets) await load(url, script, 10)
  const rates = targets.map((): number[] => [])
  for (let round = 0; round < 5; round++) {
    for (const [i, { url, script }] of targets.entries()) rates[i]!.push((await load(url, script, 3)).requestsPerSecond)
  }
  return rates.map(median)
}

function ratio(name: string, [one, other]: readonly number[], atLeast: number): Figure {
  const details = `${Math.round(one!)}/s against ${Math.round(other!)}/s`
  return { name, value: one! / other!, unit: '', reach: { atLeast }, details }
}

const manyKeys = 100_000
const megabyte = 1_000_000

async function startWithManyKeys(server: Server): Promise<Figure[]> {
  const folder = new DataFolder()
  await addKeys(folder.path)
  const onSqlite = await startsOf('SQLite', async () => {
    const gateway = await folder.serve()
    return { ...gateway, stop: () => gateway.stop() }
  })
  folder.remove()
  await using fleet = await Fleet.start({ server, gateways: 1 })
  const [member] = fleet.members
  await fleet.stop()
  await addKeys(member!.installation.folder)
  const onPostgresql = await startsOf('PostgreSQL', async () => {
    await member!.start()
    return { url: member!.url, pid: member!.gateway.pid, stop: () => member!.stop() }
  })
  return [...onSqlite, ...onPostgresql]
}

async function startsOf(
  engine: string,
  start: () => Promise<{ readonly url: string; readonly pid: number; stop(): Promise<void> }>,
): Promise<Figure[]> {
  const [times, sizes]: [number[], number[]] = [[], []]
  for (let round = 0; round < 3; round++) {
    const begun = performance.now()
    const { url, pid, stop } = await start()
    const { status } = await fetch(`${url}/readyz`)
    if (status !== 200) throw new Error('the gateway is not ready')
    times.push((performance.now() - begun) / 1000)
    sizes.push(peakMemory(pid) / megabyte)
    await stop()
  }
  const name = `start to ready with ${manyKeys.toLocaleString('en')} keys, ${engine}`
  return [
    { name, value: median(times), unit: 's', reach: { atMost: 5 } },
    { name: `memory for that, ${engine}`, value: Math.max(...sizes), unit: 'MB', reach: { atMost: 400 } },
  ]
}

/** Records of keys on an HSM that is not connected: those of a connected one are looked for there. */
async function addKeys(folder: string): Promise<void> {
  await using opened = new AsyncDisposableStack()
  const storage = await openDatabase(readConfig(join(folder, 'strongroom.yaml')), opened)
  for (let done = 0; done < manyKeys; done += 1000) {
    const changes = new Changes()
    for (let i = 0; i < 1000; i++) changes.put('keys', aRecord())
    await storage.commit(changes)
  }
}

/** Bytes: the most that a process has had in memory. */
function peakMemory(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024
}
