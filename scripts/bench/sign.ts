import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { CreateKeyCommand, type KeySpec, type SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { readConfig } from '../../src/config.ts'
import { bareRate } from './bare.ts'
import { type Figure, median } from './figure.ts'
import { type BenchGateway, DataFolder } from './gateway.ts'
import { load, writeSigned } from './load.ts'

const signers: readonly { spec: KeySpec; algorithm: SigningAlgorithmSpec; atLeast: number }[] = [
  { spec: 'RSA_2048', algorithm: 'RSASSA_PKCS1_V1_5_SHA_256', atLeast: 0.85 },
  { spec: 'ECC_NIST_P256', algorithm: 'ECDSA_SHA_256', atLeast: 0.4 },
]

/**
 * Sign, end to end, against what one process gets from the same token by pkcs11js alone, in turns. Both use keys that are kept on the
 * token; what it makes of a key of the session is said beside it.
 */
export async function signAgainstToken(): Promise<Figure[]> {
  const folder = new DataFolder()
  const gateway = await folder.serve()
  const figures: Figure[] = []
  for (const { spec, algorithm, atLeast } of signers) {
    const script = await signScript(folder, gateway, spec, algorithm)
    await load(gateway.url, script, 10)
    const rates = { gateway: [] as number[], token: [] as number[], session: [] as number[] }
    for (let round = 0; round < 4; round++) {
      for (const place of ['token', 'session'] as const) rates[place].push(await bareSignRate(folder, spec, place))
      rates.gateway.push((await load(gateway.url, script, 4)).requestsPerSecond)
    }
    const [signed, bare, ofSession] = [median(rates.gateway), median(rates.token), median(rates.session)]
    figures.push({
      name: `Sign with ${spec} end to end / pkcs11js alone`,
      value: signed / bare,
      unit: '',
      reach: { atLeast },
      details: `${Math.round(signed)}/s against ${Math.round(bare)}/s; ${Math.round(ofSession)}/s with a key of the session`,
    })
  }
  await gateway.stop()
  folder.remove()
  return figures
}

async function signScript(
  folder: DataFolder,
  gateway: BenchGateway,
  spec: KeySpec,
  SigningAlgorithm: SigningAlgorithmSpec,
): Promise<string> {
  const { KeyMetadata } = await gateway.client.send(new CreateKeyCommand({ KeySpec: spec, KeyUsage: 'SIGN_VERIFY' }))
  const bodies = Array.from({ length: 200 }, () => ({
    KeyId: KeyMetadata!.KeyId,
    Message: randomBytes(32).toString('base64'),
    MessageType: 'DIGEST',
    SigningAlgorithm,
  }))
  const script = join(folder.path, `${spec}.lua`)
  await writeSigned(script, gateway.url, 'Sign', bodies, folder.credentials)
  return script
}

/** Signatures a second. */
function bareSignRate(folder: DataFolder, spec: KeySpec, place: 'token' | 'session'): Promise<number> {
  const { library, pinFile, environment } = Object.values(readConfig(join(folder.path, 'strongroom.yaml')).hsms)[0]!
  return bareRate('bare-sign.ts', [library, pinFile!, spec, '3', place], environment)
}
