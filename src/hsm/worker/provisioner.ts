/** A process that creates a token, sets its user PIN, and ends. */

import { reportOn } from '../child-report.ts'
import { provision } from '../token/provision.ts'

await reportOn(provision)
