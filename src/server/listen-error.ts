import { OperatorError } from '../errors.ts'

/** Why a listener cannot start, as an OperatorError. @param where its address */
export function listenError(error: NodeJS.ErrnoException, where: string): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: where.startsWith('/') ? 'another gateway listens there' : 'the port is in use',
    EACCES: 'permission denied',
    ENOTSOCK: 'it is a file of another kind',
    EADDRNOTAVAIL: 'no such address on this machine',
    ENOTFOUND: 'unknown host',
  }
  const reason = reasons[error.code ?? ''] ?? error.message
  return new OperatorError(`cannot listen on ${where}: ${reason}`, { cause: error })
}
