import { constants } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions, type Server } from 'node:tls'
import { OperatorError } from '../errors.ts'
import { checkSecretFile } from '../private-files.ts'
import type { Log } from '../services.ts'
import type { ClientCertificates } from './client-certificates.ts'

/** The TLS certificate of a listener, and its renewal without a restart. */

/** Paths of PEM files. */
export interface TlsFiles {
  readonly certificateFile: string
  readonly keyFile: string
}

export interface TlsPair {
  readonly cert: Buffer
  readonly key: Buffer
}

/** Reads both files. Throws OperatorError if they cannot be read, do not match, or others can read the key. */
export function readTlsPair({ certificateFile, keyFile }: TlsFiles): TlsPair {
  checkSecretFile(keyFile)
  const pair = { cert: readPem(certificateFile), key: readPem(keyFile) }
  try {
    createSecureContext(pair)
  } catch (error) {
    const message = `cannot use the TLS files ${certificateFile} and ${keyFile}: ${(error as Error).message}`
    throw new OperatorError(message, { cause: error })
  }
  return pair
}

/**
 * What a context needs to verify client certificates. Sessions are not resumed: that would accept a client again without its certificate.
 * An empty list of authorities is none, an absent one those of Node.js.
 */
export function verifying(clients: ClientCertificates | undefined): SecureContextOptions {
  return clients ? { ca: [...clients.authorities()], secureOptions: constants.SSL_OP_NO_TICKET } : {}
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new OperatorError(`cannot read the TLS file ${file}: ${(error as NodeJS.ErrnoException).code}`, {
      cause: error,
    })
  }
}

export interface TlsRenewal {
  /** Reads the files again, whether they have changed or not. */
  now(): void
  stop(): void
}

/** Milliseconds between two checks of the files. */
const interval = 10_000

/**
 * New connections use the certificate as of the last check. Unusable files, for example while only one of them is replaced, have no effect.
 */
export function renewTls(
  server: Server,
  files: TlsFiles,
  log: Log,
  clients: ClientCertificates | undefined,
): TlsRenewal {
  const paths = [files.certificateFile, files.keyFile]
  let known = versionOf(paths)
  const now = () => {
    try {
      known = versionOf(paths)
      server.setSecureContext({ ...readTlsPair(files), ...verifying(clients) })
      log.info({ event: 'tls_reloaded', certificate: files.certificateFile }, 'TLS certificate reloaded')
    } catch (error) {
      log.error(
        { event: 'tls_reload_failed', err: error },
        'TLS certificate not reloaded, still serving the previous one',
      )
    }
  }
  const timer = setInterval(() => {
    if (versionOf(paths) !== known) now()
  }, interval).unref()
  return { now, stop: () => clearInterval(timer) }
}

/** Changes when one of the files is replaced, written, or gets another owner or mode. */
export function versionOf(files: readonly string[]): string {
  const versions = files.map(file => {
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false })
    return stat && `${stat.ino} ${stat.size} ${stat.ctimeNs}`
  })
  return versions.join()
}
