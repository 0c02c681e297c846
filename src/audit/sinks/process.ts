/** The process that delivers to one sink. Whatever it waits for, the gateway does not. Ends when told to, and when the gateway is gone. */
import { Socket } from 'node:net'
import type { SinkConfig } from '../../config/audit-sinks.ts'
import { Cursor } from './cursor.ts'
import { type FromSink, receive, type SinkStart, send, type ToSink } from './messages.ts'
import { Shipper } from './shipper.ts'
import type { Sink } from './sink.ts'
import { Spool } from './spool.ts'

const gateway = new Socket({ fd: 3 })
const report = (message: FromSink) => send(gateway, message)
const { promise: started, resolve } = Promise.withResolvers<Shipper>()

/** Loads what the type needs, and nothing else. */
async function sinkOf(config: SinkConfig): Promise<Sink> {
  switch (config.type) {
    case 'file':
      return new (await import('./file.ts')).FileSink(config)
    case 'syslog':
      return new (await import('./syslog.ts')).SyslogSink(config)
    case 'webhook':
      return new (await import('./webhook.ts')).WebhookSink(config)
    case 's3':
      return new (await import('./s3.ts')).S3Sink(config)
  }
}

async function run({ sink: config, journal, cursor: file }: SinkStart): Promise<void> {
  const sink = await sinkOf(config)
  const { records, start, flushInterval, timeout } = config
  const spool = new Spool({ journal, records, batchSize: sink.batchSize })
  const cursor = new Cursor(file, reason => report({ failed: reason }))
  const shipper = new Shipper({ sink, spool, cursor, start, flushInterval, timeout, report })
  resolve(shipper)
  await shipper.run()
  gateway.end(end)
}

/** process.exit would wait for a name that is being looked up, or for a file that does not answer. */
function end(): void {
  process.kill(process.pid, 'SIGKILL')
}

// Terminals and service managers signal the whole process group, but there is still something to deliver: the gateway says when to end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
for (const event of ['error', 'close'] as const) gateway.on(event, end)

receive<ToSink>(gateway, message => {
  if ('start' in message) void run(message.start)
  else void started.then(shipper => ('durable' in message ? shipper.tell(message.durable) : shipper.close()))
})
