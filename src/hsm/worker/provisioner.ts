/** A process that creates a token, sets its user PIN, and ends. */
import { provision } from '../token/provision.ts'
import { reportOn } from './report.ts'

await reportOn(provision)
