import { chmodSync, copyFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { canMount, onSmallDisk } from '../storage/small-disk.ts'
import { type Gateway, install, recordsIn, serve, strongroom } from './gateway.ts'
import { refusal, send } from './requests.ts'

/** Full disks. Requires permission to mount a tmpfs, such as root in a container. */

/** Leaves no room on the disk of that directory, until it is undone. */
function fill(directory: string): () => void {
  const filler = join(directory, 'filler')
  const { bavail, bsize } = statfsSync(directory)
  writeFileSync(filler, Buffer.alloc(bavail * bsize))
  return () => rmSync(filler)
}

describe.skipIf(!canMount)('a gateway', () => {
  it('changes nothing that it cannot audit or store, and resumes when there is space', async () => {
    const installation = await install()
    let gateway: Gateway | undefined
    try {
      await onSmallDisk('256k', audit =>
        onSmallDisk('1m', async storage => {
          const file = join(audit, 'audit.jsonl')
          installation.configure(config => {
            config.audit.file = file
            config.storage.file = join(storage, 'strongroom.db')
          })
          copyFileSync(join(installation.folder, 'strongroom.db'), join(storage, 'strongroom.db'))
          chmodSync(join(storage, 'strongroom.db'), 0o600)
          gateway = await serve(installation)
          await withoutAudit(gateway, audit, file)
          await withoutStorage(gateway, storage)
          expect(await gateway.stop()).toBe(0)
          await withoutStart(installation.folder, storage)
        }),
      )
    } finally {
      await gateway?.kill()
      installation.remove()
    }
  })
})

async function withoutAudit(gateway: Gateway, disk: string, file: string): Promise<void> {
  const kms = gateway.client()
  const KeyId = (await kms.createKey({ Description: 'before' })).KeyMetadata!.KeyId!
  const empty = fill(disk)
  // The last page of the file may have room for some more records: an unsigned call leaves the shortest.
  while ((await send(gateway.url, { method: 'POST' })).status !== 500);
  expect(await refusal(kms.listKeys({}))).toBe('KMSInternalException')
  const before = recordsIn(file)

  const refused = [
    kms.createKey({}),
    kms.updateKeyDescription({ KeyId, Description: 'changed' }),
    kms.encrypt({ KeyId, Plaintext: Buffer.from('text') }),
    kms.describeKey({ KeyId: 'nonsense' }),
  ]
  expect(new Set(await Promise.all(refused.map(refusal)))).toEqual(new Set(['KMSInternalException']))
  const { status, body } = await send(gateway.url, { method: 'POST' })
  expect({ status, body }).toEqual({ status: 500, body: '{"__type":"KMSInternalException"}' })
  expect(recordsIn(file)).toEqual(before)
  const reported = gateway.complaints().flatMap(line => JSON.parse(line).requestId ?? [])
  expect(reported.length).toBeGreaterThan(refused.length)
  expect(new Set(reported).size).toBe(reported.length)

  empty()
  const { KeyMetadata } = await kms.describeKey({ KeyId })
  expect(KeyMetadata!.Description).toBe('before')
  expect((await kms.listKeys({})).Keys).toHaveLength(1)
  await kms.updateKeyDescription({ KeyId, Description: 'changed' })
  const names = recordsIn(file)
    .slice(before.length)
    .map(({ eventName }) => eventName)
  const recovery = 'RecoverAuditJournal'
  expect(names.filter(name => name !== recovery)).toEqual(['DescribeKey', 'ListKeys', 'UpdateKeyDescription'])
  expect(names.filter(name => name === recovery)).toHaveLength(1)
}

async function withoutStorage(gateway: Gateway, disk: string): Promise<void> {
  const kms = gateway.client()
  const KeyId = (await kms.listKeys({})).Keys![0]!.KeyId!
  const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })
  const empty = fill(disk)
  let described = 'changed'
  let last = 'no refusal'
  // The write-ahead log may have room for some more changes.
  for (let i = 0; last === 'no refusal'; i++) {
    last = await refusal(kms.updateKeyDescription({ KeyId, Description: `${i}`.padEnd(8000) }))
    if (last === 'no refusal') described = `${i}`.padEnd(8000)
  }
  expect(last).toBe('KMSInternalException')
  expect(await refusal(kms.createKey({}))).toBe('KMSInternalException')
  expect((await send(`${gateway.url}/readyz`, {})).body).toContain('"storage":"failing"')
  expect((await kms.describeKey({ KeyId })).KeyMetadata!.Description).toBe(described)
  expect((await kms.listKeys({})).Keys).toHaveLength(1)
  expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!).toString()).toBe('text')

  empty()
  await kms.updateKeyDescription({ KeyId, Description: 'after' })
  expect((await kms.describeKey({ KeyId })).KeyMetadata!.Description).toBe('after')
}

/** A disk that is full from the start. */
async function withoutStart(folder: string, disk: string): Promise<void> {
  const empty = fill(disk)
  const { code, stdout, stderr } = await strongroom(['serve', '--data', folder, '--port', '0'])
  expect({ code, stdout, stderr }).toEqual({
    code: 1,
    stdout: '',
    stderr: `strongroom: storage ${join(disk, 'strongroom.db')} cannot be written: the disk is full\n`,
  })
  empty()
}
