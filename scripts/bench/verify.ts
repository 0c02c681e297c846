import { execFileSync } from 'node:child_process'
import { createHash, createPublicKey } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TrustedKeys } from '../../src/audit/checkpoint.ts'
import { blockOf, type Head, noHash } from '../../src/audit/format.ts'
import { ChangeNumbers } from '../../src/audit/verify/change-numbers.ts'
import { Source } from '../../src/audit/verify/source.ts'
import { Statements } from '../../src/audit/verify/statements.ts'
import { verifyJournal } from '../../src/audit/verify/verify.ts'
import { SignerKey } from '../../test/audit/verify/signed-journal.ts'
import type { Figure } from './figure.ts'

const records = 1_000_000
/** Of a group commit: some callers at a time, then many. */
const recordsPerBlock = [1, 4, 16, 48]
const blocksPerCheckpoint = 5000

/** Verification of a journal of a million records, in processor time; against SHA-256 of the same bytes; and its memory, against a tenth of the records. */
export async function verifyAMillion(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-verify-'))
  try {
    const key = new SignerKey()
    const [file, small] = [join(folder, 'audit.jsonl'), join(folder, 'small.jsonl')]
    const bytes = writeRecords(file, key, records)
    writeRecords(small, key, records / 10)
    const hashing = await processorTime(async () => hashFile(file))
    const verifying = await processorTime(() => verify(file, key))
    const pem = join(folder, 'key.pem')
    writeFileSync(
      pem,
      createPublicKey({ key: key.publicKey, format: 'der', type: 'spki' }).export({ type: 'spki', format: 'pem' }),
    )
    const [most, least] = [file, small].map(journal => peakMemory(journal, pem, join(folder, 'peak')))
    const rate = (seconds: number) => bytes / 1e6 / seconds
    return [
      {
        name: 'audit verify: a million records, per core',
        value: rate(verifying),
        unit: 'MB/s',
        reach: { atLeast: 200 },
        details: `${(bytes / 1e6).toFixed(0)} MB; SHA-256 alone ${rate(hashing).toFixed(0)} MB/s`,
      },
      { name: 'audit verify: rate / SHA-256 alone', value: hashing / verifying, unit: '', reach: { atLeast: 0.2 } },
      {
        name: 'audit verify: peak memory / of a tenth',
        value: most! / least!,
        unit: '',
        reach: { atMost: 1.25 },
        details: `${(most! / 1e6).toFixed(0)} MB against ${(least! / 1e6).toFixed(0)} MB`,
      },
    ]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Bytes that the command takes at most. */
function peakMemory(file: string, publicKey: string, peakFile: string): number {
  const preload = `--import=${join(import.meta.dirname, 'peak-memory-preload.ts')}`
  const args = ['audit', 'verify', file, '--public-key', publicKey, '--max-unsigned', '100000d']
  execFileSync(process.execPath, [preload, join(import.meta.dirname, '../../src/main.ts'), ...args], {
    env: { ...process.env, PEAK_MEMORY_FILE: peakFile },
  })
  return Number(readFileSync(peakFile, 'utf8'))
}

async function verify(file: string, key: SignerKey): Promise<void> {
  const source = await Source.open(file, true)
  const { verdict } = await verifyJournal([source], {
    keys: new TrustedKeys([key.publicKey]),
    checkpoints: [],
    statements: new Statements(new ChangeNumbers()),
    maxUnsigned: 0,
    patience: 0,
    report: finding => console.error(finding),
  })
  await source.close()
  if (!verdict.isWhole || verdict.records !== records) throw new Error('the journal of the benchmark is not whole')
}

/** Seconds. */
async function processorTime(work: () => Promise<void>): Promise<number> {
  const begin = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(begin)
  return (user + system) / 1e6
}

function hashFile(file: string): void {
  const digest = createHash('sha256')
  const descriptor = openSync(file, 'r')
  const chunk = Buffer.alloc(1024 * 1024)
  for (let read = -1; read !== 0; ) {
    read = readSync(descriptor, chunk)
    digest.update(chunk.subarray(0, read))
  }
  digest.digest()
  closeSync(descriptor)
}

/** @returns bytes */
function writeRecords(file: string, key: SignerKey, count: number): number {
  const time = '2026-01-01T00:00:00Z'
  const descriptor = openSync(file, 'w')
  let length = 0
  let head: Head = { journal: '0f8fad5b-d9cb-469f-a165-70867728950e', segment: 1, block: 0, record: 0, hash: noHash }
  const write = (lines: readonly object[], added: number) => {
    const block = blockOf(lines.map(line => `${JSON.stringify(line)}\n`).join(''), added, head)
    head = block.head
    length += writeSync(descriptor, block.bytes)
  }
  write([{ segment: { version: 1, journal: head.journal, number: 1, time } }], 0)
  while (head.record < count) {
    const some = Math.min(recordsPerBlock[head.block % recordsPerBlock.length]!, count - head.record)
    write(
      Array.from({ length: some }, (_, index) => recordOf(head.record + index, time)),
      some,
    )
    if (head.block % blocksPerCheckpoint === 0) write([{ checkpoint: key.checkpoint(head, time) }], 0)
  }
  write([{ checkpoint: key.checkpoint(head, time) }], 0)
  closeSync(descriptor)
  return length
}

/** Of an Encrypt. */
function recordOf(number: number, eventTime: string): object {
  const account = '111122223333'
  const id = number.toString(16).padStart(12, '0')
  return {
    eventVersion: '1.11',
    eventCategory: 'Management',
    managementEvent: true,
    eventSource: 'kms.amazonaws.com',
    eventID: `0199f7c1-1f0e-7b3e-9c1e-${id}`,
    requestID: `3c0d1de5-1f0e-4f0e-8a6e-${id}`,
    eventTime,
    eventType: 'AwsApiCall',
    eventName: 'Encrypt',
    readOnly: true,
    awsRegion: 'eu-west-1',
    recipientAccountId: account,
    userIdentity: {
      type: 'IAMUser',
      principalId: 'AIDAEXAMPLE',
      arn: `arn:aws:iam::${account}:user/alice`,
      accountId: account,
      accessKeyId: 'AKIAEXAMPLE',
      userName: 'alice',
    },
    sourceIPAddress: '192.0.2.1',
    userAgent: 'aws-sdk-js/3.1000.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#24.0.0 api/kms#3.1000.0',
    requestParameters: {
      keyId: 'alias/orders',
      encryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      encryptionContext: { app: 'orders' },
    },
    responseElements: null,
    resources: [
      {
        ARN: `arn:aws:kms:eu-west-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`,
        accountId: account,
        type: 'AWS::KMS::Key',
      },
    ],
  }
}
