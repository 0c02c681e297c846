import type { Config } from '../config.ts'

/** Where metrics are served: by default at the port after that of the AWS KMS API; 0, any free port, if there is none. */
export function metricsAddress({ metrics: { host, port }, listen }: Pick<Config, 'metrics' | 'listen'>) {
  return { host, port: port ?? nextPort(listen.port) }
}

function nextPort(port: number): number {
  return port === 0 || port === 65535 ? 0 : port + 1
}
