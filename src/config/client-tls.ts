/** TLS to a server, as a client of it. */
import { z } from 'zod'

/** PEM files: whom it trusts, and its own certificate, if the server asks for one. */
export const clientTlsFiles = {
  caFile: z.string().exactOptional(),
  certificateFile: z.string().exactOptional(),
  keyFile: z.string().exactOptional(),
}

/** The arguments of a refinement. */
export const withBothOrNeither = [
  ({ certificateFile, keyFile }: { readonly certificateFile?: string; readonly keyFile?: string }) =>
    (certificateFile === undefined) === (keyFile === undefined),
  'set certificateFile and keyFile, or neither',
] as const
