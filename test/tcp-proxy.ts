/** A TCP proxy that is as bad as a network can be, for what is between a gateway and its database. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { freePort } from './free-port.ts'

/** A client, and its connection to the target. */
interface Link {
  readonly client: Socket
  readonly target: Socket
}

/** Sees each piece of what is sent, before it is: `cut` resets the connection, which has an identity, and sends nothing of it. */
export type Tap = (data: Buffer, from: 'client' | 'target', cut: () => void, connection: object) => void

export class TcpProxy implements AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly port: number
  /** Of what is sent from now on. */
  tap: Tap | undefined
  /** Milliseconds by which each piece is late, in either direction. */
  delay = 0
  readonly #target: { readonly host: string; readonly port: number }
  #server: Server
  readonly #links = new Set<Link>()
  #stalled = false

  private constructor(server: Server, target: { readonly host: string; readonly port: number }) {
    this.#server = server
    this.#target = target
    this.port = (server.address() as AddressInfo).port
    server.on('connection', client => this.#link(client))
  }

  static async to(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
    return new TcpProxy(await listen(await freePort()), target)
  }

  /** Resets every connection; new ones are accepted. */
  cut(): void {
    for (const link of this.#links) this.#cut(link)
  }

  /** From now on nothing passes and nothing is closed, whoever sends or connects, until `resume`: as without a network. */
  stall(): void {
    this.#stalled = true
    for (const link of this.#links) this.stallOnly(link)
  }

  /** The same for one connection: see Tap. */
  stallOnly(connection: object): void {
    const { client, target } = connection as Link
    client.pause()
    target.pause()
  }

  resume(): void {
    this.#stalled = false
    for (const { client, target } of this.#links) {
      client.resume()
      target.resume()
    }
  }

  /** The target's ends are reset, and the clients' never learn of it: what they send disappears. */
  halfOpen(): void {
    for (const { client, target } of this.#links) {
      target.removeAllListeners('close').on('error', () => {})
      target.resetAndDestroy()
      client.removeAllListeners('data').on('data', () => {})
    }
  }

  /** New connections are refused, until `accept`. Those that exist stay. */
  async refuse(): Promise<void> {
    this.#server.close()
    if (this.#links.size === 0) await once(this.#server, 'close')
  }

  async accept(): Promise<void> {
    this.#server = await listen(this.port)
    this.#server.on('connection', client => this.#link(client))
  }

  /** How many clients are connected. */
  get connections(): number {
    return this.#links.size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    if (this.#server.listening) await once(this.#server.close(), 'close')
  }

  #link(client: Socket): void {
    const target = connect(this.#target)
    const link = { client, target }
    this.#links.add(link)
    this.#pass(link, 'client')
    this.#pass(link, 'target')
    if (this.#stalled) client.pause()
  }

  #pass(link: Link, name: 'client' | 'target'): void {
    const from = link[name]
    const to = name === 'client' ? link.target : link.client
    from.setNoDelay(true)
    from.on('data', data => {
      let isCut = false
      this.tap?.(data, name, () => (isCut = true), link)
      if (isCut) this.#cut(link)
      else if (this.delay === 0) to.write(data)
      else setTimeout(() => to.writable && to.write(data), this.delay)
    })
    from.on('end', () => to.end())
    from.on('error', () => to.resetAndDestroy())
    from.on('close', () => {
      if (link.client.closed && link.target.closed) this.#links.delete(link)
    })
  }

  #cut({ client, target }: Link): void {
    client.resetAndDestroy()
    target.resetAndDestroy()
  }
}

async function listen(port: number): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}
