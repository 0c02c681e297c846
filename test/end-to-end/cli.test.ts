import { execFile, execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'

/** A first session with the AWS CLI, configured by nothing but the two lines that the gateway prints. */

const cli = (() => {
  try {
    return execFileSync('aws', ['--version'], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
})()

describe.skipIf(cli === undefined)(`the AWS CLI (${cli ?? 'not installed: skipped'})`, () => {
  let installation: Installation
  let gateway: Gateway

  beforeAll(async () => {
    installation = await install()
    gateway = await serve(installation)
  })
  afterAll(async () => {
    await gateway?.stop()
    installation?.remove()
  })

  async function kms(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)('aws', ['kms', ...args], {
      env: {
        PATH: process.env.PATH,
        HOME: installation.folder,
        AWS_ENDPOINT_URL_KMS: gateway.url,
        AWS_SHARED_CREDENTIALS_FILE: join(installation.folder, 'credentials'),
      },
    })
    return stdout
  }

  it('creates a key, encrypts a file and decrypts it', async () => {
    const { KeyMetadata } = JSON.parse(await kms('create-key', '--description', 'first session'))
    expect(KeyMetadata).toMatchObject({ AWSAccountId: home, Description: 'first session', KeyState: 'Enabled' })
    const plain = join(installation.folder, 'plain')
    const sealed = join(installation.folder, 'sealed')
    writeFileSync(plain, 'a first secret')
    const context = ['--encryption-context', 'purpose=session']
    const encrypt = ['encrypt', '--key-id', KeyMetadata.KeyId, '--plaintext', `fileb://${plain}`, ...context]
    const encrypted = await kms(...encrypt, '--query', 'CiphertextBlob', '--output', 'text')
    writeFileSync(sealed, Buffer.from(encrypted, 'base64'))
    expect(readFileSync(sealed).includes('a first secret')).toBe(false)
    const decrypt = ['decrypt', '--ciphertext-blob', `fileb://${sealed}`, ...context]
    const decrypted = await kms(...decrypt, '--query', 'Plaintext', '--output', 'text')
    expect(Buffer.from(decrypted, 'base64').toString()).toBe('a first secret')
  })

  it('shows errors as it does those of AWS', async () => {
    await expect(kms('describe-key', '--key-id', 'alias/none')).rejects.toMatchObject({
      stderr: expect.stringContaining(
        `An error occurred (NotFoundException) when calling the DescribeKey operation: Alias arn:aws:kms:us-east-1:${home}:alias/none is not found.`,
      ),
    })
  })
})
