import { join } from 'node:path'
import { CreateKeyCommand, EncryptCommand, RotateKeyOnDemandCommand } from '@aws-sdk/client-kms'
import { type Figure, median } from './figure.ts'
import { type BenchGateway, DataFolder } from './gateway.ts'
import { load, writeSigned } from './load.ts'

const materials = 25

/** The rate of Decrypt with a key of 25 materials, a ciphertext of each by turns, against that with a key of one: in turns. */
export async function decryptOverMaterials(): Promise<Figure> {
  const folder = new DataFolder()
  const gateway = await folder.serve()
  const scripts = [await decryptScript(folder, gateway, 1), await decryptScript(folder, gateway, materials)]
  const rates: number[][] = [[], []]
  // Until the machine code has settled.
  for (const script of scripts) await load(gateway.url, script, 10)
  for (let round = 0; round < 9; round++)
    for (const [index, script] of scripts.entries())
      rates[index]!.push((await load(gateway.url, script, 3)).requestsPerSecond)
  await gateway.stop()
  folder.remove()
  const [one, many] = rates.map(median) as [number, number]
  return {
    name: `Decrypt over ${materials} key materials / one`,
    value: many / one,
    unit: '',
    reach: { atLeast: 0.95 },
    details: `${Math.round(many)}/s against ${Math.round(one)}/s`,
  }
}

/** Decrypts as many ciphertexts as the other key does, so that both scripts differ in nothing else. */
async function decryptScript(folder: DataFolder, { client, url }: BenchGateway, count: number): Promise<string> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}))
  const KeyId = KeyMetadata!.KeyId!
  const bodies: object[] = []
  for (let number = 0; number < materials; number++) {
    if (number > 0 && number < count) await client.send(new RotateKeyOnDemandCommand({ KeyId }))
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.alloc(32) }))
    bodies.push({ CiphertextBlob: Buffer.from(CiphertextBlob!).toString('base64') })
  }
  const script = join(folder.path, `decrypt-${count}.lua`)
  await writeSigned(script, url, 'Decrypt', bodies, folder.credentials)
  return script
}
