/** Writes the findings of doctor about an HSM as a profile. */
import { profileOf } from '../profiles/find-profile.ts'
import type { Profile } from '../profiles/profile.ts'
import { profileText } from '../profiles/profile-file.ts'
import type { Survey } from './findings.ts'

/** @param basedOn the profile that it was inspected with, as the configuration names it */
export function writtenProfile(name: string, basedOn: string, survey: Survey): string {
  const base = profileOf(basedOn)
  const {
    gcm,
    oaepHashes,
    supportsCkaModifiable,
    supportsCkaCopyable,
    supportsCkaSignRecover,
    reportsCkaLocal,
    lacks,
    recommendation,
  } = survey
  const profile: Profile = {
    ...base,
    name,
    title: name,
    mode: recommendation?.mode ?? base.mode,
    initIsRoundTrip: recommendation?.initIsRoundTrip ?? base.initIsRoundTrip,
    sessionsPerWorker: Math.max(1, Math.min(base.sessionsPerWorker, survey.sessions)),
    ...(gcm && { gcmIv: gcm.iv, gcmMechanism: gcm.mechanism }),
    invalidCiphertextCodes: [...new Set([...base.invalidCiphertextCodes, ...survey.invalidCiphertextCodes])],
    invalidSignatureCodes: [...new Set([...base.invalidSignatureCodes, ...survey.invalidSignatureCodes])],
    oaepHashes,
    supportsCkaModifiable,
    supportsCkaCopyable,
    supportsCkaSignRecover,
    reportsCkaLocal,
    lacks,
    mayLack: {},
  }
  return profileText(profile, 'Written by strongroom doctor. src/hsm/profiles/profile.ts documents each flag.')
}
