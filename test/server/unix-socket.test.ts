import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { listenOnSocket } from '../../src/server/unix-socket.ts'

let folder: string
const servers: Server[] = []
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'unix-socket-'))
})
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise(resolve => server.close(resolve))
})
afterAll(() => rmSync(folder, { recursive: true }))

async function listening(path: string): Promise<Server> {
  const server = createServer()
  await listenOnSocket(server, path)
  servers.push(server)
  return server
}

describe('a listener on a Unix socket', () => {
  it.each([
    ['a short path', 'socket'],
    ['a path that is too long for an address', `${'a'.repeat(120)}/socket`],
  ])('has one with %s, for its owner only', async (_what, name) => {
    const path = join(folder, name)
    mkdirSync(join(path, '..'), { recursive: true })
    await listening(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(path).isSocket()).toBe(true)
  })

  it('leaves one that is in use to its process, and replaces one that is not', async () => {
    const path = join(folder, 'used')
    const first = await listening(path)
    await expect(listening(path)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    // As if its process had been killed: Node.js would remove it.
    const kept = join(folder, 'kept')
    symlinkSync(path, kept)
    await expect(listening(kept)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await new Promise(resolve => first.close(resolve))
    servers.splice(0)
    await listening(path)
  })

  it('does not replace a file of another kind', async () => {
    const path = join(folder, 'strongroom.db')
    writeFileSync(path, 'records')
    const link = join(folder, 'link')
    symlinkSync(path, link)
    const directory = join(folder, 'folder')
    mkdirSync(directory)
    for (const other of [path, link, directory])
      await expect(listening(other)).rejects.toMatchObject({ code: 'ENOTSOCK', message: `${other} is not a socket` })
    expect(readFileSync(link, 'utf8')).toBe('records')
  })
})
