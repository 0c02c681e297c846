/** Operations of the administration API: they change what IAM holds on AWS. Their caller is the operator, whom no policy restricts. */
import { z } from 'zod'
import { Failure } from '../../errors.ts'
import type { Operation, Target, TargetKind } from '../operation.ts'

export interface AdministrationOperation<I, O, T extends Target = Target> extends Operation<I, O, T> {
  /** Of the input, a JSON object. */
  readonly schema: z.ZodType<I>
}

type Declaration<I, O, T extends Target> = Omit<AdministrationOperation<I, O, T>, 'target' | 'readOnly'> & {
  /** Default: false. */
  readonly readOnly?: boolean
  /** Default: no resource. */
  readonly target?: TargetKind<NoInfer<I>, T>
}

export function operation<I extends object, O extends object, T extends Target = Target>(
  declared: Declaration<I, O, T>,
): AdministrationOperation<I, O, T> {
  return { readOnly: false, target: anything as unknown as TargetKind<I, T>, ...declared }
}

/** What is not about one resource. */
const anything: TargetKind<unknown, Target> = { find: () => targetOf() }

/** Operators need no permission. @param resources ARNs for the audit record */
export function targetOf(...resources: readonly string[]): Target {
  return { permissions: [], resources, check() {} }
}

/** Levels of objects and arrays: a file of identities needs 14. */
const maximumDepth = 32

/**
 * Throws Validation for JSON that is nested deeper than anything here, or has a member that is lost when it is copied: before anything
 * recursive reads it.
 */
export function checkShape(json: unknown): void {
  let level: readonly unknown[] = [json]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maximumDepth) throw new Failure('Validation', `nested deeper than ${maximumDepth} levels`)
    const objects = level.filter(value => typeof value === 'object' && value !== null) as object[]
    if (objects.some(value => Object.hasOwn(value, '__proto__'))) {
      throw new Failure('Validation', 'nothing can be named __proto__')
    }
    level = objects.flatMap(value => Object.values(value) as unknown[])
  }
}

export const accountId = z.string().regex(/^\d{12}$/, 'an account ID has 12 digits')
