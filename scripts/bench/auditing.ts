import { join } from 'node:path'
import { appendTimes } from './append.ts'
import { encryptScript } from './encrypt.ts'
import { type Figure, median } from './figure.ts'
import { DataFolder } from './gateway.ts'
import { type LoadResult, load } from './load.ts'

/**
 * Encrypt with the audit journal on disk against the same gateway with a journal on /dev/null, in turns: rate, and what the disk adds to the
 * tail of the latency, in durable appends.
 */
export async function encryptAgainstNullJournal(): Promise<Figure[]> {
  const servers = [await startGateway(false), await startGateway(true)]
  // Until the machine code of both has settled.
  for (const { url, script } of servers) await load(url, script, 15)
  const rounds: LoadResult[][] = [[], []]
  const appends: number[] = []
  for (let round = 0; round < 9; round++) {
    for (const [index, { url, script }] of servers.entries()) rounds[index]!.push(await load(url, script, 3))
    appends.push(...appendTimes(join(servers[0]!.folder.path, 'appended'), 100))
  }
  for (const { gateway, folder } of servers) {
    await gateway.stop()
    folder.remove()
  }
  const [disk, nowhere] = rounds.map(results => median(results.map(({ requestsPerSecond }) => requestsPerSecond)))
  const tails = rounds.map(results => median(results.map(({ p99 }) => p99)))
  const append = median(appends)
  return [
    {
      name: 'Encrypt / with the audit journal on /dev/null',
      value: disk! / nowhere!,
      unit: '',
      reach: { atLeast: 0.85 },
      details: `${Math.round(disk!)}/s against ${Math.round(nowhere!)}/s`,
    },
    {
      name: 'p99 that the audit journal adds / durable append',
      value: (tails[0]! - tails[1]!) / append,
      unit: '',
      reach: { atMost: 2 },
      details: `${tails.map(tail => `${tail.toFixed(1)} ms`).join(' against ')}, an append ${append.toFixed(2)} ms`,
    },
  ]
}

async function startGateway(onNull: boolean) {
  const folder = new DataFolder()
  const preload = {
    NODE_OPTIONS: `--import=${join(import.meta.dirname, 'null-journal-preload.ts')}`,
    NULL_JOURNAL: join(folder.path, 'audit.jsonl'),
  }
  const gateway = await folder.serve(onNull ? preload : {})
  return { folder, gateway, url: gateway.url, script: await encryptScript(folder, gateway) }
}
