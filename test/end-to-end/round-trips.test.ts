import type { KMS } from '@aws-sdk/client-kms'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { refusal } from './requests.ts'

/** What is answered is what was given, byte for byte, and can be given again: now, and after a restart. */

let installation: Installation
let gateway: Gateway
let kms: KMS
let KeyId: string

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  kms = gateway.client()
  KeyId = (await kms.createKey({})).KeyMetadata!.KeyId!
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

async function restart(): Promise<void> {
  await gateway.stop()
  gateway = await serve(installation)
  kms = gateway.client()
}

const root = `arn:aws:iam::${home}:root`
const statement = (Sid: string) => ({ Sid, Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' })
const policy = (Sid: string) => ({ Version: '2012-10-17', Statement: [statement(Sid)] })

/** JSON of a value with chance whitespace between its tokens, and chance escapes in its strings. */
function spelled(value: unknown, chance: () => number): string {
  const space = () => ['', '', '', ' ', '\n', '\r\n', '\t', '    '][chance() % 8]
  const list = (parts: readonly string[]) => parts.map(part => `${space()}${part}${space()}`).join(',')
  if (Array.isArray(value)) return `[${list(value.map(item => spelled(item, chance)))}]`
  if (typeof value !== 'object' || value === null) return quoted(String(value), chance)
  const members = Object.entries(value).map(
    ([name, part]) => `${quoted(name, chance)}${space()}:${space()}${spelled(part, chance)}`,
  )
  return `{${list(members)}}`
}

function quoted(text: string, chance: () => number): string {
  const units = text.split('').map(unit => {
    const plain = JSON.stringify(unit).slice(1, -1)
    const code = unit.charCodeAt(0).toString(16).padStart(4, '0')
    if (unit > '\u00ff' || chance() % 10 === 0) return `\\u${chance() % 2 ? code : code.toUpperCase()}`
    return unit === '/' && chance() % 2 ? '\\/' : plain
  })
  return `"${units.join('')}"`
}

describe('a key policy', () => {
  async function returns(Policy: string): Promise<void> {
    await kms.putKeyPolicy({ KeyId, Policy })
    expect((await kms.getKeyPolicy({ KeyId })).Policy).toBe(Policy)
    await kms.putKeyPolicy({ KeyId, Policy: (await kms.getKeyPolicy({ KeyId })).Policy! })
    expect((await kms.getKeyPolicy({ KeyId })).Policy).toBe(Policy)
  }

  it('comes back as it was written, whatever its spelling, and is accepted again', async () => {
    const chances = fc.infiniteStream(fc.nat(1000)).map(stream => () => stream.next().value as number)
    const letter = fc.oneof(
      fc.constantFrom('"', '\\', '/', ' ', ':', '\u0000', '\ud800'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    )
    const sids = fc.string({ unit: letter, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(sids, chances, async (sid, chance) => returns(spelled(policy(sid), chance))),
      { numRuns: 40 },
    )
  })

  it.each<[string, string]>([
    ['\\u escapes', JSON.stringify(policy('x')).replace('"x"', '"\\u0141\\u00f3d\\u017a \\u0020"')],
    ['an escaped pair of surrogates', JSON.stringify(policy('x')).replace('"x"', '"\\ud83d\\ude00"')],
    ['half of one', JSON.stringify(policy('x')).replace('"x"', '"\\ud83d"')],
    ['an escaped NUL', JSON.stringify(policy('x')).replace('"x"', '"\\u0000"')],
    ['escapes in the names of members', JSON.stringify(policy('x')).replace('"Action"', '"\\u0041ction"')],
    ['Latin-1 letters and controls', JSON.stringify(policy('ÄÖÜ ÿ \u007f\u0085\u009f\u00a0'))],
    ['lines that end with CRLF', `\r\n${JSON.stringify(policy('x'), null, 2).replaceAll('\n', '\r\n')}\r\n`],
    ['tabs', JSON.stringify(policy('x'), null, '\t')],
    ['members in another order', JSON.stringify({ Statement: statement('x'), Id: 'mine', Version: '2008-10-17' })],
    ['an account by its number', JSON.stringify(policy('x')).replace(root, home)],
    ['32,768 bytes', JSON.stringify(policy('x')).padEnd(32_768)],
  ])('comes back with %s', async (_, Policy) => {
    await returns(Policy)
    const created = await kms.createKey({ Policy })
    expect((await kms.getKeyPolicy({ KeyId: created.KeyMetadata!.KeyId })).Policy).toBe(Policy)
  })

  it('is as long as its bytes, however few its characters', async () => {
    const bare = Buffer.byteLength(JSON.stringify(policy('')))
    const longest = JSON.stringify(policy('ü'.repeat((32_768 - bare) >> 1)))
    await returns(longest)
    expect(await refusal(kms.putKeyPolicy({ KeyId, Policy: longest.replace('ü', 'üü') }))).toMatch(
      /^LimitExceededException: /,
    )
  })

  it.each<[string, string]>([
    ['a byte order mark', `\ufeff${JSON.stringify(policy('x'))}`],
    ['letters beyond U+00FF', JSON.stringify(policy('Ł'))],
    ['a control character in its text', `${JSON.stringify(policy('x'))}\u0000`],
    ['a vertical tab', `${JSON.stringify(policy('x'))}\v`],
  ])('with %s is refused, with AWS’s pattern', async (_, Policy) => {
    expect(await refusal(kms.putKeyPolicy({ KeyId, Policy }))).toBe(
      `ValidationException: 1 validation error detected: Value '${Policy}' at 'policy' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+`,
    )
  })

  it('that was the default one is accepted', async () => {
    const created = await kms.createKey({})
    const Policy = (await kms.getKeyPolicy({ KeyId: created.KeyMetadata!.KeyId })).Policy!
    await returns(Policy)
  })

  it('is the same after a restart', async () => {
    const Policy = spelled(policy('\u0000 Łódź \ud800'), () => 7)
    await returns(Policy)
    await restart()
    expect((await kms.getKeyPolicy({ KeyId })).Policy).toBe(Policy)
    await returns(Policy)
  })
})
