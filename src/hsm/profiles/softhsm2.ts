import { because, mlDsa, profile } from './profile.ts'

/** SoftHSM 2.6: the token for development and tests. */
export const softhsm2 = profile({
  name: 'softhsm2',
  title: 'SoftHSM 2',
  mode: 'synchronous',
  /** A wrong tag or AAD; 2.7 answers CKR_ENCRYPTED_DATA_INVALID. */
  invalidCiphertextCodes: ['CKR_GENERAL_ERROR'],
  oaepHashes: ['sha1'],
  /** It unwraps no Ed25519 keys. */
  importMethods: ['ECDH', 'plaintext'],
  oaepUnwraps: ['secret', 'EC'],
  canInitializeToken: true,
  /**
   * Each process reads the folder of the token again when the number in its file `generation` has changed (OSToken::index). A process that
   * creates an object raises that number and remembers it as read (Generation::commit), so objects that another process has added since
   * stay unknown to it, unless it reads the folder first.
   */
  singleProcess: true,
  processLock: true,
  generatesRsaKeysInSession: true,
  /** While another process logs in, the token's file is rewritten and the token seems to be missing. */
  tokenSearchAttempts: 20,
  lacks: because('no ML-DSA', mlDsa),
})
