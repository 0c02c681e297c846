/** A name server for tests. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** Answers every question for an IPv4 address with this one: RFC 1035, section 4.1. To be closed. */
export async function startNameServer(ipv4: string): Promise<{ readonly server: Socket; readonly address: string }> {
  const server = createSocket('udp4').bind(0, '127.0.0.1')
  await once(server, 'listening')
  // The question again, and for type A one answer that points to its name.
  server.on('message', (query, { port, address }) => {
    const question = query.subarray(12, query.indexOf(0, 12) + 5)
    const isA = question.readUInt16BE(question.length - 4) === 1
    const header = Buffer.from([query[0]!, query[1]!, 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0])
    const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...ipv4.split('.').map(Number)])
    server.send(Buffer.concat([header, question, ...(isA ? [answer] : [])]), port, address)
  })
  return { server, address: `127.0.0.1:${server.address().port}` }
}
