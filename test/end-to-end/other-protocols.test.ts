import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { awsProtocols } from '../apis/aws-protocols.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { type Post, send, signedPost } from './requests.ts'

/** Clients of other protocols than AWS JSON 1.1, or of other services. */

let installation: Installation
let gateway: Gateway

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

const credentials = () => installation.credentials[home]!

/** Resolves to what was thrown. */
const thrownBy = (call: Promise<unknown>) =>
  call.then(
    () => 'nothing',
    thrown => thrown,
  )

function recorded(requestId: string | undefined) {
  return gateway.records().find(({ requestID }) => requestID === requestId)
}

describe('a client of AWS KMS that speaks AWS JSON 1.0', () => {
  let kms: KMS
  beforeAll(() => {
    kms = gateway.client({ protocol: awsProtocols.awsJson1_0 })
  })

  it('is served', async () => {
    const { KeyMetadata } = await kms.createKey({})
    const { CiphertextBlob } = await kms.encrypt({ KeyId: KeyMetadata!.KeyId!, Plaintext: Buffer.from('text') })
    const { Plaintext } = await kms.decrypt({ CiphertextBlob: CiphertextBlob! })
    expect(Buffer.from(Plaintext!).toString()).toBe('text')
  })

  it('reads its errors', async () => {
    const thrown = await thrownBy(kms.describeKey({ KeyId: 'alias/none' }))
    expect(thrown).toMatchObject({ name: 'NotFoundException', message: expect.stringContaining('is not found.') })
    expect(recorded(thrown.$metadata.requestId)).toMatchObject({ errorCode: 'NotFoundException' })
    expect(await thrownBy(kms.createKey({ KeySpec: 'X' as 'SM2' }))).toMatchObject({ name: 'ValidationException' })
  })

  it('is answered in AWS JSON 1.0', async () => {
    const headers = { 'content-type': 'application/x-amz-json-1.0; charset=utf-8' }
    const post = (target: string) => signedPost({ url: gateway.url, credentials: credentials(), headers, target })
    expect(await post('ListKeys')).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/x-amz-json-1.0' },
    })
    expect(await post('Fly')).toMatchObject({
      status: 400,
      headers: { 'content-type': 'application/x-amz-json-1.0' },
      body: '{"__type":"com.amazon.coral.service#UnknownOperationException"}',
    })
  })
})

const run = promisify(execFile)
const hasBoto3 = await run('python3', ['-c', 'import boto3']).then(Boolean, () => false)

/** Calls an operation of each service, and prints code and message of its error. */
const everyService = `
import boto3, botocore, json
calls = {'iam': 'list_users', 'ec2': 'describe_instances', 'sns': 'list_topics', 'route53': 'list_hosted_zones', 's3': 'list_buckets',
  'dynamodb': 'list_tables', 'ssm': 'describe_parameters', 'sqs': 'list_queues', 'kinesis': 'list_streams', 'cloudwatch': 'list_metrics',
  'lambda': 'list_functions'}
errors = {}
for service, call in calls.items():
    try:
        getattr(boto3.client(service, region_name='us-east-1'), call)()
    except botocore.exceptions.ClientError as error:
        errors[service] = [error.response['Error']['Code'], error.response['Error']['Message']]
print(json.dumps(errors))
`

describe('an unsupported client', () => {
  it.each([
    ['rpcv2Cbor', 'UnknownOperationException'],
    ['rpcv2Json', 'UnknownOperationException'],
    ['awsQuery', 'InvalidAction'],
    ['ec2Query', 'InvalidAction'],
  ] as const)('gets an error it can parse: of AWS KMS, in %s', async (name, code) => {
    const thrown = await thrownBy(gateway.client({ protocol: awsProtocols[name] }).listKeys({}))
    expect(thrown).toMatchObject({ name: code, $metadata: { httpStatusCode: 400 } })
    expect(recorded(thrown.$metadata.requestId)).toMatchObject({
      errorCode: code,
      userIdentity: { accessKeyId: credentials().accessKeyId },
    })
  })

  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  it.each<[string, string, Partial<Post>, string, string, RegExp]>([
    [
      'AWS IAM',
      'iam',
      { headers: form, target: null, body: 'Action=ListUsers&Version=2010-05-08' },
      'InvalidAction',
      'text/xml',
      /^<ErrorResponse><Error><Type>Sender</,
    ],
    [
      'Amazon EC2',
      'ec2',
      { headers: form, target: null, body: 'Action=DescribeInstances&Version=2016-11-15' },
      'InvalidAction',
      'text/xml',
      /^<\?xml [^>]*>\n<Response><Errors><Error>/,
    ],
    [
      'Amazon S3',
      's3',
      { method: 'GET', path: '/bucket/key', headers: { 'content-type': '' }, target: null, body: '' },
      'NotImplemented',
      'application/xml',
      /^<\?xml [^>]*>\n<Error><Code>/,
    ],
    [
      'Amazon SQS',
      'sqs',
      { headers: { 'x-amz-target': 'AmazonSQS.ListQueues', 'content-type': 'application/x-amz-json-1.0' } },
      'UnknownOperationException',
      'application/x-amz-json-1.0',
      /coral.service#UnknownOp/,
    ],
    [
      'Amazon DynamoDB',
      'dynamodb',
      { headers: { 'x-amz-target': 'DynamoDB_20120810.Query' } },
      'UnknownOperationException',
      'application/x-amz-json-1.1',
      /^\{"__type":"UnknownOp/,
    ],
    [
      'AWS Systems Manager',
      'ssm',
      { headers: { 'x-amz-target': 'AmazonSSM.GetParameter' } },
      'UnknownOperationException',
      'application/x-amz-json-1.1',
      /^\{"__type":"UnknownOp/,
    ],
    [
      'AWS Lambda',
      'lambda',
      {
        method: 'GET',
        path: '/2015-03-31/functions',
        headers: { 'content-type': 'application/json' },
        target: null,
        body: '',
      },
      'UnknownOperationException',
      'application/json',
      /"UnknownOp/,
    ],
  ])('is refused in its own protocol and audited: of %s', async (_, service, post, code, contentType, body) => {
    const answer = await signedPost({ url: gateway.url, credentials: credentials(), service, ...post })
    expect(answer).toMatchObject({
      status: code === 'NotImplemented' ? 501 : 400,
      headers: { 'content-type': contentType },
      body: expect.stringMatching(body),
    })
    expect(answer.body).toContain(`The service ${service} is not available at this endpoint.`)
    expect(answer.body).toContain(code)
    expect(recorded(String(answer.headers['x-amzn-requestid']))).toMatchObject({ errorCode: code })
  })

  it.skipIf(!hasBoto3)(
    'of boto3 reads the code and message of its protocol, whatever the service',
    async () => {
      const { accessKeyId, secretAccessKey } = credentials()
      const env = { PATH: process.env.PATH, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
      const { stdout } = await run('python3', ['-c', everyService], { env: { ...env, AWS_ENDPOINT_URL: gateway.url } })
      const said = (service: string) => `The service ${service} is not available at this endpoint.`
      expect(JSON.parse(stdout)).toEqual({
        iam: ['InvalidAction', said('iam')],
        ec2: ['InvalidAction', said('ec2')],
        sns: ['InvalidAction', said('sns')],
        route53: ['InvalidAction', said('route53')],
        s3: ['NotImplemented', said('s3')],
        dynamodb: ['UnknownOperationException', said('dynamodb')],
        ssm: ['UnknownOperationException', said('ssm')],
        sqs: ['UnknownOperationException', said('sqs')],
        kinesis: ['UnknownOperationException', said('kinesis')],
        cloudwatch: ['UnknownOperationException', said('monitoring')],
        lambda: ['UnknownOperationException', said('lambda')],
      })
    },
    30_000,
  )

  it('is refused and audited without a signature, too', async () => {
    const { status, headers, body } = await send(
      gateway.url,
      { method: 'POST', headers: form },
      Buffer.from('Action=X'),
    )
    const requestId = headers['x-amzn-requestid']
    const error =
      '<Error><Type>Sender</Type><Code>InvalidAction</Code><Message>Could not find operation X for version NO_VERSION_SPECIFIED</Message></Error>'
    expect([status, body]).toEqual([
      400,
      `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${error}<RequestId>${requestId}</RequestId></ErrorResponse>\n`,
    ])
    expect(recorded(String(requestId))).toMatchObject({ errorCode: 'InvalidAction' })
  })

  it.each(['application/json', 'text/plain', ''])('is refused as on AWS with the content type %j', async type => {
    const headers = { 'content-type': type }
    const { status, body } = await signedPost({ url: gateway.url, credentials: credentials(), headers })
    expect([status, body]).toEqual([400, '{"__type":"UnknownOperationException"}'])
  })
})
