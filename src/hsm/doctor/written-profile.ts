/** Writes the findings of doctor about an HSM as a profile. */
import { profileOf } from '../profiles/find-profile.ts'
import type { ImportMethod, KeyType, Profile } from '../profiles/profile.ts'
import { profileText } from '../profiles/profile-file.ts'
import type { Survey, WrappingFamily } from './findings.ts'

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
    noWrapWithTrusted,
    lacks,
    imports,
    recommendation,
  } = survey
  const ways = imports.flatMap(({ way }) => (way === undefined ? [] : [way]))
  const methods = [...new Set([...ways.map(({ method }) => method), ...plaintextOf(base)])]
  const unwrapping = [...new Set(ways.flatMap(({ unwrapping }) => unwrapping ?? []))]
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
    // Where nothing could be tried, what the profile says.
    importMethods: methods.length > 0 ? methods : base.importMethods,
    keyWrapMechanisms: unwrapping.length > 0 ? unwrapping : base.keyWrapMechanisms,
    oaepUnwraps: typesOf(imports, 'RSAES_OAEP') ?? base.oaepUnwraps,
    keyWrapUnwraps: typesOf(imports, 'RSA_AES_KEY_WRAP') ?? base.keyWrapUnwraps,
    lacks: { ...lacks, ...(noWrapWithTrusted !== undefined && { WrapWithTrusted: noWrapWithTrusted }) },
    mayLack: {},
  }
  return profileText(profile, 'Written by strongroom doctor. src/hsm/profiles/profile.ts documents each flag.')
}

/** Those of which every key that was tried is unwrapped on the token. Undefined if none could be tried. */
function typesOf(imports: Survey['imports'], algorithm: WrappingFamily): readonly KeyType[] | undefined {
  const tried = imports.filter(({ unwraps }) => unwraps !== undefined)
  if (tried.length === 0) return undefined
  const failed = new Set(tried.filter(({ unwraps }) => !unwraps!.includes(algorithm)).map(({ type }) => type))
  return [...new Set(tried.map(({ type }) => type))].filter(type => !failed.has(type))
}

/** Allowed by a human, never found out. */
function plaintextOf({ importMethods }: Profile): readonly ImportMethod[] {
  return importMethods.filter(method => method === 'plaintext')
}
