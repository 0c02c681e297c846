import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { TcpProxy } from './tcp-proxy.ts'

/** The proxy in front of a server that sends everything back. */

let echo: Server
let proxy: TcpProxy
const atServer: Socket[] = []
beforeEach(async () => {
  echo = createServer(socket => {
    atServer.push(socket.on('error', () => {}))
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(echo, 'listening')
  proxy = await TcpProxy.to({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port })
})
afterEach(async () => {
  await proxy[Symbol.asyncDispose]()
  echo.close()
  atServer.length = 0
})

async function open(): Promise<Socket> {
  const socket = connect(proxy.port, proxy.host)
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

async function say(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  const [data] = (await once(socket, 'data')) as [Buffer]
  return data.toString()
}

const code = async (socket: Socket) => ((await once(socket, 'error')) as [NodeJS.ErrnoException])[0].code

it('passes everything on, and resets connections when it cuts them', async () => {
  const socket = await open()
  expect(await say(socket, 'one')).toBe('one')
  const reset = code(socket)
  proxy.cut()
  expect(await reset).toBe('ECONNRESET')
  expect(await say(await open(), 'two')).toBe('two')
})

it('passes nothing on while it stalls, and all of it afterwards', async () => {
  const before = await open()
  await say(before, 'zero')
  proxy.stall()
  const during = await open()
  const answers = Promise.all([say(before, 'one'), say(during, 'two')])
  expect(await Promise.race([answers, sleep(50, 'none')])).toBe('none')
  proxy.resume()
  expect(await answers).toEqual(['one', 'two'])
})

it('leaves clients in the dark when it is half open', async () => {
  const socket = await open()
  await say(socket, 'one')
  const ended = code(atServer[0]!)
  proxy.halfOpen()
  expect(await ended).toBe('ECONNRESET')
  expect(await Promise.race([say(socket, 'two'), sleep(50, 'none')])).toBe('none')
  expect(socket.readyState).toBe('open')
})

it('refuses new connections only', async () => {
  const socket = await open()
  await say(socket, 'zero')
  await proxy.refuse()
  expect(await code(connect(proxy.port, proxy.host))).toBe('ECONNREFUSED')
  expect(await say(socket, 'one')).toBe('one')
  await proxy.accept()
  expect(await say(await open(), 'two')).toBe('two')
})

it('cuts a connection at what is said, before or after it has passed', async () => {
  proxy.tap = (data, from, cut) => {
    if (from === 'target' && data.includes('answer')) cut()
  }
  const socket = await open()
  const heard: string[] = []
  if (atServer.length === 0) await once(echo, 'connection')
  atServer[0]!.on('data', data => heard.push(data.toString()))
  socket.write('answer')
  expect(await code(socket)).toBe('ECONNRESET')
  expect(heard).toEqual(['answer'])
})
