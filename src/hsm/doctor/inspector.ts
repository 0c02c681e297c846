/** A process that tests what a token supports, reports it, and ends. */
import * as graphene from 'graphene-pk11'
import pkcs11js from 'pkcs11js'
import { reportOn } from '../child-report.ts'
import { Connection, findToken, loadLibrary, login, PinRefused, tokens } from '../token/connection.ts'
import type { Cryptoki, Handle } from '../token/cryptoki.ts'
import type { SlotToken } from '../token/information.ts'
import { KeyHandles } from '../token/key-handles.ts'
import { placeOf } from '../token/pin.ts'
import type { Survey } from './findings.ts'
import type { HsmReport, InspectArgument, TokenReport } from './inspect.ts'
import { survey } from './survey.ts'

type Argument = InspectArgument
type Findings = { -readonly [Member in keyof HsmReport]: HsmReport[Member] }

const pinProblems = {
  refused: 'the token refused the PIN in',
  locked: 'the PIN is locked; not tried:',
  'not tried': 'an earlier attempt failed, add --force to try the PIN in',
} as const

await reportOn(async (argument: Argument): Promise<HsmReport> => {
  const findings: Findings = { problems: [] }
  try {
    await inspect(argument, findings)
  } catch (error) {
    findings.problems = [...findings.problems, (error as Error).message]
  }
  return findings
})

/** Fills in the findings; throws at a problem that prevents further ones. */
async function inspect(argument: Argument, findings: Findings): Promise<void> {
  const cryptoki = loadLibrary(argument, argument.profile)
  findings.library = cryptoki.info()
  findings.tokens = tokens(cryptoki).map(reportOf)
  const token = await findToken(cryptoki, argument, argument.profile)
  findings.token = reportOf(token)
  findings.mechanisms = mechanisms(cryptoki, token.slot)
  const connection = new Connection(cryptoki, token, argument)
  const { session } = connection
  findings.pin = tryPin(cryptoki, session, token, argument)
  if (findings.pin !== 'accepted') {
    findings.problems = [`${pinProblems[findings.pin]} ${placeOf(argument)}`]
    return
  }
  findings.keys = (await new KeyHandles(cryptoki).walk(session)).length
  cryptoki.random(session, 32)
  findings.survey = await survey(connection, argument.profile)
  findings.problems = problemsOf(findings.survey)
}

function reportOf({ label, serial, model, manufacturer }: SlotToken): TokenReport {
  return { label, serial, model, manufacturer }
}

function mechanisms(cryptoki: Cryptoki, slot: Handle): readonly string[] {
  const library = new graphene.Module(cryptoki.native)
  const slots = library.getSlots(true)
  for (let index = 0; index < slots.length; index++) {
    const candidate = slots.items(index)
    if (!candidate.handle.equals(slot)) continue
    const list = candidate.getMechanisms()
    return Array.from({ length: list.length }, (_, item) => mechanismName(list.items(item).type)).sort()
  }
  return []
}

function mechanismName(type: number): string {
  const name = graphene.MechanismEnum[type] as string | undefined
  return name === undefined ? `0x${(type >>> 0).toString(16)}` : `CKM_${name}`
}

/** Tries the PIN once, and not at all if the token reports a wrong try: PKCS#11 v2.40, table 6, CKF_USER_PIN_*. */
function tryPin(
  cryptoki: Cryptoki,
  session: Handle,
  { flags }: SlotToken,
  argument: Argument,
): NonNullable<HsmReport['pin']> {
  if ((flags & pkcs11js.CKF_USER_PIN_LOCKED) !== 0) return 'locked'
  const spent = pkcs11js.CKF_USER_PIN_COUNT_LOW | pkcs11js.CKF_USER_PIN_FINAL_TRY
  if ((flags & spent) !== 0 && argument.force !== true) return 'not tried'
  try {
    login(cryptoki, session, argument)
    return 'accepted'
  } catch (error) {
    if (error instanceof PinRefused) return 'refused'
    throw error
  }
}

/** The gateway needs AES-GCM for its own keys, and nothing else. */
function problemsOf({ gcm, lacks, forgeable }: Survey): readonly string[] {
  if (gcm === undefined) return [`AES-GCM, which the gateway needs, does not work: ${lacks.SYMMETRIC_DEFAULT}`]
  return forgeable ? ['AES-GCM decrypts an altered ciphertext'] : []
}
