/** Load on a fleet whose history is checked while it goes on. */
import { setTimeout as delay } from 'node:timers/promises'
import { SeededRandom } from '../soak/seeded-random.ts'
import type { Fleet, Member } from './fleet.ts'
import type { Request } from './kms-model.ts'
import { check, type Operation, smallest } from './linearizability.ts'
import { Partition } from './workload.ts'

export interface Checked {
  /** The smallest part that was found of each history that is not linearizable, one line an operation. */
  readonly violations: string[]
  partitions: number
  requests: number
  /** Of which the outcome is unknown, and why. */
  readonly lost: string[]
}

export interface Load {
  /** Partitions at the same time. */
  readonly lanes: number
  /** Of each partition. */
  readonly clients: number
  readonly requestsPerClient: number
  /** Gateways that get requests. Default: all, also those that do not run. */
  readonly members?: () => readonly Member[]
}

/** Of all loads: their aliases stay. */
let lanesOfAll = 0

/** Resolves once `until` has, and the requests in flight have ended. */
export async function checkedLoad(
  fleet: Fleet,
  random: SeededRandom,
  until: Promise<unknown>,
  { lanes, clients, requestsPerClient, members = () => fleet.members }: Load,
): Promise<Checked> {
  const checked: Checked = { violations: [], partitions: 0, requests: 0, lost: [] }
  let isOver = false
  const over = until.then(() => {
    isOver = true
  })
  const lane = async () => {
    const number = lanesOfAll++
    const own = new SeededRandom(Math.floor(random.fraction() * 2 ** 32))
    for (let count = 0; !isOver; count++) {
      const partition = new Partition(`${number}-${count}`, fleet.clients, own, () => own.of(members()).url)
      await Promise.race([over, partition.create()])
      if (isOver) return
      await Promise.all(Array.from({ length: clients }, () => partition.send(requestsPerClient)))
      conclude(partition, checked)
      await delay(1)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return checked
}

function conclude({ model, history, lost }: Partition, checked: Checked): void {
  checked.partitions++
  checked.requests += history.length
  checked.lost.push(...lost)
  if (check(model, history).linearizable) return
  checked.violations.push(smallest(model, history).map(line).join('\n'))
}

function line({ input: { name, ...input }, output = '?', called, returned }: Operation<Request>): string {
  const times = `${called.toFixed(1)}-${Number.isFinite(returned) ? returned.toFixed(1) : ''}`
  return `${times} ${name} ${Object.values(input).join(' ')}: ${output}`
}
