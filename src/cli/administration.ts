/** Calls operations of the administration API: through the socket of the running gateway, or in this process if none runs. */
import { request as httpRequest } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { uidHeader } from '../apis/administration/uid-header.ts'
import type { ApiRequest } from '../apis/api.ts'
import type { Config } from '../config.ts'
import { OperatorError } from '../errors.ts'
import { withShortPath } from '../server/unix-socket.ts'
import { openDataFolder } from './data-folder.ts'
import { harden } from './harden.ts'
import type { ConfigOptions } from './options.ts'

interface Reply {
  readonly status: number
  readonly body: string
}

/** Resolves to the output of an operation. Throws OperatorError with the message of a failure. */
export type Administer = <O>(operation: string, input: object) => Promise<O>

const headers = { 'content-type': 'application/json', [uidHeader]: String(process.getuid?.() ?? '') }

/** Lets a command call operations, one after another. */
export async function withAdministration<T>(
  options: ConfigOptions,
  work: (administer: Administer) => Promise<T>,
): Promise<T> {
  harden()
  const { config } = openDataFolder(options)
  await using opened = new AsyncDisposableStack()
  let call: ((operation: string, body: string) => Promise<Reply>) | undefined
  return await work(async (operation, input) => {
    const body = JSON.stringify(input)
    // A gateway that starts or stops has storage, but no socket: it is waited for.
    for (let attempt = 1; ; attempt++) {
      const answered = call ? undefined : await throughSocket(config.administration.socket, operation, body)
      if (answered) return outputOf(answered)
      try {
        call ??= await openInProcess(config, opened)
      } catch (error) {
        const { isInUse, patience, pause } = await import('../assemble/in-use.ts')
        if (!isInUse(error) || attempt * pause > patience) throw error
        await delay(pause)
        continue
      }
      return outputOf(await call(operation, body))
    }
  })
}

/** Undefined if nobody listens: nothing was sent. */
async function throughSocket(socketPath: string, operation: string, body: string): Promise<Reply | undefined> {
  return withShortPath(socketPath, short => {
    return new Promise<Reply | undefined>((resolve, reject) => {
      const call = httpRequest({ socketPath: short, method: 'POST', path: `/${operation}`, headers }, response => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => (text += part))
        response.on('end', () => resolve({ status: response.statusCode!, body: text }))
        response.on('error', error => reject(interrupted(error)))
      })
      call.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined)
        else if (error.code === 'EACCES')
          reject(new OperatorError(`cannot connect to ${socketPath}: permission denied`))
        else reject(interrupted(error))
      })
      call.end(body)
    })
  })
}

function interrupted(cause: Error): OperatorError {
  const message = 'the gateway stopped before it answered: its audit file says whether the change was made'
  return new OperatorError(message, { cause })
}

async function openInProcess(config: Config, opened: AsyncDisposableStack) {
  const { openAdministration } = await import('../assemble/administration.ts')
  const call = await openAdministration(config, opened)
  return async (operation: string, body: string): Promise<Reply> => {
    const request: ApiRequest = {
      method: 'POST',
      url: `/${operation}`,
      headers,
      body: async () => Buffer.from(body),
      sourceAddress: '',
      secure: true,
    }
    const { status, body: answer } = await call(request)
    return { status, body: String(answer) }
  }
}

function outputOf<O>({ status, body }: Reply): O {
  const answer = JSON.parse(body) as O & { readonly code?: string; readonly message?: string }
  if (status === 200) return answer
  const { code = 'Internal', message = '' } = answer
  throw new OperatorError(message || `the request failed: ${code}; see the log of the gateway`)
}
