/** What calls and keys would cost: AWS KMS pricing (aws.amazon.com/kms/pricing), us-east-1, June 2026. */
import { z } from 'zod'

const price = z.number().min(0).max(1e6)

export const prices = z
  .strictObject({
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, 'not a currency code of three letters, such as EUR')
      .default('USD'),
    requests: z
      .strictObject({
        standard: price.default(0.03),
        rsa2048: price.default(0.03),
        asymmetric: price.default(0.15),
        eccKeyPair: price.default(0.1),
        rsaKeyPair: price.default(12),
      })
      .prefault({}),
    freeRequests: z.int().min(0).default(20_000),
    failedRequests: z.boolean().default(false),
    keyMonth: price.default(1),
    chargedRotations: z.int().min(0).default(2),
  })
  .prefault({})
