import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { freePort } from '../free-port.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'

/** The gateway beside moto's server, in emulator mode: KMS here, everything else there, with one set of credentials. */

const python = 'python3'

function hasMoto(): boolean {
  try {
    execFileSync(python, ['-c', 'import moto.server, boto3'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** What an application does: nothing in it knows either emulator. */
const application = `
import boto3
kms, s3, sts = boto3.client("kms"), boto3.client("s3"), boto3.client("sts")
key = kms.create_key(Tags=[{"TagKey": "_custom_id_", "TagValue": "bffb20d8-35ca-4408-9d54-f775b929b38d"}])["KeyMetadata"]
kms.create_alias(AliasName="alias/app", TargetKeyId=key["KeyId"])
blob = kms.encrypt(KeyId="alias/app", Plaintext=b"a secret", EncryptionContext={"app": "x"})["CiphertextBlob"]
s3.create_bucket(Bucket="app")
s3.put_object(Bucket="app", Key="secret", Body=blob)
stored = s3.get_object(Bucket="app", Key="secret")["Body"].read()
print(kms.decrypt(CiphertextBlob=stored, EncryptionContext={"app": "x"})["Plaintext"].decode())
print(key["Arn"].split(":")[4] == sts.get_caller_identity()["Account"], key["KeyId"])
`

describe.skipIf(!hasMoto())('an application beside moto', () => {
  let installation: Installation
  let gateway: Gateway
  let moto: ChildProcess
  let motoPort: number

  beforeAll(async () => {
    installation = await install()
    installation.configure(config => {
      // The account of moto.
      config.emulator = { account: '123456789012', spareRsaKeys: 0 }
    })
    motoPort = await freePort()
    moto = spawn(python, ['-m', 'moto.server', '-p', String(motoPort)], { stdio: 'ignore' })
    gateway = await serve(installation)
    const answers = () =>
      fetch(`http://127.0.0.1:${motoPort}/`).then(
        ({ ok }) => ok,
        () => false,
      )
    await vi.waitUntil(answers, { timeout: 30_000, interval: 200 })
  }, 60_000)
  afterAll(async () => {
    moto?.kill()
    await gateway?.stop()
    installation?.remove()
  })

  it('has its keys in the HSM, and everything else in moto', { timeout: 60_000 }, async () => {
    const { stdout } = await promisify(execFile)(python, ['-c', application], {
      env: {
        PATH: process.env.PATH,
        AWS_ENDPOINT_URL: `http://127.0.0.1:${motoPort}`,
        AWS_ENDPOINT_URL_KMS: gateway.url,
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test',
        AWS_DEFAULT_REGION: 'us-east-1',
      },
    })
    expect(stdout).toBe('a secret\nTrue bffb20d8-35ca-4408-9d54-f775b929b38d\n')
    expect(
      gateway
        .records()
        .slice(-4)
        .map(({ eventName }) => eventName),
    ).toEqual(['CreateKey', 'CreateAlias', 'Encrypt', 'Decrypt'])
  })
})
