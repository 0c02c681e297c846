import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { CreateKeyCommand } from '@aws-sdk/client-kms'
import { type Figure, median } from './figure.ts'
import { announcedUrl, type BenchGateway, DataFolder } from './gateway.ts'
import { load, writeSigned } from './load.ts'

/** Encrypt of 32 bytes, end to end, against a bare Fastify echo of the same body sizes, in turns. */
export async function encryptAgainstEcho(): Promise<Figure> {
  const folder = new DataFolder()
  const gateway = await folder.serve()
  const script = await encryptScript(folder, gateway)
  const echo = spawn(process.execPath, [join(import.meta.dirname, 'echo-server.ts'), '330'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const echoUrl = await announcedUrl(echo)
  const rates = { encrypt: [] as number[], echo: [] as number[] }
  // Until the machine code of both has settled.
  await load(gateway.url, script, 20)
  await load(echoUrl, script, 5)
  for (let round = 0; round < 9; round++) {
    rates.echo.push((await load(echoUrl, script, 3)).requestsPerSecond)
    rates.encrypt.push((await load(gateway.url, script, 3)).requestsPerSecond)
  }
  echo.kill()
  await Promise.all([once(echo, 'exit'), gateway.stop()])
  folder.remove()
  const [encrypt, bare] = [median(rates.encrypt), median(rates.echo)]
  return {
    name: 'Encrypt end to end / bare Fastify echo',
    value: encrypt / bare,
    unit: '',
    reach: { atLeast: 0.3 },
    details: `${Math.round(encrypt)}/s against ${Math.round(bare)}/s`,
  }
}

/** 200 signed requests that differ, for a new key of this gateway. */
export async function encryptScript(folder: DataFolder, gateway: BenchGateway): Promise<string> {
  const { KeyMetadata } = await gateway.client.send(new CreateKeyCommand({}))
  const bodies = Array.from({ length: 200 }, (_, i) => ({
    KeyId: KeyMetadata!.KeyId,
    Plaintext: Buffer.alloc(32, i).toString('base64'),
    EncryptionContext: { tenant: `tenant-${i}` },
  }))
  const script = join(folder.path, 'encrypt.lua')
  await writeSigned(script, gateway.url, 'Encrypt', bodies, folder.credentials)
  return script
}
