import { join } from 'node:path'
import { CreateKeyCommand } from '@aws-sdk/client-kms'
import { type Figure, median } from './figure.ts'
import { DataFolder } from './gateway.ts'
import { load, writeSigned } from './load.ts'

/** The rate of Encrypt of two gateway processes on SoftHSM against that of one, in turns. */
export async function encryptWithProcesses(): Promise<Figure> {
  const measured = [await served(1), await served(2)] as const
  for (const { url, script } of measured) await load(url, script, 15)
  const rates: [number[], number[]] = [[], []]
  for (let round = 0; round < 7; round++) {
    for (const [index, { url, script }] of measured.entries())
      rates[index]!.push((await load(url, script, 3)).requestsPerSecond)
  }
  for (const { end } of measured) await end()
  const [one, two] = rates.map(median) as [number, number]
  return {
    name: 'Encrypt with 2 processes / with 1',
    value: two / one,
    unit: '',
    reach: { atLeast: 1.3 },
    details: `${Math.round(two)}/s against ${Math.round(one)}/s`,
  }
}

async function served(processes: number) {
  const folder = new DataFolder()
  folder.configure(config => {
    config.processes = processes
  })
  const gateway = await folder.serve()
  const { KeyMetadata } = await gateway.client.send(new CreateKeyCommand())
  const bodies = Array.from({ length: 200 }, (_, i) => ({
    KeyId: KeyMetadata!.KeyId,
    Plaintext: Buffer.alloc(32, i).toString('base64'),
    EncryptionContext: { tenant: `tenant-${i}` },
  }))
  const script = join(folder.path, 'encrypt.lua')
  await writeSigned(script, gateway.url, 'Encrypt', bodies, folder.credentials)
  return {
    url: gateway.url,
    script,
    async end() {
      await gateway.stop()
      folder.remove()
    },
  }
}
