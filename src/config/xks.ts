import { z } from 'zod'
import { OperatorError } from '../errors.ts'
import { size } from '../quantities.ts'
import { isLoopback } from './urls.ts'

/** The XKS proxy that is served: see docs/xks.md. */
export const xks = z.strictObject({
  listen: z.strictObject({
    host: z.string().default('127.0.0.1'),
    port: z.int().min(0).max(65535).default(7702),
    maxBodyMemory: size('1MiB').prefault('32MiB'),
    maxConnections: z.int().min(1).default(1024),
    tls: z.strictObject({ certificateFile: z.string(), keyFile: z.string() }).optional(),
    clientCaFile: z.string().optional(),
  }),
})

type Xks = z.infer<typeof xks>

/** Throws OperatorError. */
export function checkXks({ listen: { host, tls, clientCaFile } }: Xks): void {
  if (tls !== undefined) return
  if (!isLoopback(host))
    throw new OperatorError(`xks.listen.host: ${host} is not a loopback address: set xks.listen.tls`)
  if (clientCaFile !== undefined)
    throw new OperatorError('xks.listen.clientCaFile: there are client certificates with TLS only: set xks.listen.tls')
}

export function withAbsoluteXksFiles({ listen }: Xks, absolute: (path: string) => string): Xks {
  const { tls, clientCaFile } = listen
  return {
    listen: {
      ...listen,
      ...(tls && { tls: { certificateFile: absolute(tls.certificateFile), keyFile: absolute(tls.keyFile) } }),
      ...(clientCaFile !== undefined && { clientCaFile: absolute(clientCaFile) }),
    },
  }
}
