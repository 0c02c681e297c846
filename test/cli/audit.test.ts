import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { Command, CommanderError } from 'commander'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { blockOf } from '../../src/audit/format.ts'
import { audit } from '../../src/cli/audit.ts'
import { OperatorError } from '../../src/errors.ts'
import { aRecord } from '../audit/records.ts'
import { JournalWriter, SignerKey, writeJournal } from '../audit/verify/signed-journal.ts'
import { named } from '../audit/verify/verified.ts'

const key = new SignerKey()
const journal = writeJournal(key, [[1, 3], [2]])
journal.records(2)

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'))
  for (const name of ['data', 'empty']) mkdirSync(join(folder, name))
  for (const [name, bytes] of Object.entries(named(journal.files))) writeFileSync(join(folder, 'data', name), bytes)
  writeFileSync(join(folder, 'key.pem'), key.pem)
  writeFileSync(join(folder, 'text'), 'a text')
  execFileSync('mkfifo', [join(folder, 'pipe')])
})
afterAll(() => rmSync(folder, { recursive: true }))
beforeEach(() => {
  process.exitCode = undefined
  return () => {
    process.exitCode = undefined
  }
})

interface Result {
  readonly output: string
  /** What it wrote to standard error. */
  readonly errors: string
  readonly code: number
}

/** Runs `strongroom audit` in this process. */
async function run(line: string): Promise<Result> {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => {} })
  audit(program)
  for (const group of program.commands)
    for (const command of [group, ...group.commands]) command.copyInheritedSettings(program)
  let output = ''
  let errors = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    output += text
    return true
  })
  const writeError = vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    errors += text
    return true
  })
  try {
    await program.parseAsync(
      line.split(' ').map(word => word.replace('@', `${folder}/`)),
      { from: 'user' },
    )
    return { output, errors, code: Number(process.exitCode ?? 0) }
  } catch (error) {
    if (error instanceof OperatorError) return { output: error.message, errors, code: error.exitCode }
    if (error instanceof CommanderError) return { output: error.message, errors, code: 2 }
    throw error
  } finally {
    write.mockRestore()
    writeError.mockRestore()
  }
}

describe('strongroom audit verify', () => {
  it('says what is proven, of a data folder, of files and of a folder of them', async () => {
    for (const files of ['--data @data', '@data/audit-00000001.jsonl @data/audit.jsonl', '@data']) {
      const { output, code } = await run(`audit verify ${files} --public-key @key.pem`)
      expect({ output, code }).toEqual({
        output:
          'journal 0f8fad5b-d9cb-469f-a165-70867728950e, segments 1 to 2: 8 records in 8 blocks\n' +
          'signed: records 1 to 6, by the checkpoint of 2026-01-01T00:00:03.000Z\n' +
          'chained, not signed: the last 2 records\n' +
          'whole\n',
        code: 0,
      })
    }
  })

  it('takes checkpoints from a file or a folder of any depth', async () => {
    mkdirSync(join(folder, 'sink/2026/01'), { recursive: true })
    const checkpoint = key.checkpoint({ ...journal.head, block: 99, record: 99 }, journal.time)
    writeFileSync(join(folder, 'sink/2026/01/a.jsonl'), JSON.stringify({ checkpoint }))
    for (const path of ['sink', 'sink/2026/01/a.jsonl']) {
      const { output, code } = await run(`audit verify @data --public-key @key.pem --checkpoints @${path}`)
      expect(output).toMatch(
        /ends with block 8 \(record 8\), but .*a\.jsonl has a checkpoint of block 99 \(record 99\)/,
      )
      expect(code).toBe(1)
    }
  })

  it('names each place that is not whole', async () => {
    mkdirSync(join(folder, 'changed'))
    const bytes = readFileSync(join(folder, 'data/audit-00000001.jsonl'), 'latin1')
    writeFileSync(join(folder, 'changed/audit.jsonl'), bytes.replace('"eventID":"3"', '"eventID":"9"'))
    const { output, code } = await run('audit verify @changed --public-key @key.pem')
    expect(output).toMatch(
      /changed\/audit\.jsonl: byte 726, block 3, record 2: [\d,]+ bytes of block 3 \(records 2 to 4\) are not what was written/,
    )
    expect(output).toMatch(/\nnot whole: 2 findings\n$/)
    expect(code).toBe(1)
    const json = JSON.parse((await run('audit verify @changed --public-key @key.pem --json')).output)
    expect(json).toMatchObject({
      isWhole: false,
      findings: [{ kind: 'changed', block: 3, record: 2, offset: 726 }, {}],
    })
  })

  it('reports that the segment to which the gateway writes is missing', async () => {
    mkdirSync(join(folder, 'archive'))
    writeFileSync(join(folder, 'archive/audit-00000001.jsonl'), journal.files[0]!)
    const { output, code } = await run('audit verify --data @archive --public-key @key.pem')
    expect(output).toContain('archive/audit.jsonl: the last segment is missing')
    expect(code).toBe(1)
  })

  it.each([
    ['', /--public-key/],
    ['--public-key @missing', /cannot read .*missing: no such file/],
    ['--public-key @text', /text has no public key in PEM/],
    ['--public-key @empty', /it is a directory/],
    ['--public-key @key.pem --data @empty', /there is no audit journal/],
    ['--public-key @key.pem --data @nowhere', /there is no audit journal/],
    ['--public-key @key.pem @nowhere.jsonl', /cannot read .*nowhere.jsonl: no such file/],
    ['--public-key @key.pem @empty', /no \.jsonl file in/],
    ['--public-key @key.pem @text --data @data', /either files or a data folder/],
    ['--public-key @key.pem @text --checkpoints @missing', /cannot read .*missing: no such file/],
    ['--public-key @key.pem /dev/zero', /cannot read \/dev\/zero: it is not a regular file/],
    ['--public-key @key.pem @pipe', /pipe: it is not a regular file/],
    ['--public-key @key.pem --from 3 --to 2', /--from is after --to/],
    ['--public-key @key.pem --from 0', /number from 1 on/],
    ['--public-key @key.pem --max-unsigned 5', /whole number with s, m, h or d/],
    ['--public-key @key.pem --journal text', /UUID/],
  ])('takes %s for a mistake', async (options, message) => {
    const { output, code } = await run(`audit verify ${options}`.trim())
    expect(output).toMatch(message)
    expect(code).toBe(2)
  })
})

describe('strongroom audit query', () => {
  it('lists the records that fit, in the order of the journal', async () => {
    const { output, errors, code } = await run('audit query --data @data')
    expect(output.split('\n')).toHaveLength(journal.head.record + 1)
    expect(output.split('\n')[0]).toMatch(/^2026-01-01T00:00:01.000Z {2}Encrypt +success +unknown {2}- {2}-$/)
    expect({ errors, code }).toEqual({ errors: '', code: 0 })
    expect((await run('audit query --data @data --json --limit 3')).output.split('\n').slice(0, -1).map(idOf)).toEqual([
      '1',
      '2',
      '3',
    ])
    expect((await run('audit query --data @data --json --id 4')).output.split('\n').slice(0, -1).map(idOf)).toEqual([
      '4',
    ])
    const since = await run(
      'audit query --data @data --json --since 2026-01-01T00:00:02Z --until 2026-01-01T01:00:03+01:00',
    )
    expect(since.output.split('\n').slice(0, -1).map(idOf)).toEqual(['2', '3', '4'])
    expect((await run('audit query --data @data --since 1h')).output).toBe('')
  })

  it('leaves out what is not what the gateway wrote, and says where', async () => {
    const { output, errors, code } = await run('audit query --json @changed')
    expect(output.split('\n').slice(0, -1).map(idOf)).toEqual(['1'])
    expect(errors).toMatch(
      /^strongroom: .*changed\/audit.jsonl: byte 726, block 3: 888 bytes up to the end of block 3 are not what was written\n$/,
    )
    expect(code).toBe(1)
  })

  it('takes other files, cut ones and empty ones for not whole', async () => {
    mkdirSync(join(folder, 'bad'))
    writeFileSync(join(folder, 'bad/empty'), '')
    writeFileSync(join(folder, 'bad/cut'), journal.files[0]!.subarray(0, -10))
    for (const [file, message] of [
      ['text', /text: it does not begin with the header of a segment/],
      ['bad/empty', /empty: it does not begin with the header of a segment/],
      ['bad/cut', /cut: byte \d+: [\d,]+ bytes are no complete block/],
    ] as const) {
      for (const command of ['query', 'export', 'tail']) {
        const { errors, code } = await run(`audit ${command} @${file}`)
        expect(errors).toMatch(message)
        expect(code).toBe(1)
      }
    }
  })

  it.each<[string, string]>([
    ['no caller', '"userIdentity":null'],
    ['a caller whose name is an object', '"userIdentity":{"arn":{"toString":1,"valueOf":1}}'],
    ['a role that is no object', '"userIdentity":{"sessionContext":{"sessionIssuer":null}}'],
    ['a resource whose ARN is an object', '"resources":[{"ARN":{"toString":1,"valueOf":1}}]'],
    ['a user agent that is an object', '"userAgent":{"toString":1,"valueOf":1}'],
    ['lists within lists', `"userAgent":${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ])('shows what can be shown of a record with %s', async (_, members) => {
    const { head, files } = new JournalWriter()
    const line = `{"eventVersion":"1.11","eventID":"1","eventTime":"2026-01-01T00:00:00Z","eventName":"Encrypt",${members}}\n`
    writeFileSync(join(folder, 'hostile'), Buffer.concat([...files, blockOf(line, 1, head).bytes]))
    for (const command of ['query', 'tail', 'export --format csv', 'query --caller a --key b']) {
      const { output, errors, code } = await run(`audit ${command} @hostile`)
      if (!command.includes('--caller')) expect(output).toContain('2026-01-01T00:00:00Z')
      expect({ errors, code }).toEqual({ errors: '', code: 0 })
    }
  })

  it('reads a block of more lines than a gateway writes', async () => {
    const { head, files } = new JournalWriter()
    const block = blockOf('{}\n'.repeat(200_000), 200_000, head)
    writeFileSync(join(folder, 'lines'), Buffer.concat([...files, block.bytes]))
    expect(await run('audit query @lines')).toEqual({ output: '', errors: '', code: 0 })
  })

  it('reads the records of a former version', async () => {
    mkdirSync(join(folder, 'former'))
    const former = ['a', 'b'].map(eventID => JSON.stringify({ eventTime: '2025-01-01T00:00:00Z', eventID }))
    writeFileSync(join(folder, 'former/audit-00000000.jsonl'), `${former.join('\n')}\n`)
    writeFileSync(join(folder, 'former/audit.jsonl'), journal.files[0]!)
    const { output, code } = await run('audit query --json --data @former --limit 3')
    expect(output.split('\n').slice(0, -1).map(idOf)).toEqual(['a', 'b', '1'])
    expect(code).toBe(0)
  })

  it.each([
    ['--since 2026-02-31', /A time is written as/],
    ['--until tomorrow', /A time is written as/],
    ['--since 2026-01-01T25:00:00Z', /A time is written as/],
    ['--limit 0', /number from 1 on/],
    ['--account 12', /12 digits/],
    ['--operation .*', /An operation is named as in/],
    ['@missing.jsonl', /cannot read .*missing.jsonl: no such file/],
    ['--data @empty', /there is no audit journal/],
  ])('takes %s for a mistake', async (options, message) => {
    for (const command of ['query', 'export', 'tail']) {
      if (command !== 'query' && options.startsWith('--limit')) continue
      const { output, code } = await run(`audit ${command} ${options}`)
      expect(output).toMatch(message)
      expect(code).toBe(2)
    }
  })
})

describe('strongroom audit export', () => {
  it('writes JSON lines, the files of CloudTrail, or CSV', async () => {
    const lines = (await run('audit export --data @data')).output.split('\n').slice(0, -1)
    expect(lines.map(idOf)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8'])
    expect(linesOf(journal)).toEqual(expect.arrayContaining(lines))
    const { Records } = JSON.parse((await run('audit export --data @data --format cloudtrail')).output)
    expect(Records).toEqual(lines.map(line => JSON.parse(line)))
    expect(JSON.parse((await run('audit export --data @data --format cloudtrail --id none')).output)).toEqual({
      Records: [],
    })
    const csv = (await run('audit export --data @data --format csv --id 3')).output
    expect(csv).toMatch(
      /^eventTime,eventSource,eventName,.*,eventID\r\n2026-01-01T00:00:02.000Z,kms.amazonaws.com,Encrypt,.*,request-3,3\r\n$/,
    )
  })

  it('quotes cells of CSV, and makes no formula of what a caller sent', async () => {
    const journal = new JournalWriter()
    journal.records(1, { userAgent: '=cmd|"x"', errorMessage: 'a, b\nc' })
    mkdirSync(join(folder, 'formula'))
    writeFileSync(join(folder, 'formula/audit.jsonl'), journal.files[0]!)
    const { output } = await run('audit export --format csv @formula')
    expect(output).toContain(`,"'=cmd|""x""",`)
    expect(output).toContain(',"a, b\nc",')
  })
})

describe('strongroom audit tail', () => {
  it('lists the last records that fit, also of several segments', async () => {
    const ids = async (options: string) =>
      (await run(`audit tail --data @data --json ${options}`)).output.split('\n').slice(0, -1).map(idOf)
    expect(await ids('-n 3')).toEqual(['6', '7', '8'])
    expect(await ids('-n 6')).toEqual(['3', '4', '5', '6', '7', '8'])
    expect(await ids('-n 100')).toHaveLength(8)
    expect(await ids('-n 1 --until 2026-01-01T00:00:03Z')).toEqual(['4'])
  })

  it('goes on with the records that come, from segment to segment', async () => {
    const journal = new JournalWriter()
    journal.records(2)
    const data = join(folder, 'followed')
    const active = join(data, 'audit.jsonl')
    mkdirSync(data)
    writeFileSync(active, journal.files[0]!)
    const written: string[] = []
    const program = spawn(process.execPath, ['src/main.ts', 'audit', 'tail', '-n1', '-f', '--json', '--data', data], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    try {
      const complaints = createInterface(program.stderr)[Symbol.asyncIterator]()
      const lines = createInterface(program.stdout)[Symbol.asyncIterator]()
      const next = async () => written.push(idOf((await lines.next()).value ?? ''))
      await next()
      const append = (change: () => void) => {
        const before = journal.segments.at(-1)!.length
        change()
        appendFileSync(active, Buffer.concat(journal.segments.at(-1)!.slice(before)))
      }
      append(() => journal.records(1))
      await next()
      // A block that is not whole yet, is cut off, and written in another way.
      appendFileSync(active, '{"eventVersion":"1.11",')
      await setTimeout(300)
      truncateSync(active, journal.files[0]!.length)
      append(() => journal.records(1))
      await next()
      append(() => journal.records(1))
      renameSync(active, join(data, 'audit-00000001.jsonl'))
      journal.beginSegment()
      journal.records(1)
      writeFileSync(active, journal.files[1]!)
      await next()
      await next()
      append(() => journal.records(1))
      await next()
      // A copy takes its place.
      copyFileSync(active, join(data, 'copy'))
      renameSync(join(data, 'copy'), active)
      append(() => journal.records(1))
      await next()
      // Two segments later, those between are in an archive already.
      journal.beginSegment()
      journal.beginSegment()
      journal.records(1)
      writeFileSync(join(data, 'next'), journal.files[3]!)
      renameSync(join(data, 'next'), active)
      await next()
      expect(written).toEqual(['2', '3', '4', '5', '6', '7', '8', '9'])
      expect((await complaints.next()).value).toMatch(/audit\.jsonl: segment 3 is missing$/)
      program.stdout.destroy()
      append(() => journal.records(1))
      append(() => journal.records(1))
      const [code] = await once(program, 'exit')
      expect(code).toBe(1)
    } finally {
      program.kill()
    }
  })

  it('follows nothing but the journal of a data folder', async () => {
    const { output, code } = await run('audit tail -f @data/audit.jsonl')
    expect(output).toMatch(/only the journal of a data folder can be followed/)
    expect(code).toBe(2)
  })
})

function idOf(line: string): string {
  return JSON.parse(line).eventID
}

function linesOf({ files }: JournalWriter): string[] {
  return Buffer.concat(files).toString().split('\n')
}

describe('the journals of several gateways', () => {
  const journals = ['a', 'b'].map(name => new JournalWriter(`0f8fad5b-d9cb-469f-a165-70867728950${name}`, name))
  beforeAll(() => {
    // Of a machine with two processes.
    mkdirSync(join(folder, 'machine'))
    const hsms = '{ softhsm: { profile: softhsm2, library: l.so, token: { label: t }, pinFile: pin } }'
    const settings = ['processes: 2', 'storage: { file: s.db }', 'audit: { file: audit.jsonl }', `hsms: ${hsms}`]
    writeFileSync(join(folder, 'machine/strongroom.yaml'), settings.join('\n'))
    for (let number = 1; number <= 6; number++) {
      const writer = journals[number % 2]!
      for (const one of journals) one.pass(60)
      const eventID = `01990000-0000-7000-8000-00000000000${number}`
      writer.block([{ change: { number, eventID } }, aRecord(number, { eventID, eventTime: writer.time })], 1)
      if (number % 2 === 0) writer.checkpoint(key)
    }
    const [a, b] = journals as [JournalWriter, JournalWriter]
    b.block([{ peer: { journal: a.head.journal, gateway: 'a', since: a.time, ...omitted(a.head, 'journal') } }])
    for (const one of journals) one.checkpoint(key)
    for (const [index, name] of ['audit.jsonl', 'audit-2.jsonl'].entries())
      writeFileSync(join(folder, 'machine', name), Buffer.concat(journals[index]!.files))
  })

  it('are verified together', async () => {
    const text = [
      'journal 0f8fad5b-d9cb-469f-a165-70867728950a of the gateway a, segments 1 to 1: 3 records in 8 blocks',
      'signed: records 1 to 3, by the checkpoint of 2026-01-01T00:06:00.000Z',
      'journal 0f8fad5b-d9cb-469f-a165-70867728950b of the gateway b, segments 1 to 1: 3 records in 6 blocks',
      'signed: records 1 to 3, by the checkpoint of 2026-01-01T00:06:00.000Z',
      'together: 6 changes on record, the last one is number 6',
      'whole',
    ]
    for (const files of ['--data @machine', '@machine/audit.jsonl @machine/audit-2.jsonl']) {
      const { output, code } = await run(`audit verify ${files} --public-key @key.pem`)
      expect({ lines: output.trimEnd().split('\n'), code }).toEqual({ lines: text, code: 0 })
    }
    const { output } = await run('audit verify @machine --public-key @key.pem --json')
    expect(JSON.parse(output)).toMatchObject({
      isWhole: true,
      journals: [{ gateway: 'a' }, { gateway: 'b' }].toReversed(),
      changes: { count: 6, last: 6 },
      absent: [],
      findings: [],
    })
  })

  it('are not whole without one of them, if all are wanted', async () => {
    const alone = await run('audit verify @machine/audit-2.jsonl --public-key @key.pem')
    expect(alone.output).toMatch(
      /\nnot verified: the journal 0f8fad5b-d9cb-469f-a165-70867728950a of the gateway a\nwhole\n$/,
    )
    expect(alone.code).toBe(0)
    const { output, code } = await run('audit verify --fleet @machine/audit-2.jsonl --public-key @key.pem')
    expect(output).toContain('of the gateway a, with 3 records or more, is not among those that are given')
    expect(code).toBe(1)
  })

  it('of a machine with several processes are not whole without that of one, unless each is wanted by itself', async () => {
    mkdirSync(join(folder, 'machine/half'))
    for (const name of ['strongroom.yaml', 'audit-2.jsonl'])
      copyFileSync(join(folder, 'machine', name), join(folder, 'machine/half', name))
    const verify = (option: string) => run(`audit verify --data @machine/half --public-key @key.pem${option}`)
    expect((await verify('')).code).toBe(1)
    expect(await verify(' --no-fleet')).toMatchObject({ output: expect.stringMatching(/\nwhole\n$/), code: 0 })
  })

  it('cannot be verified from a segment on', async () => {
    const { output, code } = await run('audit verify @machine --from 2 --public-key @key.pem')
    expect({ output, code }).toEqual({
      output: '--from and --to need the files of one journal, and no --fleet',
      code: 2,
    })
  })

  it.each(['query --json', 'tail --json', 'export'])('are read in the order of time: %s', async command => {
    for (const files of ['--data @machine', '@machine']) {
      const { output, code } = await run(`audit ${command} ${files}`)
      const ids = output
        .trimEnd()
        .split('\n')
        .map(line => Number(JSON.parse(line).eventID.at(-1)))
      expect({ ids, code }).toEqual({ ids: [1, 2, 3, 4, 5, 6], code: 0 })
    }
    if (command.startsWith('tail')) {
      const { output } = await run('audit tail --json -n 3 --data @machine')
      expect(output.match(/"eventID":"[^"]*(\d)"/g)?.map(text => text.at(-2))).toEqual(['4', '5', '6'])
    }
  })
})

function omitted<T extends object, K extends keyof T>({ ...object }: T, name: K): Omit<T, K> {
  delete (object as Partial<T>)[name]
  return object
}
