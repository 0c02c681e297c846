/** A bare Fastify that answers as many bytes as an Encrypt: what HTTP alone costs. Argument: length of the answer. */
import fastify from 'fastify'

const answer = 'x'.repeat(Number(process.argv[2]))
const server = fastify()
server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
server.post('/', async (_request, reply) => reply.type('application/x-amz-json-1.1').send(answer))
console.log(await server.listen({ host: '127.0.0.1', port: 0 }))
