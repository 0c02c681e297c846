import type { Api } from './api.ts'
import { cloudtrail } from './cloudtrail/cloudtrail.ts'
import { kms } from './kms/kms.ts'
import { sts } from './sts/sts.ts'

/** The API of the operator, which is not on the network. */
export { administration } from './administration/administration.ts'
export { uidHeader } from './administration/uid-header.ts'
/** The API of the XKS proxy, which has a listener of its own. */
export { xks } from './xks/xks.ts'

/**
 * Every API of the network. The first answers the requests that none claims, and is the event source of the gateway's own actions, such as the deletion of
 * a key.
 */
export const apis: readonly [Api, ...Api[]] = [kms, sts, cloudtrail]
