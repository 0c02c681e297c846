/** Random faults of a fleet, one after another: each is injected, lasts, and is taken back. */
import { setTimeout as delay } from 'node:timers/promises'
import type { PostgresqlServer } from '../postgresql.ts'
import type { SeededRandom } from '../soak/seeded-random.ts'
import type { Fleet, Member } from './fleet.ts'

interface Scene {
  readonly member: Member
  readonly server: PostgresqlServer
  /** Lasts for a random time: shorter or longer than a lease. */
  readonly last: () => Promise<unknown>
  readonly random: SeededRandom
}

type Fault = (scene: Scene) => Promise<void>

/** The server must be of this fleet alone. */
export const faults = {
  async killGateway({ member, last }) {
    await member.kill()
    await last()
    await member.start()
  },
  async restartGateway({ member }) {
    await member.stop()
    await member.start()
  },
  async suspendGateway({ member, last }) {
    member.suspend()
    await last()
    member.resume()
  },
  async setClock({ member, last, random }) {
    member.clock?.set(Math.round(random.between(-240, 240)))
    await last()
  },
  async cutConnections({ member }) {
    member.proxy.cut()
  },
  async stallConnections({ member, last }) {
    member.proxy.stall()
    await last()
    member.proxy.resume()
  },
  async losePackets({ member, last }) {
    member.proxy.halfOpen()
    await last()
  },
  async delayConnections({ member, last, random }) {
    member.proxy.delay = random.between(1, 100)
    await last()
    member.proxy.delay = 0
  },
  async refuseConnections({ member, last }) {
    const refused = member.proxy.refuse()
    member.proxy.cut()
    await refused
    await last()
    await member.proxy.accept()
  },
  async cutInMidCommit({ member, random }) {
    const isOfCommit = (data: Buffer) => data.includes('commit') || data.includes('COMMIT')
    const from = random.of(['client', 'target'] as const)
    let wasCommit = false
    member.proxy.tap = (data, sender, cut) => {
      if (sender === 'client') wasCommit = isOfCommit(data)
      if (!wasCommit || sender !== from) return
      member.proxy.tap = undefined
      cut()
    }
    await delay(200)
    member.proxy.tap = undefined
  },
  restartDatabase: ({ server, last }) => restart(server, () => server.stop('fast'), last),
  crashDatabase: ({ server, last }) => restart(server, () => server.stop('immediate'), last),
  killDatabase: ({ server, last }) => restart(server, () => server.kill(), last),
} satisfies Record<string, Fault>

export type FaultName = keyof typeof faults

async function restart(server: PostgresqlServer, stop: () => Promise<void>, last: Scene['last']): Promise<void> {
  await stop()
  await last()
  await server.start()
}

/** @param longest milliseconds that a fault lasts. @returns how often each fault was injected */
export async function torment(
  fleet: Fleet,
  server: PostgresqlServer,
  random: SeededRandom,
  {
    longest,
    until,
    names = Object.keys(faults) as FaultName[],
  }: {
    readonly longest: number
    readonly until: Promise<unknown>
    readonly names?: readonly FaultName[]
  },
): Promise<Record<string, number>> {
  let isOver = false
  const over = until.finally(() => {
    isOver = true
  })
  const counts: Record<string, number> = {}
  while (!isOver) {
    const name = random.of(names)
    counts[name] = (counts[name] ?? 0) + 1
    const last = () => delay(random.between(0, random.fraction() < 0.5 ? longest / 5 : longest))
    await faults[name]({ member: random.of(fleet.members), server, last, random })
    await Promise.race([over, delay(random.between(0, longest / 2))])
  }
  for (const { clock } of fleet.members) clock?.set(0)
  return counts
}
