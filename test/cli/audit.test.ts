import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { audit } from '../../src/cli/audit.ts'
import { OperatorError } from '../../src/errors.ts'
import { SignerKey, writeJournal } from '../audit/verify/signed-journal.ts'
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
  readonly code: number
}

/** Runs `strongroom audit` in this process. */
async function run(line: string): Promise<Result> {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => {} })
  audit(program)
  for (const group of program.commands)
    for (const command of [group, ...group.commands]) command.copyInheritedSettings(program)
  let output = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    output += text
    return true
  })
  try {
    await program.parseAsync(
      line.split(' ').map(word => word.replace('@', `${folder}/`)),
      { from: 'user' },
    )
    return { output, code: Number(process.exitCode ?? 0) }
  } catch (error) {
    if (error instanceof OperatorError) return { output: error.message, code: error.exitCode }
    if (error instanceof CommanderError) return { output: error.message, code: 2 }
    throw error
  } finally {
    write.mockRestore()
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
    ['--public-key @key.pem @text --checkpoints @empty', /it is a directory/],
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
