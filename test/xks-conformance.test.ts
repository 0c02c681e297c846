/** The conformance suite for XKS proxies finds each kind of fault, and none in a proxy that has none. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readOptions } from '../scripts/xks-conformance/options.ts'
import { checks as allChecks, conformance } from '../scripts/xks-conformance/suite.ts'
import { makeCertificate } from './server/certificates.ts'
import { credential, type Faults, health, serveXks } from './xks-proxy-server.ts'

const weak = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }
const unwell = { id: '1', model: 'Memory', healthStatus: 'FINE' }
const aes = { keySpec: 'AES_256', keyUsage: ['ENCRYPT', 'DECRYPT'], keyStatus: 'ENABLED' }
function joined(aad: Buffer | undefined, metadata: Buffer | undefined): Buffer {
  return Buffer.concat([aad, metadata].filter(part => part !== undefined))
}

let folder: string
let tls: { readonly certificateFile: string; readonly keyFile: string }
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-conformance-'))
  tls = { certificateFile: join(folder, 'certificate.pem'), keyFile: join(folder, 'key.pem') }
  makeCertificate(tls)
  writeFileSync(join(folder, 'secret'), `${credential.secretAccessKey}\n`)
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs the suite; resolves to the lines of the outcomes and to the rest. */
async function run(faults: Partial<Faults>, ...args: readonly string[]) {
  const server = await serveXks(tls, faults)
  try {
    const access = ['--access-key-id', credential.accessKeyId, '--secret-file', join(folder, 'secret')]
    const place = ['--region', 'us-east-1', '--key', 'key', '--ca', tls.certificateFile]
    const lines: string[] = []
    const outcomes = await conformance(readOptions([server.url, ...access, ...place, ...args]), line =>
      lines.push(line),
    )
    return { outcomes, lines }
  } finally {
    server.close()
  }
}

describe('the conformance suite', () => {
  it('finds nothing wrong with a proxy that follows the specification, whichever choices it makes', async () => {
    const choices: readonly Partial<Faults>[] = [
      {},
      { ivLength: 16, ciphertextMetadata: Buffer.alloc(0), longestPlaintext: 4300, longestAad: 8192, errorMessage: '' },
    ]
    for (const choice of choices) {
      const { outcomes, lines } = await run(choice, '--strict', '--disabled-key', 'disabled')
      expect(lines.filter(line => /^(fail|warn)/.test(line))).toEqual([])
      expect(outcomes.map(({ name }) => name.replace(/^\S+ /, ''))).toEqual(allChecks.map(({ name }) => name))
      expect(lines.filter(line => line.startsWith('info  '))).toHaveLength(5)
      expect(lines.join('\n')).not.toContain(credential.secretAccessKey)
    }
  })

  it.each<[string, Partial<Faults>, string]>([
    ['GET', { acceptsGet: true }, 'answer 405 to GET, signed'],
    ['PUT', { acceptsPut: true }, 'answer 405 to PUT and DELETE'],
    ['weaker cipher suites only', { tls: weak }, 'with one of the cipher suites of KMS'],
    ['a wrong clock', { clockOffset: 90 }, 'have a clock that is right within a minute'],
    ['closed connections', { closes: true }, 'keep a connection open'],
    ['input before authentication', { readsBodyFirst: true }, 'before it looks at the input'],
    ['keys before authentication', { looksUpKeyFirst: true }, 'not tell whether a key exists'],
    ['any region', { ignores: ['region'] }, 'for another region'],
    ['any service', { ignores: ['service'] }, 'for another service'],
    ['any end of the scope', { ignores: ['terminator'] }, 'with another end of the scope'],
    ['any day of the scope', { ignores: ['scopeDate'] }, 'whose scope has another day'],
    ['no signed Host', { ignores: ['host'] }, 'without Host among the signed headers'],
    ['signed headers that are not sent', { ignores: ['absent'] }, 'a header that is not sent'],
    ['an unsigned body', { ignores: ['body'] }, 'that leaves the body out'],
    ['replays', { ignores: ['time'] }, 'that is 6 minutes old, such as a replay'],
    ['requests from the future', { skew: 7 }, '6 minutes in the future'],
    ['a time that is none', { ignores: ['time'] }, 'to a time that is none'],
    ['a tolerance that is too small', { skew: 3 }, 'accept a request that is 4 minutes old'],
    ['two signed headers only', { signedHeadersOnly: true }, 'accept signed headers besides'],
    ['403 for authentication', { wrongStatus: { AuthenticationFailedException: 403 } }, 'without a signature'],
    ['500 for a ciphertext', { wrongStatus: { InvalidCiphertextException: 500 } }, 'to another ciphertext'],
    ['400 for a key', { wrongStatus: { KeyNotFoundException: 400 } }, 'for a key that does not exist'],
    ['another errorName', { wrongName: { InvalidUriPathException: 'NotFound' } }, 'to a path that is none of the API'],
    ['errors in plain text', { textErrors: true }, 'without a signature'],
    ['an errorMessage with a line break', { errorMessage: 'a\nb' }, 'without a signature'],
    ['an errorMessage that is too long', { errorMessage: 'x'.repeat(512) }, 'without a signature'],
    ['another Content-Type', { contentType: 'text/html' }, 'answer health requests'],
    ['a fleet of size 0', { health: { ...health, xksProxyFleetSize: 0 } }, 'answer health requests'],
    ['a fleet without entries', { health: { ...health, ekmFleetDetails: [] } }, 'answer health requests'],
    ['an unknown healthStatus', { health: { ...health, ekmFleetDetails: [unwell] } }, 'answer health requests'],
    ['another key spec', { metadata: { ...aes, keySpec: 'AES_128' } }, 'describe the key as an enabled AES_256 key'],
    ['a disabled key', { metadata: { ...aes, keyStatus: 'DISABLED' } }, 'describe the key as an enabled AES_256 key'],
    ['no usage', { metadata: { ...aes, keyUsage: 'ENCRYPT' } }, 'describe the key as an enabled AES_256 key'],
    ['a disabled key that works', { wrongStatus: { InvalidStateException: 200 } }, 'to who uses a disabled key'],
    ['members twice', { lenient: ['json'] }, 'with a member that occurs twice'],
    ['bytes that are no UTF-8', { lenient: ['utf8'] }, 'that is not UTF-8'],
    ['what is not base64', { lenient: ['base64'] }, 'to what is not base64 at all'],
    ['base64 in other forms', { lenient: ['base64'] }, 'base64 without padding'],
    ['any algorithm', { lenient: ['algorithm'] }, 'to another encryptionAlgorithm'],
    ['members that are no texts', { lenient: ['metadata'] }, 'that are no texts'],
    ['no kmsRequestId', { requires: ['awsPrincipalArn', 'kmsOperation'] }, 'without kmsRequestId'],
    ['kmsKeyArn for metadata', { requires: ['kmsKeyArn'] }, 'describe a key without kmsKeyArn'],
    ['known operations only', { knownOperationsOnly: true }, 'accept a kmsOperation that it does not know'],
    ['known members only', { knownMembersOnly: true }, 'ignore members that it does not know'],
    ['short ARNs only', { longestArn: 2047 }, 'accept ARNs of 2048 characters'],
    ['short plaintexts only', { longestPlaintext: 4299 }, 'encrypt and decrypt plaintexts'],
    ['short AAD only', { longestAad: 8191 }, 'take AAD of up to 8192 bytes'],
    ['an IV of 8 bytes', { ivLength: 8 }, 'encrypt and decrypt plaintexts'],
    ['the same IV', { sameIv: true }, 'never use an initialization vector twice'],
    ['the tag behind the ciphertext', { tagBehind: true }, 'encrypt and decrypt plaintexts'],
    ['ciphertextMetadata of 21 bytes', { ciphertextMetadata: Buffer.alloc(21) }, 'encrypt and decrypt plaintexts'],
    ['no CDIV', { integrity: 'never' }, 'return the right ciphertextDataIntegrityValue'],
    ['a CDIV over lengths', { integrity: 'withLengths' }, 'return the right ciphertextDataIntegrityValue'],
    ['a CDIV that was not asked for', { integrity: 'always' }, 'return no ciphertextDataIntegrityValue'],
    ['any tag', { acceptsAnyTag: true }, 'to another authentication tag'],
    ['any AAD', { aadOf: (_aad, metadata) => metadata ?? Buffer.alloc(0) }, 'to another AAD'],
    ['any ciphertextMetadata', { aadOf: aad => aad ?? Buffer.alloc(0) }, 'that was changed, shortened or left out'],
    ['AAD without lengths', { aadOf: joined }, 'that was moved into the AAD'],
    [
      'empty AAD',
      { aadOf: (aad, metadata) => Buffer.concat([Buffer.of(Number(!aad)), joined(aad, metadata)]) },
      'absent and empty AAD',
    ],
    ['plaintexts of others', { mixesUp: true }, 'many requests at the same time'],
  ])('finds a proxy that goes wrong by %s', async (_, faults, name) => {
    const { outcomes } = await run(faults, '--strict', '--only', name, '--disabled-key', 'disabled')
    expect(outcomes.length).toBeGreaterThan(0)
    expect(outcomes.map(({ verdict }) => verdict)).toContain('fail')
    for (const { verdict, reason } of outcomes) if (verdict === 'fail') expect(reason).toMatch(/^expected .+, got ./s)
  })

  it.each([
    [0, {}, []],
    [1, { acceptsGet: true }, []],
    [2, {}, ['--concurrency', '0']],
    [2, {}, ['--configuration', 'nowhere.json']],
  ])('ends as a command with exit code %i', async (code, faults, more) => {
    const server = await serveXks(tls, faults)
    const access = ['--access-key-id', credential.accessKeyId, '--secret-file', join(folder, 'secret')]
    const rest = ['--region', 'us-east-1', '--key', 'key', '--ca', tls.certificateFile, '--only', '405 to GET, signed']
    const script = join(import.meta.dirname, '../scripts/xks-conformance/run.ts')
    const command = spawn(process.execPath, [script, server.url, ...access, ...rest, ...more], { stdio: 'ignore' })
    const [exitCode] = await once(command, 'exit')
    server.close()
    expect(exitCode).toBe(code)
  })

  it('shares no code with the gateway', () => {
    const folder = join(import.meta.dirname, '../scripts/xks-conformance')
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
    expect(files.length).toBeGreaterThan(10)
    for (const name of files) expect(readFileSync(join(folder, name), 'utf8'), name).not.toMatch(/from '[./]+src\//)
  })

  it('warns of what a proxy should do, and fails it only if it is asked to', async () => {
    const only = ['--only', 'with a member that occurs twice']
    expect((await run({ lenient: ['json'] }, ...only)).outcomes).toMatchObject([{ verdict: 'warn' }])
    expect((await run({ lenient: ['json'] }, ...only, '--strict')).outcomes).toMatchObject([{ verdict: 'fail' }])
  })

  it.each(['client', 'other'])('finds a proxy that takes any %s certificate', async which => {
    const files = [`--${which}-certificate`, tls.certificateFile, `--${which}-key`, tls.keyFile]
    const { outcomes } = await run({}, ...files, '--only', 'client certificate')
    const reason = expect.stringMatching(/^expected no answer, or 401, got HTTP\/1\.1 200/)
    expect(outcomes.filter(({ verdict }) => verdict !== 'skip')).toMatchObject([{ verdict: 'fail', reason }])
  })

  it('sends again what is refused because of the load, and says so', async () => {
    const { outcomes, lines } = await run({ throttles: 3 }, '--only', 'take absent and empty AAD', '--strict')
    expect(outcomes).toMatchObject([{ verdict: 'pass' }])
    expect(lines.at(-2)).toBe('info  sent again after 429 or 503: 3 requests')
  })

  it.each([
    ['no URL of version 1', ['https://localhost/kms/xks/v2', '--region', 'r', '--key', 'k'], 'kms/xks/v1'],
    ['no credential', ['https://localhost/kms/xks/v1', '--region', 'r', '--key', 'k'], 'name the credential'],
    ['no key', ['https://localhost/kms/xks/v1', '--region', 'r'], "'--key <id>' not specified"],
  ])('says what is missing: %s', (_, args, message) => {
    const errors = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    expect(() => readOptions(args)).toThrow(message)
    errors.mockRestore()
  })

  it('says that a proxy cannot be reached, or is not whom its certificate names', async () => {
    const unreachable = await run({}, '--connect-to', '127.0.0.1:1')
    expect(unreachable.outcomes).toMatchObject([{ verdict: 'fail', reason: expect.stringContaining('ECONNREFUSED') }])
    const untrusted = await run({}, '--ca', '/dev/null', '--only', 'have a certificate')
    expect(untrusted.outcomes).toMatchObject([{ verdict: 'fail', reason: expect.stringMatching(/certificate/) }])
  })
})
