/**
 * The command line as its user sees it. A transcript holds commands, each followed by what it writes and, in brackets, an exit
 * code other than 0; `...` stands for anything within a line, and a line that begins with `# ` is a comment.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { shellQuoted } from '../../src/shell-quoted.ts'
import { compileCache, program } from '../end-to-end/gateway.ts'

const root = join(import.meta.dirname, '../..')
const transcripts = readdirSync(import.meta.dirname).filter(name => name.endsWith('.txt'))

interface Step {
  readonly command: string
  readonly output: readonly string[]
}

function stepsOf(transcript: string): Step[] {
  return transcript
    .replace(/^# .*\n/gm, '')
    .split(/^\$ /m)
    .slice(1)
    .map(text => {
      const [command, ...output] = text.trimEnd().split('\n')
      return { command: command!, output }
    })
}

/** What a command really writes; a line that fits the expected one is given as that, so that only differences show. */
function run({ command, output }: Step, folder: string, environment: NodeJS.ProcessEnv): Step {
  const { stdout, status } = spawnSync('sh', ['-c', `exec 2>&1\n${command}`], { cwd: folder, env: environment })
  const lines = `${stdout}`
    .trimEnd()
    .split('\n')
    .concat(status === 0 ? [] : `[${status}]`)
  const written = lines.map((line, index) => (fits(line, output[index] ?? '') ? output[index]! : line))
  return { command, output: written[0] === '' ? written.slice(1) : written }
}

function fits(line: string, expected: string): boolean {
  const parts = expected.split('...').map(part => part.replace(/[^\w\s]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(line)
}

it.each(transcripts)('%s', { timeout: 120_000 }, name => {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-transcript-'))
  try {
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    writeFileSync(
      join(bin, 'strongroom'),
      `#!/bin/sh\nexec ${[process.execPath, program()].map(shellQuoted).join(' ')} "$@"\n`,
    )
    chmodSync(join(bin, 'strongroom'), 0o755)
    for (const name of ['scripts', 'package.json']) symlinkSync(join(root, name), join(folder, name))
    const environment = {
      PATH: `${bin}:${process.env.PATH}`,
      ...compileCache(),
    }
    const expected = stepsOf(readFileSync(join(import.meta.dirname, name), 'utf8'))
    expect(expected).not.toHaveLength(0)
    expect(expected.map(step => run(step, folder, environment))).toEqual(expected)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
