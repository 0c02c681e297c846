import type { KMS, Tag } from '@aws-sdk/client-kms'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runs } from '../thorough.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { refusal, signedPost } from './requests.ts'

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

  it('is returned as it was put, whatever its formatting, and is accepted again', async () => {
    const chances = fc.array(fc.nat(1000), { minLength: 97, maxLength: 97 }).map(numbers => {
      let i = 0
      return () => numbers[i++ % numbers.length]!
    })
    const letter = fc.oneof(
      fc.constantFrom('"', '\\', '/', ' ', ':', '\u0000', '\ud800'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    )
    const sids = fc.string({ unit: letter, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(sids, chances, async (sid, chance) => returns(spelled(policy(sid), chance))),
      { numRuns: runs(25) },
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

  it('is limited by its bytes, not its characters', async () => {
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
})

/** Everything that a JSON string can hold: no half of a surrogate pair. */
const text = (maxLength: number) => fc.string({ unit: 'binary', maxLength })
const oddities = [
  '\u0000',
  'a\u0000b',
  '\u0001\t\r\n\u007f\u0085',
  '\ufeffx',
  '\u2028\u2029',
  'é',
  'e\u0301',
  '😀',
  '"\\',
  '__proto__',
]

describe('a description', () => {
  it('is returned as it was given', async () => {
    const returns = async (Description: string) => {
      await kms.updateKeyDescription({ KeyId, Description })
      expect((await kms.describeKey({ KeyId })).KeyMetadata!.Description).toBe(Description)
    }
    for (const Description of [...oddities, '', '😀'.repeat(8192)]) await returns(Description)
    await fc.assert(fc.asyncProperty(text(40), returns), { numRuns: runs(30) })
  })
})

describe('tags', () => {
  const tagsOf = async (page: { Limit?: number } = {}) => {
    const tags: Tag[] = []
    let Marker: string | undefined
    do {
      const { Tags, NextMarker } = await kms.listResourceTags({ KeyId, ...page, Marker })
      tags.push(...Tags!)
      Marker = NextMarker
    } while (Marker !== undefined)
    return tags
  }
  const putOnly = async (Tags: Tag[]) => {
    const TagKeys = (await tagsOf()).map(({ TagKey }) => TagKey!)
    if (TagKeys.length > 0) await kms.untagResource({ KeyId, TagKeys })
    if (Tags.length > 0) await kms.tagResource({ KeyId, Tags })
  }

  it('are returned as they were given, whole and in pages of any size', async () => {
    const tag = fc.record({ TagKey: text(128).filter(key => key !== '' && !/^aws:/i.test(key)), TagValue: text(30) })
    const tags = fc.uniqueArray(tag, { maxLength: 8, selector: ({ TagKey }) => TagKey })
    await fc.assert(
      fc.asyncProperty(tags, fc.integer({ min: 1, max: 5 }), async (given, Limit) => {
        await putOnly(given)
        expect(await tagsOf()).toEqual(given)
        expect(await tagsOf({ Limit })).toEqual(given)
      }),
      { numRuns: runs(12) },
    )
  })

  it.each(['\u0001', '"', '\\', '\u0000', '😀', 'é', '\u2028'])('may have keys of 128 times %j', async letter => {
    const given = Array.from({ length: 50 }, (_, i) => ({ TagKey: `${letter.repeat(126)}${10 + i}`, TagValue: letter }))
    await putOnly(given)
    expect(await tagsOf({ Limit: 17 })).toEqual(given)
  })

  it.each([
    ['the last one listed', ['2']],
    ['all that were listed', ['0', '1', '2']],
    ['some that were not', ['4', '6']],
    ['some of each', ['1', '2', '3']],
    ['one, to come back at the end', ['2'], ['2']],
  ])('are all listed, and none twice, when %s were removed between pages', async (_, TagKeys, again: string[] = []) => {
    const tag = (TagKey: string) => ({ TagKey, TagValue: '' })
    await putOnly(Array.from({ length: 7 }, (_, i) => tag(`${i}`)))
    const { Tags, NextMarker } = await kms.listResourceTags({ KeyId, Limit: 3 })
    await kms.untagResource({ KeyId, TagKeys })
    await kms.tagResource({ KeyId, Tags: [...again, 'new'].map(tag) })
    const rest = await kms.listResourceTags({ KeyId, Marker: NextMarker })
    const expected = ['0', '1', '2', ...['3', '4', '5', '6'].filter(key => !TagKeys.includes(key)), 'new']
    expect([...Tags!, ...rest.Tags!].map(({ TagKey }) => TagKey)).toEqual(expected)
  })
})

describe('an alias', () => {
  it('of the longest name is returned, works as a marker and identifies its key', async () => {
    const names = ['a', '_', '-', '/', '0', 'Z'].map(letter => `alias/${letter.repeat(250)}`)
    for (const AliasName of names) await kms.createAlias({ AliasName, TargetKeyId: KeyId })
    const listed: unknown[] = []
    let Marker: string | undefined
    do {
      const { Aliases, NextMarker } = await kms.listAliases({ KeyId, Limit: 1, Marker })
      for (const { AliasName } of Aliases!) {
        listed.push(AliasName)
        expect((await kms.describeKey({ KeyId: AliasName })).KeyMetadata!.KeyId).toBe(KeyId)
      }
      Marker = NextMarker
    } while (Marker !== undefined)
    expect(listed).toEqual([...names].sort())
  })
})

describe('an encryption context', () => {
  /** Below the SDK, which may have its own view of `__proto__`. */
  const ask = async (target: string, body: string) =>
    signedPost({ url: gateway.url, credentials: installation.credentials[home]!, target, body })
  const seal = async (context: string) => {
    const { body } = await ask('Encrypt', `{"KeyId":"${KeyId}","Plaintext":"dGV4dA==","EncryptionContext":${context}}`)
    return (JSON.parse(body) as { CiphertextBlob: string }).CiphertextBlob
  }
  const open = async (blob: string, context: string) =>
    JSON.parse((await ask('Decrypt', `{"CiphertextBlob":"${blob}","EncryptionContext":${context}}`)).body) as object

  it('decrypts its ciphertexts, in any order and escaping, and is audited', async () => {
    const keys = fc.oneof(
      fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', '0', '', '\u0000'),
      text(8),
    )
    const pairs = fc.uniqueArray(fc.tuple(keys, text(8)), { minLength: 1, maxLength: 5, selector: ([key]) => key })
    await fc.assert(
      fc.asyncProperty(pairs, async given => {
        const spell = (list: typeof given, chance = () => 1) => spelled(Object.fromEntries(list), chance)
        const blob = await seal(spell(given))
        expect(await open(blob, spell([...given].reverse()))).toMatchObject({ Plaintext: 'dGV4dA==' })
        expect(
          await open(
            blob,
            spell(given, () => 10),
          ),
        ).toMatchObject({ Plaintext: 'dGV4dA==' })
        const { requestParameters } = gateway.records().at(-1)!
        expect(Object.entries(requestParameters!.encryptionContext as object).sort()).toEqual([...given].sort())
        const other = spell([...given.slice(1), [given[0]![0], `${given[0]![1]}x`]])
        expect(await open(blob, other)).toEqual({ __type: 'InvalidCiphertextException' })
      }),
      { numRuns: runs(15) },
    )
  })

  it.each([
    ['"a":""', ''],
    ['"__proto__":"x"', ''],
    ['"é":"x"', '"e\u0301":"x"'],
    ['"a":"é"', '"a":"e\u0301"'],
    ['"a":"ﬁ"', '"a":"fi"'],
    ['"a":"b"', '"A":"b"'],
    ['"a":"b","c":""', '"a":"b"'],
    ['"a":"b "', '"a":"b"'],
  ])('of {%s} differs from {%s}', async (one, other) => {
    expect(await open(await seal(`{${one}}`), `{${other}}`)).toEqual({ __type: 'InvalidCiphertextException' })
  })
})

it('all of it is the same after a restart', async () => {
  const Policy = spelled(policy('\u0000 Łódź \ud800'), () => 7)
  const Description = oddities.join('')
  const Tags = oddities.map(odd => ({ TagKey: odd, TagValue: odd }))
  const made = (await kms.createKey({ Policy, Description, Tags })).KeyMetadata!
  const read = async () => ({
    policy: (await kms.getKeyPolicy({ KeyId: made.KeyId })).Policy,
    description: (await kms.describeKey({ KeyId: made.KeyId })).KeyMetadata!.Description,
    tags: (await kms.listResourceTags({ KeyId: made.KeyId })).Tags,
  })
  expect(await read()).toEqual({ policy: Policy, description: Description, tags: Tags })
  const blob = await kms.encrypt({
    KeyId: made.KeyId,
    Plaintext: Buffer.from('text'),
    EncryptionContext: { é: '\u0000' },
  })
  await gateway.stop()
  gateway = await serve(installation)
  kms = gateway.client()
  expect(await read()).toEqual({ policy: Policy, description: Description, tags: Tags })
  await kms.putKeyPolicy({ KeyId: made.KeyId, Policy: (await read()).policy })
  await kms.decrypt({ CiphertextBlob: blob.CiphertextBlob, EncryptionContext: { é: '\u0000' } })
})
