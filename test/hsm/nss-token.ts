/** A process that gives a new NSS database its user PIN: arguments are the library, its parameters and the PIN file. */
import { loadLibrary, tokens } from '../../src/hsm/token/connection.ts'
import { userType } from '../../src/hsm/token/cryptoki.ts'
import { readPin } from '../../src/hsm/token/pin.ts'

const [library, libraryParameters, pinFile] = process.argv.slice(2)
const cryptoki = loadLibrary({ library: library!, libraryParameters }, { processLock: false })
const { slot } = tokens(cryptoki).find(({ label }) => label === 'NSS Certificate DB')!
const session = cryptoki.openSession(slot)
cryptoki.login(session, userType.securityOfficer, '')
cryptoki.initialisePin(session, readPin({ pinFile }))
