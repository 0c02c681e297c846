import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { loopTime } from './calibration.ts'
import type { Figure } from './figure.ts'

const main = join(import.meta.dirname, '../../src/main.ts')
const lines = 40_000
const runs = 3
/** 100 us a line on the machine of calibration.ts: 10,000 lines a second. */
const longest = 8.8

const account = '111122223333'

/** A request of a session with a typical key policy and an identity-based one. @param name of statements, which makes policies differ */
function line(number: number, name: string): string {
  const role = `arn:aws:iam::${account}:role/orders`
  const resourcePolicy = {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: name,
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${account}:root` },
        Action: 'kms:*',
        Resource: '*',
      },
      {
        Sid: 'Allow use of the key',
        Effect: 'Allow',
        Principal: { AWS: role },
        Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey'],
        Resource: '*',
        Condition: { StringEquals: { 'kms:EncryptionContext:app': 'orders' } },
      },
      {
        Effect: 'Deny',
        Principal: '*',
        Action: 'kms:ScheduleKeyDeletion',
        Resource: '*',
        Condition: { NumericLessThan: { 'kms:ScheduleKeyDeletionPendingWindowInDays': 30 } },
      },
    ],
  }
  const request = {
    principal: `arn:aws:sts::${account}:assumed-role/orders/worker-${number % 100}`,
    action: number % 2 === 0 ? 'kms:Decrypt' : 'kms:CreateGrant',
    resource: `arn:aws:kms:eu-west-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`,
    context: { 'kms:EncryptionContext:app': [number % 3 === 0 ? 'orders' : 'invoices'], 'aws:SecureTransport': true },
  }
  const identity = { Version: '2012-10-17', Statement: { Sid: name, Effect: 'Allow', Action: 'kms:*', Resource: '*' } }
  return JSON.stringify({ request, resourcePolicy, identityPolicies: [identity] })
}

/** Microseconds a line, from the first answer to the last. */
async function timeALine(input: string): Promise<number> {
  const child = spawn(process.execPath, [main, 'policy', 'simulate'], { stdio: ['pipe', 'pipe', 'inherit'] })
  let [answered, first, last] = [0, 0, 0]
  child.stdout.on('data', (chunk: Buffer) => {
    last = performance.now()
    if (first === 0) first = last
    else for (const byte of chunk) if (byte === 0x0a) answered++
  })
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`policy simulate ended with ${code}`)
  return ((last - first) / answered) * 1000
}

/** Requests on standard input of `strongroom policy simulate`, with the same policies and with policies of their own. */
export async function simulatedLines(): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const [name, policies] of [
    ['the same policies', () => 'same'],
    ['policies of its own', (number: number) => `number ${number}`],
  ] as const) {
    const input = Array.from({ length: lines }, (_, number) => line(number, policies(number))).join('\n')
    const times: number[] = []
    for (let run = 0; run < runs; run++) times.push(await timeALine(input))
    const microseconds = Math.min(...times)
    figures.push({
      name: `policy simulate, a line with ${name}`,
      value: microseconds / loopTime(),
      unit: 'loops',
      reach: { atMost: longest },
      details: `${Math.round(1_000_000 / microseconds)} lines a second`,
    })
  }
  return figures
}
