import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { principalArn } from '../../src/model/arn.ts'
import type { Principal } from '../../src/model/identities/principal.ts'
import { openStorage } from '../../src/storage/sql-storage.ts'
import { Changes } from '../../src/storage/storage.ts'
import { openInThread } from '../../src/storage/threaded-database.ts'
import { type Figure, median } from './figure.ts'
import { announcedUrl, DataFolder, freePort } from './gateway.ts'
import { addKeys } from './scale.ts'

/** From ./scripts/start to an answer of /readyz, with everything installed. */
export async function startToReady(): Promise<Figure[]> {
  const folder = new DataFolder()
  await addKeys(folder, 100)
  const withKeys = await startsOf(folder, 'start to ready with 100 keys', 1.5)
  await addIdentities(folder, 10_000)
  const withIdentities = await startsOf(folder, 'start to ready with 10,000 users and roles', 2)
  folder.remove()
  return [withKeys, withIdentities]
}

async function startsOf(folder: DataFolder, name: string, atMost: number): Promise<Figure> {
  const times: number[] = []
  for (let round = 0; round < 5; round++) times.push(await start(folder))
  return {
    name,
    value: median(times) / 1000,
    unit: 's',
    reach: { atMost },
    details: times.map(time => `${Math.round(time)} ms`).join(', '),
  }
}

/** Milliseconds. */
async function start(folder: DataFolder): Promise<number> {
  const begun = performance.now()
  const script = join(import.meta.dirname, '../start')
  const args = ['--data', folder.path, '--port', String(await freePort())]
  const child = spawn(script, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const url = await announcedUrl(child)
  const { status } = await fetch(`${url}/readyz`)
  if (status !== 200) throw new Error('the gateway is not ready')
  const time = performance.now() - begun
  child.kill('SIGTERM')
  await once(child, 'exit')
  return time
}

/** As many users as roles, of 100 accounts, each with a policy of its own. */
async function addIdentities(folder: DataFolder, count: number): Promise<void> {
  const storage = await openStorage(await openInThread({ path: join(folder.path, 'strongroom.db'), create: false }), {
    now: Date.now(),
  })
  const changes = new Changes()
  for (let i = 0; i < 100; i++) changes.put('accounts', { id: accountOf(i), createdAt: 0, revision: 0 })
  for (let i = 0; i < count; i++) changes.put('principals', principal(i))
  await storage.commit(changes)
  await storage.close()
}

function accountOf(index: number): string {
  return String(200_000_000_000 + (index % 100))
}

function principal(index: number): Principal {
  const account = accountOf(index >> 1)
  const isUser = index % 2 === 0
  const name = `${isUser ? 'user' : 'role'}-${index}`
  const common = {
    arn: principalArn('aws', account, `${isUser ? 'user' : 'role'}/${name}`),
    account,
    name,
    principalId: `${isUser ? 'AIDA' : 'AROA'}${String(index).padStart(17, '0')}`,
    inlinePolicies: [{ name: 'own', document: policy({ Action: ['kms:Encrypt', 'kms:Decrypt'], Resource: '*' }) }],
    managedPolicies: [],
    tags: [{ TagKey: 'team', TagValue: `team-${index % 7}` }],
    createdAt: 0,
    revision: 0,
  }
  if (isUser) return { ...common, type: 'user', groups: [] }
  const trustPolicy = policy({ Action: 'sts:AssumeRole', Principal: { AWS: `arn:aws:iam::${account}:root` } })
  return { ...common, type: 'role', trustPolicy, maxSessionDuration: 3600 }
}

function policy(statement: object): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] })
}
