/** What callers and time do to multi-Region keys, drawn at random. */
import fc from 'fast-check'
import { Command as CommandOf, command } from '../command.ts'
import { faults } from '../commands.ts'
import { anyOf, type Inputs, kinds, type Weighted } from '../draws.ts'
import { day } from '../model.ts'
import { regions } from './member.ts'
import type { Model } from './model.ts'
import { regionalDeeds } from './regional-deeds.ts'
import type { Place, RegionalWorld } from './regional-world.ts'

type Command = CommandOf<Model, RegionalWorld>
const Command = CommandOf<Model, RegionalWorld>

const maxFamilies = 4
const region = fc.constantFrom(...regions)
const anyFamily = fc.nat(maxFamilies)
/** Most is done with primary keys. */
const place = fc.constantFrom<Place>('primary', 'primary', 'primary', ...regions)
const anyDeed = anyOf(regionalDeeds)

const anyCall = fc.tuple(anyFamily, place, anyDeed).map(([number, place, { text, plan, origin }]) => ({
  text: `${text} with key ${number} of ${place}`,
  async plan(world: RegionalWorld) {
    const member = world.member(number, place, number < maxFamilies ? origin : undefined)
    return member && plan(world, member)
  },
}))

const oneCall = anyCall.map(({ text, plan }) => {
  return new Command(text, async world => {
    const step = await plan(world)
    if (step !== undefined) await world.take(step)
  })
})

const callWithFault = fc.tuple(anyCall, faults).map(([{ text, plan }, rule]) => {
  return new Command(`${text} while the HSM does: ${rule}`, async world => {
    const step = await plan(world)
    if (step !== undefined) await world.takeWithFault(rule, step)
  })
})

/** With related keys, or twice with the same. */
const twoCalls = fc.tuple(anyFamily, fc.tuple(place, anyDeed), fc.tuple(place, anyDeed)).map(([number, ...drawn]) => {
  const texts = drawn.map(([place, { text }]) => `${text} of ${place}`)
  return new Command(`${texts.join(' and ')} with key ${number} at once`, async world => {
    const steps = []
    for (const [place, { plan }] of drawn) {
      const member = world.member(number, place, drawn[0][1].origin)
      steps.push(member && (await plan(world, member)))
    }
    const [first, second] = steps
    if (first !== undefined && second !== undefined) await world.takeAtOnce([first, second])
  })
})

const worldCommand = <T>(name: string, inputs: Inputs<T>, run: (world: RegionalWorld, input: T) => Promise<unknown>) =>
  command<T, Model, RegionalWorld>(name, inputs, run)

const weighted: Weighted<Command> = [
  [
    3,
    worldCommand('CreateKey', { kind: kinds, region }, async (world, { kind, region }) => {
      if (world.model.families.length < maxFamilies) await world.create(kind, region)
    }),
  ],
  [40, oneCall],
  [15, twoCalls],
  [
    5,
    worldCommand('time passes', { days: fc.constantFrom(1, 10, 40, 100) }, (world, { days }) => world.pass(days * day)),
  ],
  [1, worldCommand('restart', {}, world => world.gateway.restart())],
]

export const regionalCommands = anyOf(weighted)
export const regionalCommandsWithFaults = anyOf([...weighted, [30, callWithFault]])
