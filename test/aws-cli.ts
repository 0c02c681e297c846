/** The AWS CLI for tests that call it many times: see aws-cli.py. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface AwsCli {
  /** For the beginning of PATH. Empty where `python3` cannot import the AWS CLI, such as its version 2: PATH may have one. */
  readonly folder: string
  stop(): void
}

export async function startAwsCli(): Promise<AwsCli> {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-aws-'))
  const server = spawn('python3', [join(import.meta.dirname, 'aws-cli.py'), folder], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  await readyOrEnded(server)
  return {
    folder,
    stop() {
      server.stdin?.end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function readyOrEnded(server: ChildProcess): Promise<void> {
  await Promise.race([once(server.stdout!, 'data'), once(server, 'exit'), once(server, 'error')])
}
