// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import { describe, expect, it } from 'vitest'
import { decide } from '../../src/authorization/decide.ts'

const account = '111122223333'
const context: Record<string, readonly string[]> = {
  'aws:username': ['alice'],
  'aws:principaltag/team': ['blue'],
  'aws:principaltag/star': ['*'],
  'aws:principaltag/mark': ['?????'],
  'aws:principaltag/nested': ['${aws:username}'],
  'aws:principaltag/dollar': ['$&'],
  'aws:principaltag/colon': ['a:b'],
  'aws:principaltag/account': [account],
  'aws:principaltag/empty': [''],
  'aws:tagkeys': ['one', 'two'],
  'aws:none': [],
  'k:value': ['alice'],
  'k:literal': ['${aws:username}'],
  'k:arn': [`arn:aws:iam::${account}:user/alice`],
  'k:odd': ['arn:aws:iam::a:b:user/alice'],
  'k:number': ['5'],
}

const about = (name: string) => `arn:aws:secret:eu-west-1:${account}:of/${name}`

interface Asked {
  readonly resource?: string
  readonly statement?: object
  readonly version?: string
  readonly effect?: string
}

/** Whether a statement applies; a Deny beside an Allow of everything. */
function applies({
  resource = about('alice'),
  statement = {},
  version = '2012-10-17',
  effect = 'Allow',
}: Asked): boolean {
  const one = { Effect: effect, Action: '*', Resource: '*', ...statement }
  const everything = { Effect: 'Allow', Action: '*', Resource: '*' }
  const text = JSON.stringify({
    ...(version && { Version: version }),
    Statement: effect === 'Deny' ? [one, everything] : [one],
  })
  const principal = { arn: `arn:aws:iam::${account}:user/alice`, account, principalId: '' }
  const request = { principal, action: 'a:b', resource, account, context: (name: string) => context[name] }
  return decide(request, { identity: [text] }).allowed === (effect === 'Allow')
}

describe('policy variables', () => {
  // biome-ignore format: a table
  it.each<[string, string, string, boolean]>([
    ['is its value',                                     about('${aws:username}'),                          about('alice'), true],
    ['is nothing but its value',                         about('${aws:username}'),                          about('bob'),   false],
    ['is found whatever its case',                       about('${AWS:UserName}'),                          about('alice'), true],
    ['may have a name with a slash',                     about('${aws:PrincipalTag/Team}'),                 about('blue'),  true],
    ['may be followed by a wildcard',                    about('${aws:username}/*'),                        about('alice/x'), true],
    ['may stand twice',                                  about('${aws:username}-${aws:username}'),          about('alice-alice'), true],
    ['is literal: a star in its value is no wildcard',   about('${aws:PrincipalTag/star}'),                 about('alice'), false],
    ['is literal: the star itself matches',              about('${aws:PrincipalTag/star}'),                 about('*'),     true],
    ['is literal: a question mark is no wildcard',       about('${aws:PrincipalTag/mark}'),                 about('alice'), false],
    ['is not resolved again',                            about('${aws:PrincipalTag/nested}'),               about('alice'), false],
    ['is not resolved again: its value is text',         about('${aws:PrincipalTag/nested}'),               about('${aws:username}'), true],
    ['is no pattern of a replacement',                   about('${aws:PrincipalTag/dollar}'),               about('$&'),    true],
    ['may be empty',                                     about('${aws:PrincipalTag/empty}alice'),           about('alice'), true],
    ['has a default',                                    about("${aws:PrincipalTag/none, 'alice'}"),        about('alice'), true],
    ['has a default without a space',                    about("${aws:PrincipalTag/none,'alice'}"),         about('alice'), true],
    ['has an empty default',                             about("${aws:PrincipalTag/none, ''}alice"),        about('alice'), true],
    ['has a default with a brace',                       about("${aws:PrincipalTag/none, '}'}"),            about('}'),     true],
    ['does not need its default',                        about("${aws:username, 'bob'}"),                   about('bob'),   false],
    ['has a literal default: a star is no wildcard',     about("${aws:PrincipalTag/none, '*'}"),            about('alice'), false],
    ['has a literal default: no variables',              about("${aws:PrincipalTag/none, '${aws:username}'}"), about('alice'), false],
    ['has no value if its key has several',              about('${aws:TagKeys}'),                           about('one'),   false],
    ['has no value if its key has several, in spite of a default', about("${aws:TagKeys, 'alice'}"),        about('alice'), false],
    ['has its default if its key has none',              about("${aws:none, 'alice'}"),                     about('alice'), true],
    ['is a star when it is escaped',                     about('${*}'),                                     about('*'),     true],
    ['is no wildcard when it is escaped',                about('${*}'),                                     about('alice'), false],
    ['is a question mark when it is escaped',            about('alic${?}'),                                 about('alic?'), true],
    ['is no wildcard when a question mark is escaped',   about('alic${?}'),                                 about('alice'), false],
    ['is a dollar when it is escaped',                   about('${$}{aws:username}'),                       about('${aws:username}'), true],
    ['is text if it is not closed',                      about('${aws:username'),                           about('${aws:username'), true],
    ['is text if it is empty',                           about('${}'),                                      about('${}'),   true],
    ['has no recursion',                                 about('${aws:PrincipalTag/${aws:username}}'),      about('blue}'), false],
  ])('%s: %s', (_title, pattern, resource, expected) => {
    expect(applies({ resource, statement: { Resource: pattern } })).toBe(expected)
  })

  it.each(['2008-10-17', ''])('are literal text in version "%s"', version => {
    const statement = { Resource: about('${aws:username}') }
    expect(applies({ version, statement, resource: about('alice') })).toBe(false)
    expect(applies({ version, statement, resource: about('${aws:username}') })).toBe(true)
    // The star is a wildcard, as it is no escape.
    expect(applies({ version, statement: { Resource: about('${*}') }, resource: about('${x}') })).toBe(true)
  })

  it.each(['Allow', 'Deny'])(
    'without a value keep a statement with %s from applying, whatever else it names',
    effect => {
      for (const statement of [
        { Resource: about('${aws:PrincipalTag/none}') },
        { Resource: ['*', about('${aws:PrincipalTag/none}')] },
        { Resource: undefined, NotResource: about('${aws:PrincipalTag/none}') },
        { Condition: { StringEquals: { 'k:value': ['alice', '${aws:PrincipalTag/none}'] } } },
        { Condition: { StringNotEquals: { 'k:value': '${aws:PrincipalTag/none}' } } },
        { Condition: { StringNotLikeIfExists: { 'k:missing': '${aws:TagKeys}' } } },
        { Condition: { ArnNotLike: { 'k:arn': 'arn:aws:iam::${aws:none}:user/*' } } },
        { Condition: { 'ForAllValues:StringLike': { 'k:missing': '${aws:PrincipalTag/none}' } } },
      ]) {
        expect(applies({ effect, statement }), JSON.stringify(statement)).toBe(false)
      }
    },
  )

  // biome-ignore format: a table
  it.each<[string, string, string, boolean]>([
    ['StringEquals',           'k:value',   '${aws:username}',                            true],
    ['StringNotEquals',        'k:value',   '${aws:username}',                            false],
    ['StringEqualsIgnoreCase', 'k:value',   '${aws:username}',                            true],
    ['StringLike',             'k:value',   '${aws:username}*',                           true],
    ['StringLike',             'k:value',   '${aws:PrincipalTag/star}',                   false],
    ['StringEquals',           'k:value',   "${aws:PrincipalTag/none, 'alice'}",          true],
    ['ArnLike',                'k:arn',     'arn:aws:iam::${aws:PrincipalTag/account}:user/*', true],
    ['ArnLike',                'k:arn',     'arn:aws:iam::${aws:PrincipalTag/star}:user/*', false],
    ['ArnLike',                'k:odd',     'arn:aws:iam::${aws:PrincipalTag/colon}:user/alice', false],
    ['ArnEquals',              'k:arn',     'arn:aws:iam::*:user/${aws:username}',        true],
    ['NumericEquals',          'k:number',  '${k:number}',                                false],
    ['DateEquals',             'k:number',  '${k:number}',                                false],
    ['Bool',                   'k:literal', '${aws:username}',                            false],
    ['Null',                   'k:missing', '${aws:username}',                            false],
    // Text, and therefore no number or address that something could differ from.
    ['NumericNotEquals',       'k:number',  '${aws:username}',                            false],
    ['NotIpAddress',           'k:missing', '${aws:SourceIp}',                            false],
  ])('in a condition %s %s = %s: %s', (operator, key, value, expected) => {
    expect(applies({ statement: { Condition: { [operator]: { [key]: value } } } })).toBe(expected)
  })

  it('stand for nothing in the name of a condition key', () => {
    expect(applies({ statement: { Condition: { StringEquals: { 'k:${aws:username}': 'x' } } } })).toBe(false)
  })

  it('never make a policy wider with values that are too long together: an Allow does not apply, a Deny does', () => {
    context['k:long'] = ['x'.repeat(10_000)]
    const Resource = [...Array(10).fill(about('${k:long}')), '*']
    expect(applies({ statement: { Resource } })).toBe(false)
    expect(applies({ statement: { Resource }, effect: 'Deny' })).toBe(true)
    expect(applies({ statement: { Resource: Resource.slice(-3) } })).toBe(true)
  })
})
