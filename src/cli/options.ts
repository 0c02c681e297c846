import { join } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'

/** Options shared by several commands. */

export interface ConfigOptions {
  readonly data: string
  readonly config?: string
}

export function dataOption(): Option {
  return new Option('--data <dir>', 'data folder').default('./data')
}

export function configOption(): Option {
  return new Option('--config <file>', 'configuration file (default: strongroom.yaml in the data folder)')
}

export function configFile({ data, config }: ConfigOptions): string {
  return config ?? join(data, 'strongroom.yaml')
}

export function parseAccount(text: string): string {
  if (/^\d{12}$/.test(text)) return text
  throw new InvalidArgumentError('An account ID has 12 digits.')
}

export function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65535) return port
  throw new InvalidArgumentError('A port is a number from 0 to 65535.')
}
