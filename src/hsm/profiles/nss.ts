import { because, mlDsa, profile } from './profile.ts'

/** NSS softokn 3: the second software token, for tests. It needs `libraryParameters`. */
export const nss = profile({
  name: 'nss',
  title: 'NSS softokn',
  mode: 'synchronous',
  lacks: {
    ...because('no ML-DSA', mlDsa),
    ECC_SECG_P256K1: 'no secp256k1',
    ECC_NIST_EDWARDS25519: 'no Ed25519',
  },
})
