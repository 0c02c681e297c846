import { join } from 'node:path'
import { CreateKeyCommand, type CreateKeyCommandInput } from '@aws-sdk/client-kms'
import { startEcho } from './echo.ts'
import { type Figure, median } from './figure.ts'
import { type BenchGateway, type Credentials, DataFolder } from './gateway.ts'
import { type LoadResult, load, writeSigned } from './load.ts'
import { descendants, processorTime } from './processor-time.ts'

/**
 * Encrypt of 32 bytes, end to end, against a bare Fastify echo of the same body sizes, in turns: rate, tail latency, and processor time of
 * all processes.
 */
export async function encryptAgainstEcho(): Promise<Figure[]> {
  const folder = new DataFolder()
  const gateway = await folder.serve()
  const script = await encryptScript(folder, gateway)
  const echo = await startEcho()
  // Until the machine code of both has settled.
  await load(gateway.url, script, 20)
  await load(echo.url, script, 5)
  const measured = {
    echo: new Measured(echo.url, { echo: [echo.pid] }),
    encrypt: new Measured(gateway.url, { gateway: [gateway.pid], workers: descendants(gateway.pid) }),
  }
  for (let round = 0; round < 9; round++) {
    await measured.echo.load(script)
    await measured.encrypt.load(script)
  }
  await Promise.all([echo.stop(), gateway.stop()])
  folder.remove()
  return figuresOf(measured.encrypt, measured.echo)
}

function figuresOf(encrypt: Measured<'gateway' | 'workers'>, echo: Measured<'echo'>): Figure[] {
  const { gateway, workers } = encrypt.microseconds
  const rates = [encrypt, echo].map(({ rounds }) => median(rounds.map(round => round.requestsPerSecond)))
  const tails = [encrypt, echo].map(({ rounds }) => median(rounds.map(round => round.p99)))
  return [
    {
      name: 'Encrypt end to end / bare Fastify echo',
      value: rates[0]! / rates[1]!,
      unit: '',
      reach: { atLeast: 0.45 },
      details: rates.map(rate => `${Math.round(rate)}/s`).join(' against '),
    },
    {
      name: 'Encrypt p99 / bare Fastify echo p99',
      value: tails[0]! / tails[1]!,
      unit: '',
      reach: { atMost: 3 },
      details: tails.map(tail => `${tail.toFixed(1)} ms`).join(' against '),
    },
    {
      name: 'processor time per Encrypt / per echo',
      value: (gateway + workers) / echo.microseconds.echo,
      unit: '',
      reach: { atMost: 2.5 },
      details: `gateway ${gateway.toFixed(0)} us and workers ${workers.toFixed(0)} us against ${echo.microseconds.echo.toFixed(0)} us`,
    },
  ]
}

/** A server under load, round by round. */
class Measured<Part extends string> {
  readonly rounds: LoadResult[] = []
  readonly #url: string
  readonly #processes: Readonly<Record<Part, readonly number[]>>
  readonly #spent: Record<Part, number>

  /** @param processes by the part of the server that they are */
  constructor(url: string, processes: Readonly<Record<Part, readonly number[]>>) {
    this.#url = url
    this.#processes = processes
    this.#spent = this.#times(() => 0)
  }

  async load(script: string): Promise<void> {
    const before = this.#times(processorTime)
    this.rounds.push(await load(this.#url, script, 3))
    const after = this.#times(processorTime)
    for (const part in after) this.#spent[part] += after[part] - before[part]
  }

  /** Processor time for each request. */
  get microseconds(): Readonly<Record<Part, number>> {
    const requests = this.rounds.reduce((sum, round) => sum + round.requests, 0)
    return this.#times((_, part) => this.#spent[part] / requests)
  }

  #times(time: (processes: readonly number[], part: Part) => number): Record<Part, number> {
    const parts = Object.entries(this.#processes) as [Part, readonly number[]][]
    return Object.fromEntries(parts.map(([part, processes]) => [part, time(processes, part)])) as Record<Part, number>
  }
}

/** 200 signed requests that differ, for a new key of this gateway. */
export async function encryptScript(
  folder: DataFolder,
  gateway: BenchGateway,
  name = 'encrypt',
  credentials: Credentials = folder.credentials,
  key: CreateKeyCommandInput = {},
): Promise<string> {
  const { KeyMetadata } = await gateway.client.send(new CreateKeyCommand(key))
  const bodies = Array.from({ length: 200 }, (_, i) => ({
    KeyId: KeyMetadata!.KeyId,
    Plaintext: Buffer.alloc(32, i).toString('base64'),
    EncryptionContext: { tenant: `tenant-${i}` },
  }))
  const script = join(folder.path, `${name}.lua`)
  await writeSigned(script, gateway.url, 'Encrypt', bodies, credentials)
  return script
}
