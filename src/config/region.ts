import { z } from 'zod'

export const region = z.string().regex(/^([a-z]+-){2,3}\d+$/, 'not a region name, such as eu-west-1')
/** That of the credentials that `init` writes. */
export const firstRegion = 'us-east-1'
