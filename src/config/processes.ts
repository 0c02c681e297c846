/** The configuration of each of several gateway processes of a machine. */
import { availableParallelism } from 'node:os'
import { join, parse } from 'node:path'
import type { Config, HsmConfig } from '../config.ts'

/** Longest name of a gateway. */
const longestName = 63

/** How many gateway processes serve: `auto` is the cores that the process may use, by its affinity and the quota of its cgroup. */
export function processCount({ processes }: Pick<Config, 'processes'>): number {
  return processes === 'auto' ? availableParallelism() : processes
}

/** The configurations of all processes, including the one that runs in addition during a roll. */
export function configsOfProcesses(config: Config): readonly Config[] {
  const count = processCount(config)
  if (count === 1) return [config]
  return Array.from({ length: count + 1 }, (_, index) => configOfProcess(config, index + 1))
}

/**
 * The first process has the name and the files of the configuration, the second those with `-2`, and so on. What the configuration limits
 * for the machine is divided.
 *
 * @param number of the process, from 1
 */
export function configOfProcess(config: Config, number: number): Config {
  const count = processCount(config)
  if (count === 1) return config
  const share = (limit: number) => Math.max(1, Math.floor(limit / count))
  const own = (file: string) => fileOfProcess(file, number)
  const { listen, xks, audit, hsms } = config
  return {
    ...config,
    processes: count,
    otherJournals: otherNumbers(count, number).map(other => fileOfProcess(audit.file, other)),
    gateway: nameOfProcess(config.gateway, number),
    listen: { ...listen, ...shareOf(listen, share) },
    xks: xks && { ...xks, listen: { ...xks.listen, ...shareOf({ ...xks.listen, maxBodySize: 1 }, share) } },
    audit: {
      ...audit,
      file: own(audit.file),
      sinks: mapValues(audit.sinks, sink => (sink.type === 'file' ? { ...sink, file: own(sink.file) } : sink)),
    },
    hsms: mapValues(hsms, hsm => hsmOfProcess(hsm, share)),
  }
}

function shareOf(
  {
    maxBodySize,
    maxBodyMemory,
    maxConnections,
  }: Pick<Config['listen'], 'maxBodySize' | 'maxBodyMemory' | 'maxConnections'>,
  share: (limit: number) => number,
) {
  return { maxBodyMemory: Math.max(maxBodySize, share(maxBodyMemory)), maxConnections: share(maxConnections) }
}

/** One worker: the other processes serve while it is replaced. */
function hsmOfProcess(hsm: HsmConfig, share: (limit: number) => number): HsmConfig {
  return { ...hsm, workers: hsm.workers === 'auto' ? 1 : hsm.workers, maxQueuedCalls: share(hsm.maxQueuedCalls) }
}

/** Including the process that runs in addition during a roll. */
function otherNumbers(count: number, number: number): readonly number[] {
  return Array.from({ length: count + 1 }, (_, index) => index + 1).filter(other => other !== number)
}

function nameOfProcess(name: string, number: number): string {
  const suffix = suffixOf(number)
  return name.slice(0, longestName - suffix.length) + suffix
}

/** `audit.jsonl` becomes `audit-2.jsonl`. */
function fileOfProcess(file: string, number: number): string {
  const { dir, name, ext } = parse(file)
  return join(dir, `${name}${suffixOf(number)}${ext}`)
}

function suffixOf(number: number): string {
  return number === 1 ? '' : `-${number}`
}

function mapValues<T>(record: Readonly<Record<string, T>>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}
