/** Full disks of a fleet: of the journal of one gateway, and of the log of its database. Requires permission to mount a tmpfs. */
import { execFileSync } from 'node:child_process'
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { Fleet, type Member } from '../fleet/fleet.ts'
import { ownPostgresql } from '../postgresql.ts'
import { canMount, onSmallDisk } from '../storage/small-disk.ts'

vi.setConfig({ testTimeout: 180_000 })

/** Leaves no room on the disk of that folder, until it is undone. */
function fill(folder: string): () => void {
  const filler = join(folder, 'filler')
  const { bavail, bsize } = statfsSync(folder)
  writeFileSync(filler, Buffer.alloc(bavail * bsize))
  return () => rmSync(filler)
}

async function readiness({ url }: Member): Promise<unknown> {
  return (await fetch(`${url}/readyz`)).json()
}

describe.skipIf(!canMount)('a full disk', () => {
  it('of one gateway stops that one only, until there is space', async () => {
    await onSmallDisk('256k', async disk => {
      await using server = await ownPostgresql()
      const configure = (config: { audit: { file: string } }, number: number) => {
        if (number === 1) config.audit.file = join(disk, 'audit.jsonl')
      }
      await using fleet = await Fleet.start({ server, gateways: 2, configure })
      const [one, two] = fleet.members as [Member, Member]
      const { administrator } = fleet.clients
      const { KeyMetadata } = await administrator.expect(one.url, 'CreateKey', { Description: 'before' })
      const { KeyId } = KeyMetadata as { KeyId: string }
      const empty = fill(disk)
      // The last page of the file may have room for some more records.
      await vi.waitFor(async () => expect((await administrator.call(one.url, 'ListKeys', {})).status).toBe(500), 20_000)
      const change = { KeyId, Description: 'changed' }
      expect((await administrator.call(one.url, 'UpdateKeyDescription', change)).code).toBe('KMSInternalException')
      const { KeyMetadata: unchanged } = await administrator.expect(two.url, 'DescribeKey', { KeyId })
      expect(unchanged).toMatchObject({ Description: 'before' })
      await administrator.expect(two.url, 'UpdateKeyDescription', { KeyId, Description: 'by another' })
      const failing = { status: 'failing', parts: { audit: 'failing', storage: 'ok', lease: 'ok' } }
      await vi.waitFor(async () => expect(await readiness(one)).toMatchObject(failing), 20_000)
      expect(await readiness(two)).toMatchObject({ status: 'ok' })
      expect(one.complaints().some(line => line.includes('audit_write_failed'))).toBe(true)

      empty()
      await administrator.expect(one.url, 'UpdateKeyDescription', change)
      await vi.waitFor(async () => expect(await readiness(one)).toMatchObject({ status: 'ok' }), 20_000)
      await fleet.stop()
    })
  })

  it('of the log of the database stops changes, and cryptography goes on', async () => {
    await onSmallDisk('96m', async disk => {
      await using server = await ownPostgresql()
      await server.stop()
      const log = join(server.folder, 'data/pg_wal')
      execFileSync('sh', ['-c', 'chmod 755 "$1" && mv "$2" "$1/log" && ln -s "$1/log" "$2"', 'sh', disk, log])
      await server.start()
      await using fleet = await Fleet.start({ server, gateways: 2, lease: '60s' })
      const { administrator } = fleet.clients
      const [one, two] = fleet.members as [Member, Member]
      const { KeyMetadata } = await administrator.expect(one.url, 'CreateKey', {})
      const { KeyId } = KeyMetadata as { KeyId: string }
      const empty = fill(disk)
      await server.sql('create table filler (text text)')
      const write = 'insert into filler select repeat(md5(random()::text), 100) from generate_series(1, 2000)'
      await expect(
        (async () => {
          for (;;) await server.sql(write)
        })(),
      ).rejects.toThrow()
      for (const { url } of [one, two]) {
        const { code } = await administrator.call(url, 'UpdateKeyDescription', { KeyId, Description: 'changed' })
        expect(code).toBe('DependencyTimeoutException')
        await administrator.expect(url, 'Encrypt', { KeyId, Plaintext: 'AAAA' })
      }
      const lost = (member: Member) => member.complaints().filter(line => line.includes('database_lost'))
      for (const member of [one, two]) expect(lost(member)).not.toEqual([])

      empty()
      await server.start().catch(() => server.sql('select 1'))
      for (const { url } of [one, two]) {
        const change = { KeyId, Description: 'after' }
        await vi.waitFor(() => administrator.expect(url, 'UpdateKeyDescription', change), 20_000)
      }
      await fleet.stop()
    })
  })
})
