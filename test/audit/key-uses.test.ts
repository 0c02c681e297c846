import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blockOf, type Head } from '../../src/audit/format.ts'
import { keyUses } from '../../src/audit/key-uses.ts'
import { noBlock } from './records.ts'

const one = 'arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000001'
const other = 'arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000002'
const user = (name: string) => ({ type: 'IAMUser', arn: `arn:aws:iam::111122223333:user/${name}` })
const role = 'arn:aws:iam::111122223333:role/backup'
const session = (name: string) => ({
  type: 'AssumedRole',
  arn: `arn:aws:sts::111122223333:assumed-role/backup/${name}`,
  sessionContext: { sessionIssuer: { arn: role } },
})

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'key-uses-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Given {
  readonly by?: object
  readonly on?: readonly string[]
  readonly error?: string
  readonly rest?: object
}

/** A record, at this many seconds since the epoch. */
function record(at: number, eventName: string, { by = user('alice'), on = [one], error, rest }: Given = {}): string {
  const resources = on.map(ARN => ({ ARN }))
  const eventTime = new Date(at * 1000).toISOString()
  const eventType = 'AwsApiCall'
  return JSON.stringify({
    ...{ eventTime, eventType, eventName, readOnly: true, userIdentity: by, resources, errorCode: error },
    ...rest,
  })
}

/** The bytes of a segment: its header, and a block for each list of lines. */
function segment(number: number, ...blocks: readonly (readonly string[])[]): string {
  const header = JSON.stringify({ segment: { version: 1, journal: noBlock.journal, number, time: '' } })
  let head: Head = { ...noBlock, segment: number }
  return [[header], ...blocks]
    .map(lines => {
      const block = blockOf(lines.map(line => `${line}\n`).join(''), lines.length, head)
      head = block.head
      return block.bytes.toString()
    })
    .join('')
}

type Since = readonly (readonly [string, number])[]

function usesIn(files: Readonly<Record<string, string>>, since: Since = [[one, 0]], names = ['audit.jsonl']) {
  const journal = mkdtempSync(join(folder, 'journal-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(journal, name), text)
  const actives = names.map(name => join(journal, name))
  return keyUses(actives, new Map(since.map(([arn, seconds]) => [arn, seconds * 1000])))
}

function uses(lines: readonly string[], since?: Since) {
  return usesIn({ 'audit.jsonl': segment(1, lines) }, since)
}

describe('the uses of keys in a journal', () => {
  it('are counted by caller and operation, the latest first; all sessions of a role are one caller', async () => {
    const lines = [
      record(1, 'Decrypt'),
      record(2, 'Decrypt', { by: session('monday') }),
      record(3, 'Decrypt', { by: session('tuesday') }),
      record(4, 'Sign'),
      record(5, 'Decrypt', { error: 'DisabledException' }),
      record(6, 'ReEncrypt', { by: { type: 'AWSService', invokedBy: 's3.amazonaws.com' }, on: [one, other] }),
    ]
    const alice = user('alice').arn
    expect(await uses(lines)).toEqual({
      begin: 1000,
      uses: [
        ...[{ caller: 's3.amazonaws.com', operation: 'ReEncrypt', succeeded: 1, refused: 0, lastAt: 6000 }],
        ...[{ caller: alice, operation: 'Decrypt', succeeded: 1, refused: 1, lastAt: 5000 }],
        ...[{ caller: alice, operation: 'Sign', succeeded: 1, refused: 0, lastAt: 4000 }],
        ...[{ caller: role, operation: 'Decrypt', succeeded: 2, refused: 0, lastAt: 3000 }],
      ].map(use => ({ keyArn: one, ...use })),
    })
  })

  it.each<[string, string]>([
    ['a call before the time that is asked about', record(9, 'Decrypt')],
    ['a call with another key', record(11, 'Decrypt', { on: [other] })],
    [
      'a call that only mentions it',
      record(11, 'Decrypt', { on: [other], rest: { requestParameters: { keyId: one } } }),
    ],
    ['reading its metadata', record(11, 'DescribeKey')],
    ['reading its public key', record(11, 'GetPublicKey')],
    ['listing its grants', record(11, 'ListGrants')],
    ['a change of it', record(11, 'TagResource', { rest: { readOnly: false } })],
    ['a dry run', record(11, 'Decrypt', { error: 'DryRunOperationException' })],
    ['an action of the gateway itself', record(11, 'RotateKey', { rest: { eventType: 'AwsServiceEvent' } })],
    ['a damaged record', `${record(11, 'Decrypt').slice(0, -1)}`],
  ])('do not include %s', async (_, line) => {
    expect((await uses([record(9, 'ListKeys'), line], [[one, 10]])).uses).toEqual([])
  })

  it('are asked of several keys, each since a time of its own', async () => {
    const lines = [record(1, 'Decrypt', { on: [one, other] }), record(3, 'Decrypt', { on: [one, other] })]
    const since: Since = [
      [one, 0],
      [other, 2],
    ]
    const found = (await uses(lines, since)).uses.map(({ keyArn, succeeded }) => [keyArn, succeeded])
    expect(new Map(found as [string, number][])).toEqual(
      new Map([
        [one, 2],
        [other, 1],
      ]),
    )
  })

  it('are found in a segment of many blocks, but for an incomplete one at its end', async () => {
    const filler = record(1, 'ListKeys', { on: [], rest: { padding: 'x'.repeat(1000) } })
    const lines = Array.from({ length: 3000 }, (_, number) => (number % 100 === 99 ? record(2, 'Decrypt') : filler))
    const blocks = Array.from({ length: 60 }, (_, number) => lines.slice(number * 50, number * 50 + 50))
    const text = segment(1, ...blocks)
    expect((await usesIn({ 'audit.jsonl': text })).uses).toMatchObject([{ succeeded: 30 }])
    expect((await usesIn({ 'audit.jsonl': text.slice(0, -1) })).uses).toMatchObject([{ succeeded: 29 }])
  })

  it('are found in all segments that are there, from the first record on', async () => {
    const files = {
      'audit-00000000.jsonl': `${record(1, 'Decrypt')}\n${record(2, 'Decrypt')}\n`,
      'audit-00000001.jsonl': segment(1, [record(3, 'Decrypt')]),
      'audit-00000003.jsonl': segment(3, [record(4, 'Decrypt')]),
      'audit.jsonl': segment(4, [record(5, 'Decrypt')], [record(6, 'Decrypt', { error: 'DisabledException' })]),
    }
    const report = await usesIn(files)
    expect(report).toMatchObject({ begin: 1000, uses: [{ succeeded: 5, refused: 1, lastAt: 6000 }] })
    // A segment that has just got its number, and is still open under the name of the one that is written.
    const renamed = { ...files, 'audit-00000004.jsonl': files['audit.jsonl'] }
    expect(await usesIn(renamed)).toEqual(report)
  })

  it('are added up over the journals of several processes', async () => {
    const files = {
      'audit-00000001.jsonl': segment(1, [record(3, 'Decrypt')]),
      'audit.jsonl': segment(2, [record(5, 'Decrypt')]),
      'audit-2-00000001.jsonl': segment(1, [record(2, 'Decrypt')]),
      'audit-2.jsonl': segment(2, [record(4, 'Decrypt'), record(6, 'Encrypt')]),
    }
    const { begin, uses } = await usesIn(files, [[one, 0]], ['audit.jsonl', 'audit-2.jsonl'])
    expect(begin).toBe(2000)
    expect(uses).toMatchObject([
      { operation: 'Encrypt', succeeded: 1, lastAt: 6000 },
      { operation: 'Decrypt', succeeded: 4, lastAt: 5000 },
    ])
  })

  it('of an empty file are none', async () => {
    expect(await usesIn({ 'audit.jsonl': '' })).toEqual({ begin: undefined, uses: [] })
  })

  it('are not known without the segment that is written', async () => {
    await expect(usesIn({})).rejects.toThrow(/ENOENT/)
  })
})
