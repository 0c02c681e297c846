/** A process in which the security officer of a token marks a public key as trusted, and that ends. */

import { reportOn } from '../child-report.ts'
import { trust } from '../token/trust.ts'

await reportOn(trust)
