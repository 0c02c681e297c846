import { because, mlDsa, profile } from './profile.ts'

/** SoftHSM 2.6: the token that development and tests use. */
export const softhsm2 = profile({
  name: 'softhsm2',
  title: 'SoftHSM 2',
  mode: 'synchronous',
  /** A wrong tag or AAD; 2.7 answers CKR_ENCRYPTED_DATA_INVALID. */
  badCiphertext: ['CKR_GENERAL_ERROR'],
  oaepHashes: ['sha1'],
  provisions: true,
  /** Measured with two processes: of 1,500 keys created under load, 40 were refused and 80 calls failed in the other process. */
  changesAlone: true,
  copiesRsaKeys: true,
  /** While another process logs in, the token's file is being rewritten and the token seems not to be there. */
  searches: 20,
  lacks: because('no ML-DSA', mlDsa),
})
