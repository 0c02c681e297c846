import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { appendTimes } from './append.ts'
import { encryptScript } from './encrypt.ts'
import { type Figure, median } from './figure.ts'
import { DataFolder } from './gateway.ts'
import { load } from './load.ts'

/**
 * Encrypt with the audit journal on disk against the same gateway with a journal on /dev/null, in turns: the rate; and on one connection, what
 * the disk adds to the tail of the latency, in durable appends at their tail.
 */
export async function encryptAgainstNullJournal(): Promise<Figure[]> {
  const servers = [await startGateway(false), await startGateway(true)]
  // Until the machine code of both has settled.
  for (const { url, script } of servers) await load(url, script, 15)
  const rates: number[][] = [[], []]
  const tails: number[][] = [[], []]
  const appends: number[] = []
  for (let round = 0; round < 7; round++) {
    for (const [index, { url, script }] of servers.entries()) {
      rates[index]!.push((await load(url, script, 3)).requestsPerSecond)
      tails[index]!.push((await load(url, script, 2, 1)).p99)
    }
    appends.push(percentile99(appendTimes(join(servers[0]!.folder.path, 'appended'), 1000)))
  }
  for (const { gateway, folder } of servers) {
    await gateway.stop()
    folder.remove()
  }
  const [disk, nowhere] = rates.map(median) as [number, number]
  const [tail, tailNowhere] = tails.map(median) as [number, number]
  const append = median(appends)
  return [
    {
      name: 'Encrypt / with the audit journal on /dev/null',
      value: disk / nowhere,
      unit: '',
      reach: { atLeast: 0.85 },
      details: `${Math.round(disk)}/s against ${Math.round(nowhere)}/s`,
    },
    {
      name: 'p99 that the audit journal adds / durable append',
      value: (tail - tailNowhere) / append,
      unit: '',
      reach: { atMost: 2 },
      details: `${tail.toFixed(2)} ms against ${tailNowhere.toFixed(2)} ms, an append ${append.toFixed(2)} ms`,
    },
  ]
}

function percentile99(times: readonly number[]): number {
  return [...times].sort((one, other) => one - other)[Math.floor(times.length * 0.99)]!
}

async function startGateway(onNull: boolean) {
  const folder = new DataFolder()
  const config = join(folder.path, 'strongroom.yaml')
  // A full segment would be renamed, with what is not in it.
  writeFileSync(
    config,
    readFileSync(config, 'utf8').replace(/^ {2}file: audit.jsonl$/m, '$&\n  segment: { maxSize: 64GiB }'),
  )
  const preload = {
    NODE_OPTIONS: `--import=${join(import.meta.dirname, 'null-journal-preload.ts')}`,
    NULL_JOURNAL: join(folder.path, 'audit.jsonl'),
  }
  const gateway = await folder.serve(onNull ? preload : {})
  return { folder, gateway, url: gateway.url, script: await encryptScript(folder, gateway) }
}
