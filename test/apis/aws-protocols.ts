/** The wire protocols of the AWS SDK for other services; the KMS client can be configured to use them, too. */
import { createRequire } from 'node:module'
import type { KMSClientConfig } from '@aws-sdk/client-kms'

type ProtocolClass = NonNullable<KMSClientConfig['protocol']>

// From where the client has them: they are its dependency.
const client = createRequire(createRequire(import.meta.url).resolve('@aws-sdk/client-kms'))
const classes = client('@aws-sdk/core/protocols') as Record<string, ProtocolClass>

/** By their names in Smithy. */
export const awsProtocols = {
  awsJson1_0: classes.AwsJson1_0Protocol!,
  awsJson1_1: classes.AwsJson1_1Protocol!,
  awsQuery: classes.AwsQueryProtocol!,
  ec2Query: classes.AwsEc2QueryProtocol!,
  restJson1: classes.AwsRestJsonProtocol!,
  restXml: classes.AwsRestXmlProtocol!,
  rpcv2Cbor: classes.AwsSmithyRpcV2CborProtocol!,
  rpcv2Json: classes.AwsSmithyRpcV2JsonProtocol!,
}
