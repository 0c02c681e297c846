# docker build -t strongroom .
# docker run -p 127.0.0.1:7700:7700 -v strongroom:/data strongroom

FROM node:24-bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ make python3
WORKDIR /app
COPY package.json package-lock.json ./
# The native addon is the only package whose script is needed. The headers of Node.js are in the image.
RUN npm ci --ignore-scripts && npm_config_nodedir=/usr/local npm rebuild --ignore-scripts=false pkcs11js
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24-bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends softhsm2 && rm -rf /var/lib/apt/lists/* \
    && install -d -o node -g node -m 700 /data /audit
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
USER node
VOLUME /data
EXPOSE 7700
HEALTHCHECK --start-period=10s CMD node -e "fetch('http://127.0.0.1:7700/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"
# Arguments of docker run are options of serve.
ENTRYPOINT ["/bin/sh", "-c", "node dist/main.js init --data /data >&2 && unset STRONGROOM_ADMIN_ACCESS_KEY_ID STRONGROOM_ADMIN_SECRET_ACCESS_KEY && exec node dist/main.js serve --data /data --host 0.0.0.0 \"$@\"", "strongroom"]
