/** What callers, operators and time do, drawn at random. */
import { randomBytes } from 'node:crypto'
import type { KMS } from '@aws-sdk/client-kms'
import fc from 'fast-check'
import { Command as CommandOf, command as commandOf } from './command.ts'
import { deeds } from './deeds.ts'
import { alias, anyOf, form, type Inputs, kinds, type Weighted } from './draws.ts'
import { imports } from './imports.ts'
import { day, type Model, type Refusal } from './model.ts'
import type { Form } from './uses.ts'
import type { World } from './world.ts'

const maxKeys = 8

type Command = CommandOf<Model, World>
const Command = CommandOf<Model, World>
const command = <T>(name: string, inputs: Inputs<T>, run: (world: World, input: T) => Promise<unknown>) =>
  commandOf<T, Model, World>(name, inputs, run)

const anyDeed = anyOf([...deeds, ...imports])
const anyKey = fc.nat(maxKeys - 1)

const oneCall = fc.tuple(anyKey, anyDeed).map(([number, { text, plan }]) => {
  return new Command(`${text} with key ${number}`, async world => {
    const key = world.key(number)
    const step = key && (await plan(world, key))
    if (step !== undefined) await world.take(step)
  })
})

/** Of one key. */
const twoCalls = fc.tuple(anyKey, anyDeed, anyDeed).map(([number, ...deeds]) => {
  return new Command(`${deeds.map(({ text }) => text).join(' and ')} with key ${number} at once`, async world => {
    const key = world.key(number)
    if (key === undefined) return
    const [first, second] = [await deeds[0].plan(world, key), await deeds[1].plan(world, key)]
    if (first !== undefined && second !== undefined) await world.takeAtOnce([first, second])
  })
})

/** What the HSM does to some of its calls: see test/fault-hsm/README.md. */
export const faults = fc
  .tuple(
    fc.constantFrom('fail', 'fail', 'crash'),
    fc.constantFrom(
      'C_UnwrapKey',
      'C_GenerateKey*',
      'C_CreateObject',
      'C_DestroyObject',
      'C_GetAttributeValue',
      'C_*Init',
      '*',
    ),
    fc.constantFrom('CKR_DEVICE_ERROR', 'CKR_DEVICE_MEMORY', 'CKR_FUNCTION_FAILED', 'CKR_SESSION_HANDLE_INVALID'),
    fc.constantFrom('', 'after'),
    fc.constantFrom('times 1', 'times 1 skip 1', 'times 1 skip 3', 'times 3', 'rate 0.3'),
  )
  .map(([fault, functions, code, after, when]) =>
    [fault, functions, fault === 'fail' ? code : '', after, fault === 'fail' ? when : 'times 1'].join(' '),
  )

const callWithFault = fc.tuple(anyKey, anyDeed, faults).map(([number, { text, plan }, rule]) => {
  return new Command(`${text} with key ${number} while the HSM does: ${rule}`, async world => {
    const key = world.key(number)
    const step = key && (await plan(world, key))
    if (step !== undefined) await world.takeWithFault(rule, step)
  })
})

function useByAlias(world: World, { alias, ...form }: Form & { readonly alias: number }): Promise<Refusal> {
  const { aliases, keys } = world.model
  const name = world.aliasName(alias)
  const key = keys.get(aliases.get(name) ?? '')
  if (key !== undefined) return world.take(world.use(key, form, name))
  const call = (kms: KMS) => kms.encrypt({ KeyId: name, Plaintext: randomBytes(1) })
  return world.take({ call, decide: () => 'NotFoundException' })
}

const weighted: Weighted<Command> = [
  [
    5,
    command('CreateKey', { kind: kinds }, async (world, { kind }) => {
      if (world.keys.length < maxKeys) await world.create(kind)
    }),
  ],
  [40, oneCall],
  [10, twoCalls],
  [2, command('use by alias', { alias, ...form }, useByAlias)],
  [
    4,
    command('time passes', { days: fc.constantFrom(1, 1, 10, 10, 100, 365) }, (world, { days }) =>
      world.pass(days * day),
    ),
  ],
  [1, command('restart', {}, world => world.gateway.restart())],
]

export const commands = anyOf(weighted)
export const commandsWithFaults = anyOf([...weighted, [30, callWithFault]])
