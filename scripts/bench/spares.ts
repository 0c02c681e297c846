import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CreateKeyCommand, type CreateKeyCommandInput } from '@aws-sdk/client-kms'
import { type Figure, median } from './figure.ts'
import { type BenchGateway, DataFolder } from './gateway.ts'

const rounds = 15
/** Of each usage: more than are taken. */
const spareRsaKeys = 20

/** CreateKey of an RSA key that was generated ahead, against that of an AES key, in turns. */
export async function createSpareRsaKey(): Promise<Figure> {
  const folder = new DataFolder()
  appendFileSync(join(folder.path, 'strongroom.yaml'), `\nemulator:\n  spareRsaKeys: ${spareRsaKeys}\n`)
  const gateway = await folder.serve()
  await stocked(join(folder.path, 'audit.jsonl'))
  const times = { rsa: [] as number[], aes: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    times.aes.push(await creation(gateway, {}))
    times.rsa.push(await creation(gateway, { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }))
  }
  await gateway.stop()
  folder.remove()
  const [rsa, aes] = [median(times.rsa), median(times.aes)]
  return {
    name: 'CreateKey RSA_2048 with spares / SYMMETRIC_DEFAULT',
    value: rsa / aes,
    unit: '',
    reach: { atMost: 1.5 },
    details: `${rsa.toFixed(1)} ms against ${aes.toFixed(1)} ms`,
  }
}

async function stocked(auditFile: string): Promise<void> {
  const made = () => readFileSync(auditFile, 'utf8').split('"CreateSpareKey"').length - 1
  while (made() < 2 * spareRsaKeys) await delay(100)
}

/** Milliseconds. */
async function creation({ client }: BenchGateway, input: CreateKeyCommandInput): Promise<number> {
  const start = performance.now()
  await client.send(new CreateKeyCommand(input))
  return performance.now() - start
}
