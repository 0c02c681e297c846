/** What the listener of emulator mode does besides: it keeps web pages out, and empties accounts. */
import { isIP } from 'node:net'
import type { ApiRequest, ApiResponse } from '../apis/api.ts'
import { Failure } from '../errors.ts'

export interface EmulatorOptions {
  /** Host names beside localhost and addresses under which callers may reach the gateway, or under subdomains of which. */
  readonly hostNames: readonly string[]
  readonly allowWebPages: boolean
  /** Whether callers need a valid signature. */
  readonly verify: boolean
  /** Resolves to how many keys it had. */
  readonly emptyAccount: (account: string) => Promise<number>
}

/**
 * Why a request is refused. Everybody is an administrator here, and a browser on the same machine lets any page send requests: it says so by
 * Origin (Fetch Standard, section 3.2) and Sec-Fetch-Site (Fetch Metadata Request Headers, section 2.3). The name of a page whose DNS
 * entry was changed to this machine's address is in Host.
 */
export function refusalOfWebPages(
  { headers }: Pick<ApiRequest, 'headers'>,
  { hostNames, allowWebPages }: EmulatorOptions,
): Failure | undefined {
  if (allowWebPages) return undefined
  const { origin, host } = headers
  if (origin !== undefined || !['none', undefined].includes(String(headers['sec-fetch-site'] ?? 'none'))) {
    return new Failure('NotAuthorized', 'Web pages may not call in emulator mode: see emulator.allowWebPages.')
  }
  const name = hostNameOf(String(host ?? ''))
  // Nobody else's DNS has names without a dot, such as those of containers.
  const isLocal = !name.includes('.') || name.endsWith('.localhost') || isIP(name) !== 0
  if (isLocal || hostNames.some(accepted => name === accepted || name.endsWith(`.${accepted}`))) return undefined
  return new Failure('NotAuthorized', 'This host name is not accepted in emulator mode: see emulator.hostNames.')
}

function hostNameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
}

/** Path of an account, to be deleted. */
export const accountPath = '/_emulator/accounts/:account'

export async function deleteAccount({ url }: Pick<ApiRequest, 'url'>, options: EmulatorOptions): Promise<ApiResponse> {
  if (options.verify) return json(403, { message: 'With emulator.verify nobody may empty an account.' })
  const account = /^\/_emulator\/accounts\/(\d{12})$/.exec(url)?.[1]
  if (account === undefined) return json(400, { message: 'An account ID has 12 digits.' })
  return json(200, { account, keys: await options.emptyAccount(account) })
}

function json(status: number, body: object): ApiResponse {
  return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
}
